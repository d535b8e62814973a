"""`databuild_graph`: jobs, their datasets, checks of them and schedules, checked, and the program to build them with."""

load("//rules:providers.bzl", "DatabuildCheckInfo", "DatabuildGraphInfo", "DatabuildJobInfo", "DatabuildScheduleInfo")
load(":attributes.bzl", "fail_with", "split_attributes")
load(":duration.bzl", "parse_duration")
load(":fingerprint.bzl", "EXEC_TOOLCHAIN", "tool_params")
load(":moved.bzl", "moved_entries")
load(":paths.bzl", "display_label")

_FORMAT = 2
_TOOLCHAIN = "//rules:toolchain_type"

# As in the core's check.
_SHORTEST_KEPT = 3600000

def _keep_events(text, problems):
    """Milliseconds, or None for all time."""
    if not text:
        return None
    milliseconds = parse_duration(text)
    if milliseconds == None or milliseconds < _SHORTEST_KEPT:
        problems.append("keep_events = \"%s\": write a length of time of at least an hour, such as \"90d\", or leave it out" % text)
    return milliseconds

def _spec(label, jobs, datasets, checks, schedules, moved, keep_events):
    pools = depset(transitive = [job.pools for job in jobs]).to_list()
    pools = [{"label": pool.label, "slots": pool.slots} for pool in sorted(pools, key = lambda pool: pool.label)]

    checks = [json.decode(check.spec) for check in sorted(checks, key = lambda check: check.label)]

    schedules = [json.decode(schedule.spec) for schedule in sorted(schedules, key = lambda schedule: schedule.label)]

    # Of what is not used the graph file says nothing, as before there was any.
    optional = {"keep_events_ms": keep_events} if keep_events else {}
    return optional | ({"pools": pools} if pools else {}) | ({"checks": checks} if checks else {}) | ({"schedules": schedules} if schedules else {}) | ({"moved": moved} if moved else {}) | {
        "datasets": [json.decode(dataset.spec) for dataset in sorted(datasets, key = lambda dataset: (dataset.name, dataset.label))],
        "format": _FORMAT,
        "jobs": [json.decode(job.spec) for job in sorted(jobs, key = lambda job: job.label)],
        "label": label,
    }

def _graph_impl(ctx):
    label = display_label(ctx.label)
    problems = list(ctx.attr.problems)
    keep_events = _keep_events(ctx.attr.keep_events, problems)
    fail_with(label, problems)
    program = ctx.toolchains[_TOOLCHAIN].databuild
    jobs = [target[DatabuildJobInfo] for target in ctx.attr.jobs]
    checks = [target[DatabuildCheckInfo] for target in ctx.attr.checks]
    schedules = [target[DatabuildScheduleInfo] for target in ctx.attr.schedules]
    datasets = depset(transitive = [job.datasets for job in jobs]).to_list()
    programs = [("job", job.label, job) for job in jobs] + [("check", check.label, check) for check in checks] + [
        ("observer", dataset.name, dataset.observer)
        for dataset in datasets
        if dataset.observer
    ]

    # In a folder of its own: `databuild` may also be the name of a package here, as in this repository.
    stem = "%s_/%s" % (ctx.label.name, ctx.label.name)
    spec = ctx.actions.declare_file(stem + ".spec.json")
    ctx.actions.write(spec, json.encode_indent(_spec(label, jobs, datasets, checks, schedules, json.decode(ctx.attr.moved), keep_events), indent = "  ") + "\n")

    graph = ctx.actions.declare_file(stem + ".graph.json")
    args = tool_params(ctx, "assemble", graph)
    args.add(spec, format = "--spec=%s")
    for kind, name, info in programs:
        args.add(info.code_manifest, format = "%s\t%s\t%%s" % (kind, name.replace("%", "%%")))
    ctx.actions.run(
        executable = ctx.toolchains[EXEC_TOOLCHAIN].databuild_exec.graphtool,
        arguments = [args],
        inputs = [spec] + [info.code_manifest for _, _, info in programs],
        outputs = [graph],
        mnemonic = "DatabuildGraph",
        progress_message = "Checking job graph %{label}",
        toolchain = EXEC_TOOLCHAIN,
    )

    # The program finds the graph and the runfiles beside its own path, also without `bazel run`.
    executable = ctx.actions.declare_file(stem)
    ctx.actions.symlink(output = executable, target_file = program.executable, is_executable = True)
    runfiles = ctx.runfiles(files = [graph, program.executable]).merge_all(
        [program.default_info.default_runfiles] + [info.runfiles for _, _, info in programs],
    )
    return [
        DefaultInfo(executable = executable, files = depset([executable, graph]), runfiles = runfiles),
        OutputGroupInfo(
            code_manifests = depset([info.code_manifest for _, _, info in programs]),
            graph = depset([graph]),
            source_manifests = depset([job.source_manifest for job in jobs]),
        ),
        DatabuildGraphInfo(
            checks = depset([check.label for check in checks]),
            graph = graph,
            jobs = depset([job.label for job in jobs]),
        ),
    ]

_databuild_graph = rule(
    implementation = _graph_impl,
    doc = "A job graph; use the macro `databuild_graph`.",
    attrs = {
        "checks": attr.label_list(providers = [DatabuildCheckInfo]),
        "jobs": attr.label_list(
            allow_empty = False,
            mandatory = True,
            providers = [DatabuildJobInfo],
        ),
        "keep_events": attr.string(doc = "How long events stay in the log; empty for ever."),
        "moved": attr.string(default = "[]", doc = "Renames, in JSON."),
        "problems": attr.string_list(doc = "What the macro found wrong."),
        "schedules": attr.label_list(providers = [DatabuildScheduleInfo]),
    },
    executable = True,
    provides = [DatabuildGraphInfo],
    toolchains = [_TOOLCHAIN, EXEC_TOOLCHAIN],
)

def databuild_graph(name, jobs, checks = [], schedules = [], moved = [], keep_events = None, **kwargs):
    """Declares a job graph: `bazel build` of it checks it, `bazel run` of it is the `databuild` command.

    Args:
        name: name of the target, by custom `databuild` in the root package.
        jobs: labels of all jobs. Their datasets come with them; whatever a job reads must be made by
            another job of the list or be external.
        checks: labels of checks of what the jobs make.
        schedules: labels of schedules by which the server wants partitions by itself.
        moved: what had another name before, each a `moved.dataset(...)`, `moved.dimension(...)` or
            `moved.job(...)`: what is known of it stays, and nothing is stale for its new name.
        keep_events: how long events stay in the event log, such as `"90d"`, at least an hour. The server moves older ones to
            archive files. If absent, all stay.
        **kwargs: attributes of all rules, such as `visibility` and `tags`.
    """
    common, problems = split_attributes("databuild_graph", kwargs)
    renames, bad_renames = moved_entries(moved, native.package_relative_label)
    _databuild_graph(
        name = name,
        checks = checks,
        jobs = jobs,
        keep_events = keep_events,
        moved = json.encode(renames),
        problems = problems + bad_renames,
        schedules = schedules,
        **common
    )
