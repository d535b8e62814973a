"""The source manifest: which sources and which label edges stand behind a job's executable.

The code manifest decides whether a job changed. For a compiled job it only sees a binary; the source
manifest names the library and the file.
"""

load("//rules:providers.bzl", "DatabuildSourcesInfo")
load(":fingerprint.bzl", "EXEC_TOOLCHAIN", "tool_params")
load(":paths.bzl", "display_label")

# Attributes by which the rules of the usual languages name their sources and dependencies.
_ATTRIBUTES = [
    "actual",
    "binary",
    "compile_data",
    "crate",
    "data",
    "deps",
    "embed",
    "embedsrcs",
    "entry_point",
    "exports",
    "hdrs",
    "implementation_deps",
    "library",
    "link_deps",
    "main",
    "proc_macro_deps",
    "resources",
    "runtime_deps",
    "script",
    "src",
    "srcs",
    "textual_hdrs",
    "tool",
    "tools",
]

def _targets(value):
    if type(value) == "Target":
        return [value]
    if type(value) == "list":
        return [item for item in value if type(item) == "Target"]
    if type(value) == "dict":
        return [item for item in value.keys() + value.values() if type(item) == "Target"]
    return []

def _sources_aspect_impl(target, ctx):
    owner = display_label(target.label)
    files = []
    edges = []
    below = []
    for name in _ATTRIBUTES:
        for dep in _targets(getattr(ctx.rule.attr, name, None)):
            if DatabuildSourcesInfo in dep:
                below.append(dep[DatabuildSourcesInfo])
                edges.append(struct(source = owner, target = display_label(dep.label)))
            else:
                files.extend([file for file in dep.files.to_list() if file.is_source])
    return [DatabuildSourcesInfo(
        edges = depset(edges, transitive = [info.edges for info in below]),
        files = depset(
            [struct(file = file, owner = owner) for file in files],
            transitive = [info.files for info in below],
        ),
        hidden_env = bool(getattr(ctx.rule.attr, "env", None)) and RunEnvironmentInfo not in target,
        inputs = depset(files, transitive = [info.inputs for info in below]),
    )]

sources_aspect = aspect(
    implementation = _sources_aspect_impl,
    doc = "Collects the source files and label edges behind a target.",
    attr_aspects = _ATTRIBUTES,
    apply_to_generating_rules = True,
    provides = [DatabuildSourcesInfo],
)

def _file_directive(entry):
    return "file\t%s\t%s" % (entry.owner, entry.file.path)

def _edge_directive(edge):
    return "edge\t%s\t%s" % (edge.source, edge.target)

def source_manifest(ctx, graphtool, binary):
    """Declares the action that writes a job's source manifest.

    Args:
        ctx: the rule's context.
        graphtool: the graph tool's FilesToRunProvider.
        binary: Target of the job's executable, with `sources_aspect` applied.

    Returns:
        File: the manifest.
    """
    out = ctx.actions.declare_file(ctx.label.name + ".sources.json")
    args = tool_params(ctx, "sources", out)
    args.add(display_label(binary.label), format = "--label=%s")
    if DatabuildSourcesInfo in binary:
        sources = binary[DatabuildSourcesInfo]
        inputs = sources.inputs
        args.add_all(sources.files, map_each = _file_directive)
        args.add_all(sources.edges, map_each = _edge_directive)
    else:
        # The executable is itself a source file.
        inputs = depset([file for file in binary.files.to_list() if file.is_source])
        args.add_all(inputs, format_each = "file\t" + display_label(binary.label) + "\t%s")
    ctx.actions.run(
        executable = graphtool,
        arguments = [args],
        inputs = inputs,
        outputs = [out],
        execution_requirements = {"no-sandbox": "1"},
        mnemonic = "DatabuildSources",
        progress_message = "Listing the sources of %{label}",
        toolchain = EXEC_TOOLCHAIN,
    )
    return out
