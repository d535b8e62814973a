"""`databuild_graph`: jobs and their datasets, checked, and the program to build them with."""

load("//rules:providers.bzl", "DatabuildGraphInfo", "DatabuildJobInfo")
load(":attributes.bzl", "fail_with", "split_attributes")
load(":fingerprint.bzl", "tool_params")
load(":paths.bzl", "display_label")

_FORMAT = 1
_TOOLCHAIN = "//rules:toolchain_type"
_EXEC_TOOLCHAIN = "//rules:exec_toolchain_type"

def _spec(label, jobs, datasets):
    pools = depset(transitive = [job.pools for job in jobs]).to_list()
    pools = [{"label": pool.label, "slots": pool.slots} for pool in sorted(pools, key = lambda pool: pool.label)]

    # Without pools the graph file says nothing of them, as before there were any.
    return ({"pools": pools} if pools else {}) | {
        "datasets": [json.decode(dataset.spec) for dataset in sorted(datasets, key = lambda dataset: (dataset.name, dataset.label))],
        "format": _FORMAT,
        "jobs": [json.decode(job.spec) for job in sorted(jobs, key = lambda job: job.label)],
        "label": label,
    }

def _graph_impl(ctx):
    label = display_label(ctx.label)
    fail_with(label, ctx.attr.problems)
    program = ctx.toolchains[_TOOLCHAIN].databuild
    jobs = [target[DatabuildJobInfo] for target in ctx.attr.jobs]
    datasets = depset(transitive = [job.datasets for job in jobs]).to_list()
    observed = [dataset for dataset in datasets if dataset.observer]
    manifests = [job.code_manifest for job in jobs] + [dataset.observer.code_manifest for dataset in observed]

    # In a folder of its own: `databuild` may also be the name of a package here, as in this repository.
    stem = "%s_/%s" % (ctx.label.name, ctx.label.name)
    spec = ctx.actions.declare_file(stem + ".spec.json")
    ctx.actions.write(spec, json.encode_indent(_spec(label, jobs, datasets), indent = "  ") + "\n")

    graph = ctx.actions.declare_file(stem + ".graph.json")
    args = tool_params(ctx, "assemble", graph)
    args.add(spec, format = "--spec=%s")
    for job in jobs:
        args.add(job.code_manifest, format = "job\t%s\t%%s" % job.label.replace("%", "%%"))
    for dataset in observed:
        args.add(dataset.observer.code_manifest, format = "observer\t%s\t%%s" % dataset.name.replace("%", "%%"))
    ctx.actions.run(
        executable = ctx.toolchains[_EXEC_TOOLCHAIN].databuild_exec.graphtool,
        arguments = [args],
        inputs = [spec] + manifests,
        outputs = [graph],
        mnemonic = "DatabuildGraph",
        progress_message = "Checking job graph %{label}",
    )

    # The program finds the graph and the runfiles beside its own path, also without `bazel run`.
    executable = ctx.actions.declare_file(stem)
    ctx.actions.symlink(output = executable, target_file = program.executable, is_executable = True)
    runfiles = ctx.runfiles(files = [graph, program.executable]).merge_all(
        [program.default_info.default_runfiles] + [job.runfiles for job in jobs] +
        [dataset.observer.runfiles for dataset in observed],
    )
    return [
        DefaultInfo(executable = executable, files = depset([executable, graph]), runfiles = runfiles),
        OutputGroupInfo(
            code_manifests = depset(manifests),
            graph = depset([graph]),
            source_manifests = depset([job.source_manifest for job in jobs]),
        ),
        DatabuildGraphInfo(graph = graph, jobs = depset([job.label for job in jobs])),
    ]

_databuild_graph = rule(
    implementation = _graph_impl,
    doc = "A job graph; use the macro `databuild_graph`.",
    attrs = {
        "jobs": attr.label_list(
            allow_empty = False,
            mandatory = True,
            providers = [DatabuildJobInfo],
        ),
        "problems": attr.string_list(doc = "What the macro found wrong."),
    },
    executable = True,
    provides = [DatabuildGraphInfo],
    toolchains = [_TOOLCHAIN, _EXEC_TOOLCHAIN],
)

def databuild_graph(name, jobs, **kwargs):
    """Declares a job graph: `bazel build` of it checks it, `bazel run` of it is the `databuild` command.

    Args:
        name: name of the target, by custom `databuild` in the root package.
        jobs: labels of all jobs. Their datasets come with them; whatever a job reads must be made by
            another job of the list or be external.
        **kwargs: attributes of all rules, such as `visibility` and `tags`.
    """
    common, problems = split_attributes("databuild_graph", kwargs)
    _databuild_graph(
        name = name,
        jobs = jobs,
        problems = problems,
        **common
    )
