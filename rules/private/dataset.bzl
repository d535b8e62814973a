"""`databuild_dataset`: a named, partitioned collection of data."""

load("//rules:providers.bzl", "DatabuildDatasetInfo")
load(":attributes.bzl", "fail_with", "split_attributes")
load(":fingerprint.bzl", "EXEC_TOOLCHAIN")
load(":key_spaces.bzl", "is_key_space")
load(":observe.bzl", "is_observation")
load(":paths.bzl", "dataset_name", "display_label")
load(":policy.bzl", "COUNT", "LINE", "policy_attributes", "policy_entry", "policy_values")
load(":program.bzl", "program")
load(":transitions.bzl", "fixed_transition")

# Names of dimensions are keyword arguments of `dep` and holes in arguments of jobs, where these mean something else or
# cannot be written.
_RESERVED = [
    "after_end",
    "before_start",
    "dataset",
    "input",
    "param",
    "path",
] + [
    "and",
    "as",
    "assert",
    "async",
    "await",
    "break",
    "class",
    "continue",
    "def",
    "del",
    "elif",
    "else",
    "except",
    "finally",
    "for",
    "from",
    "global",
    "if",
    "import",
    "in",
    "is",
    "lambda",
    "load",
    "nonlocal",
    "not",
    "or",
    "pass",
    "raise",
    "return",
    "try",
    "while",
    "with",
    "yield",
]

# How runs that make a dataset are treated, and who answers for it. In the core these are the fields of `DatasetPolicy`.
_POLICY = {
    "max_running": COUNT,
    "owner": LINE,
}

def _is_identifier(text):
    if not text or not (text[0].islower() and text[0].isalpha()):
        return False
    return not [c for c in text.elems() if not (c.isalnum() and c == c.lower() or c == "_")]

def _observer(ctx, observe):
    """The graph file's entry of a program that observes, and what the graph needs of it."""

    # A label with a Starlark transition comes as a list.
    binary = ctx.attr.probe[0]
    graphtool = ctx.toolchains[EXEC_TOOLCHAIN].databuild_exec.graphtool
    run = program(ctx, graphtool, binary, observe["args"], observe["timeout_ms"])
    entry = {
        "every_ms": observe["every_ms"],
        "kind": observe["kind"],
        "label": display_label(binary.label),
        "program": run.entry,
    }
    return entry, struct(code_manifest = run.manifest, runfiles = run.runfiles)

def _dataset_impl(ctx):
    label = display_label(ctx.label)
    problems = list(ctx.attr.problems)
    dims = json.decode(ctx.attr.dims)
    for dim in dims:
        if not _is_identifier(dim["name"]):
            problems.append("dims: `%s` is no name of a dimension; use a-z, 0-9 and _, beginning with a letter" % dim["name"])
        elif dim["name"] in _RESERVED:
            problems.append("dims: `%s` cannot be the name of a dimension, since `dep(...)` or arguments of jobs could not name it; choose another, such as `%s_key`" % (dim["name"], dim["name"]))
    observe = json.decode(ctx.attr.observe)
    if ctx.attr.external and not ctx.attr.path and not observe and not ctx.attr.problems:
        problems.append("an external dataset needs `path`, whose files' content is its data version, or `observe = observe.glob(...)`, `observe.http(...)` or `observe.program(...)`")
    if observe and not ctx.attr.external:
        problems.append("observe: only external data is observed; write external = True, or leave observe out")
    if observe and observe["kind"] == "glob" and ctx.attr.path:
        problems.append("path = \"%s\": the files of a partition are what observe.glob(...) matches; leave path out" % ctx.attr.path)
    policy = policy_entry(_POLICY, ctx.attr, problems)
    if ctx.attr.external and "max_running" in policy:
        problems.append("max_running: an external dataset has no runs that make it; leave it out")
    fail_with(label, problems)
    name = dataset_name(ctx.label)
    observer = None
    if ctx.attr.probe:
        observe, observer = _observer(ctx, observe)
    return [
        DefaultInfo(),
        DatabuildDatasetInfo(
            dims = json.encode(dims),
            external = ctx.attr.external,
            label = label,
            name = name,
            observer = observer,
            # What is not said does not stand in the graph file.
            spec = json.encode(policy | ({"observe": observe} if observe else {}) | {
                "dims": dims,
                "external": ctx.attr.external,
                "label": label,
                "name": name,
                "path": ctx.attr.path or None,
            }),
        ),
    ]

_databuild_dataset = rule(
    implementation = _dataset_impl,
    doc = "A dataset; use the macro `databuild_dataset`.",
    attrs = policy_attributes(_POLICY) | {
        "dims": attr.string(mandatory = True, doc = "JSON list of dimensions in their declared order."),
        "external": attr.bool(doc = "Observed, not built."),
        "env": attr.string_dict(doc = "Of the probe."),
        "env_inherit": attr.string_list(doc = "Of the probe."),
        "observe": attr.string(default = "null", doc = "JSON of how it is observed, without what is known of the probe; or null."),
        "path": attr.string(doc = "Path template of a partition."),
        "probe": attr.label(
            cfg = fixed_transition,
            doc = "The program that observes it; built as jobs are.",
            executable = True,
        ),
        "problems": attr.string_list(doc = "What the macro found wrong."),
    },
    provides = [DatabuildDatasetInfo],
    toolchains = [EXEC_TOOLCHAIN],
)

def databuild_dataset(name, dims = {}, path = None, external = False, observe = None, max_running = None, owner = None, **kwargs):
    """Declares a dataset.

    Its name in partition references is the package and the name: `//sales:orders` is `sales/orders`.

    Args:
        name: name of the target.
        dims: dictionary from the name of a dimension to its key space (`keys.daily(...)`, `keys.static(...)`),
            in the order in which partitions are to be written. Without dimensions there is one partition.
        path: where the file or directory of a partition is, with `{dimension}` for each dimension; relative
            to the workspace, or absolute. Left out if partitions are not files.
        external: the data comes from elsewhere: DataBuild observes it, and no job makes it.
        observe: how its data versions are found out: `observe.glob(...)`, `observe.http(...)` or
            `observe.program(...)`. By default they are the content of the files at `path`.
        max_running: most runs that make it at once; by default there is no limit.
        owner: who answers for it, such as a team or an address. People see it; nothing follows from it.
        **kwargs: attributes of all rules, such as `visibility` (who may read the dataset) and `tags`.
    """
    common, problems = split_attributes("databuild_dataset", kwargs)
    entries = []
    if type(dims) != "dict":
        problems.append("dims = %r: write a dictionary, such as dims = {\"date\": keys.daily(start = \"2010-01-01\")}" % (dims,))
        dims = {}
    for dim, space in dims.items():
        if not is_key_space(space):
            problems.append("dims: `%s` is %r; write a key space, such as keys.daily(start = \"2010-01-01\") or keys.static([...])" % (dim, space))
        elif space.problem:
            problems.append("dims: `%s`: %s" % (dim, space.problem))
        else:
            entries.append({"keys": space.spec, "name": dim})
    entry = None
    if observe != None and not is_observation(observe):
        problems.append("observe = %r: write observe.glob(...), observe.http(...) or observe.program(...)" % (observe,))
    elif observe:
        problems += observe.problems
        if not observe.problems:
            entry = dict(observe.fields, kind = observe.kind)
    policy = policy_values(_POLICY, dict(max_running = max_running, owner = owner), problems)
    _databuild_dataset(
        name = name,
        dims = json.encode(entries),
        env = observe.env if entry else {},
        env_inherit = observe.env_inherit if entry else [],
        external = external,
        observe = json.encode(entry),
        path = path or "",
        probe = observe.probe if entry else None,
        problems = problems,
        **(policy | common)
    )
