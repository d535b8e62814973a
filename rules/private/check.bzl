"""`databuild_check`: a program that looks at partitions before they are published."""

load("//rules:providers.bzl", "DatabuildCheckInfo", "DatabuildDatasetInfo")
load(":attributes.bzl", "fail_with", "split_attributes", "unfilled_problems")
load(":duration.bzl", "duration_or_problem")
load(":fingerprint.bzl", "EXEC_TOOLCHAIN")
load(":paths.bzl", "display_label")
load(":program.bzl", "hidden_env_problems", "program")
load(":sources.bzl", "sources_aspect")
load(":transitions.bzl", "fixed_transition")

def _check_impl(ctx):
    label = display_label(ctx.label)

    # A label with a Starlark transition comes as a list.
    binary = ctx.attr.binary[0]
    dataset = ctx.attr.dataset[DatabuildDatasetInfo]
    problems = ctx.attr.problems + hidden_env_problems("databuild_check", binary)
    problems += unfilled_problems("args", ctx.attr.check_args) + unfilled_problems("env", ctx.attr.env.values())
    if dataset.external:
        problems.append("dataset = \"%s\" is external: nothing is published there; check a dataset that is made from it" % dataset.label)
    timeout = duration_or_problem("timeout", ctx.attr.time_limit, problems)
    grace = duration_or_problem("grace", ctx.attr.grace, problems)
    fail_with(label, problems)

    graphtool = ctx.toolchains[EXEC_TOOLCHAIN].databuild_exec.graphtool
    run = program(ctx, graphtool, binary, ctx.attr.check_args, timeout, grace)
    return [
        DefaultInfo(files = depset([run.manifest])),
        DatabuildCheckInfo(
            code_manifest = run.manifest,
            dataset = dataset.name,
            label = label,
            runfiles = run.runfiles,
            spec = json.encode({
                "blocking": ctx.attr.blocking,
                "dataset": dataset.name,
                "label": label,
                "program": run.entry,
            }),
        ),
        OutputGroupInfo(code_manifest = depset([run.manifest])),
    ]

_databuild_check = rule(
    implementation = _check_impl,
    doc = "A check; use the macro `databuild_check`.",
    attrs = {
        "binary": attr.label(
            aspects = [sources_aspect],
            cfg = fixed_transition,
            doc = "What is run; built as the programs of jobs are.",
            executable = True,
            mandatory = True,
        ),
        "blocking": attr.bool(),
        "check_args": attr.string_list(),
        "dataset": attr.label(
            mandatory = True,
            providers = [DatabuildDatasetInfo],
        ),
        "env": attr.string_dict(),
        "env_inherit": attr.string_list(),
        "grace": attr.string(),
        "problems": attr.string_list(doc = "What the macro found wrong."),
        # Not `timeout`: Bazel takes an attribute of that name for a test's.
        "time_limit": attr.string(),
    },
    provides = [DatabuildCheckInfo],
    toolchains = [EXEC_TOOLCHAIN],
)

def databuild_check(
        name,
        dataset,
        binary,
        blocking = True,
        args = [],
        env = {},
        env_inherit = [],
        timeout = "5m",
        grace = "5s",
        **kwargs):
    """Declares a check: a program that looks at the partitions of a dataset that a job has just made.

    It runs after the job and before its outputs are published. It counts in no digest: another check makes
    nothing stale.

    Args:
        name: name of the target. The check runs only if a `databuild_graph` lists it in `checks`.
        dataset: label of the dataset.
        binary: an executable target. Its `args` are for `bazel run` of it only.
        blocking: a partition that does not pass is not published, and its run fails. With `False` the check only warns.
        args: arguments; `{dimension}` and `{path}`, where the partition's file is staged, are filled in.
        env: environment. Checks do not see the environment of the terminal.
        env_inherit: names of variables that are taken from the terminal's environment nevertheless.
        timeout: time limit, such as `"5m"`.
        grace: time between asking the check to end and killing it.
        **kwargs: attributes of all rules, such as `visibility` and `tags`.
    """
    common, problems = split_attributes("databuild_check", kwargs)
    if type(blocking) != "bool":
        problems.append("blocking = %r: write True or False" % (blocking,))
        blocking = True
    _databuild_check(
        name = name,
        binary = binary,
        blocking = blocking,
        check_args = args,
        dataset = dataset,
        env = env,
        env_inherit = env_inherit,
        grace = grace,
        problems = problems,
        time_limit = timeout,
        **common
    )
