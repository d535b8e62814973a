"""`databuild_job`: a program that makes partitions of datasets from partitions of others."""

load("//rules:providers.bzl", "DatabuildDatasetInfo", "DatabuildJobInfo", "DatabuildPoolInfo")
load(":attributes.bzl", "fail_with", "split_attributes", "unfilled_problems")
load(":dep.bzl", "is_dep")
load(":duration.bzl", "duration_or_problem")
load(":fingerprint.bzl", "EXEC_TOOLCHAIN")
load(":inputs.bzl", "input_entry")
load(":limits.bzl", "pool_weights")
load(":paths.bzl", "display_label", "runfiles_path")
load(":policy.bzl", "BYTES", "COUNT", "RATE", "duration", "number", "policy_attributes", "policy_entry", "policy_values", "word")
load(":program.bzl", "hidden_env_problems", "program")
load(":sources.bzl", "source_manifest", "sources_aspect")
load(":transitions.bzl", "fixed_transition")

# As in the core's check: the request of a run names each of its partitions.
_MAX_BATCH = 10000

# How runs are treated. In the core these are the fields of `JobPolicy`.
_POLICY = {
    "backoff": duration(optional = False),
    "backoff_max": duration(optional = False),
    "cpus": COUNT,
    "log_limit": BYTES,
    "max_running": COUNT,
    "memory": BYTES,
    "on_code_change": word("stale", "keep"),
    "rate": RATE,
    "retries": number(0, optional = False),
}

def _said(fields):
    return {name: value for name, value in fields.items() if value}

def _job_impl(ctx):
    label = display_label(ctx.label)
    problems = list(ctx.attr.problems)

    # A label with a Starlark transition comes as a list.
    binary = ctx.attr.binary[0]
    executable = binary[DefaultInfo].files_to_run.executable
    outputs = [target[DatabuildDatasetInfo] for target in ctx.attr.outputs]
    inputs = [target[DatabuildDatasetInfo] for target in ctx.attr.input_datasets]

    output_dims = [dim["name"] for dim in json.decode(outputs[0].dims)] if outputs else []
    specs = json.decode(ctx.attr.inputs)
    entries = [
        input_entry(name, specs[name], inputs[specs[name]["dataset"]], output_dims, problems)
        for name in sorted(specs)
    ]
    problems += hidden_env_problems("databuild_job", binary)
    problems += unfilled_problems("args", ctx.attr.job_args) + unfilled_problems("env", ctx.attr.env.values())
    if not outputs:
        problems.append("outputs is empty; name at least one dataset, such as outputs = [\":clean\"]")
    policy = policy_entry(_POLICY, ctx.attr, problems)
    grace = duration_or_problem("grace", ctx.attr.grace, problems)
    timeout = duration_or_problem("timeout", ctx.attr.time_limit, problems) if ctx.attr.time_limit else None
    batch = json.decode(ctx.attr.batch)
    if batch:
        if batch["dim"] not in output_dims:
            problems.append("batch = {\"%s\": %d}: the outputs have no dimension `%s`; they have %s" % (
                batch["dim"],
                batch["max"],
                batch["dim"],
                ", ".join(["`%s`" % dim for dim in output_dims]) or "none",
            ))
        if batch["max"] < 2 or batch["max"] > _MAX_BATCH:
            problems.append("batch = {\"%s\": %d}: write a number from 2 to %d, or leave batch out" % (batch["dim"], batch["max"], _MAX_BATCH))
    weights, pools = pool_weights(ctx.attr.pools, problems)
    backoffs = [policy["backoff_ms"], policy["backoff_max_ms"]]
    if None not in backoffs and backoffs[0] > backoffs[1]:
        problems.append("backoff = \"%s\" is longer than backoff_max = \"%s\"; make backoff_max at least as long" % (ctx.attr.backoff, ctx.attr.backoff_max))
    fail_with(label, problems)

    graphtool = ctx.toolchains[EXEC_TOOLCHAIN].databuild_exec.graphtool
    run = program(ctx, graphtool, binary, ctx.attr.job_args, timeout, grace)
    sources = source_manifest(ctx, graphtool, binary)
    runfiles = run.runfiles.merge(ctx.runfiles(files = [sources]))
    return [
        DefaultInfo(files = depset([run.manifest, sources]), runfiles = runfiles),
        DatabuildJobInfo(
            code_manifest = run.manifest,
            datasets = depset(inputs + outputs),
            executable = executable,
            label = label,
            pools = depset(pools),
            runfiles = runfiles,
            source_manifest = sources,
            # What is not declared is not in the graph file, as before there was such a thing.
            spec = json.encode(policy | _said({
                "adds_keys": ctx.attr.adds_keys,
                "batch": batch,
                "params": ctx.attr.params,
                "pools": weights,
            }) | {
                "inputs": entries,
                "label": label,
                "outputs": [dataset.name for dataset in outputs],
                "program": run.entry,
                "sources": runfiles_path(sources),
            }),
        ),
        OutputGroupInfo(code_manifest = depset([run.manifest]), source_manifest = depset([sources])),
    ]

_databuild_job = rule(
    implementation = _job_impl,
    doc = "A job; use the macro `databuild_job`.",
    attrs = policy_attributes(_POLICY) | {
        "adds_keys": attr.string_list(doc = "Names of dynamic key spaces."),
        "batch": attr.string(default = "null", doc = "JSON object with `dim` and `max`, or null."),
        "binary": attr.label(
            aspects = [sources_aspect],
            cfg = fixed_transition,
            doc = "What is run; built optimized and unstamped whatever the command line says.",
            executable = True,
            mandatory = True,
        ),
        "env": attr.string_dict(),
        "env_inherit": attr.string_list(),
        "grace": attr.string(),
        "input_datasets": attr.label_list(
            doc = "The datasets that `inputs` refers to by index.",
            providers = [DatabuildDatasetInfo],
        ),
        "inputs": attr.string(mandatory = True, doc = "JSON object of inputs by name."),
        "job_args": attr.string_list(),
        "outputs": attr.label_list(providers = [DatabuildDatasetInfo]),
        "params": attr.string_dict(doc = "Parameters with their defaults."),
        "pools": attr.label_keyed_string_dict(
            doc = "How much of each pool a run takes.",
            providers = [DatabuildPoolInfo],
        ),
        "problems": attr.string_list(doc = "What the macro found wrong."),
        # Not `timeout`: Bazel takes an attribute of that name for a test's.
        "time_limit": attr.string(),
    },
    provides = [DatabuildJobInfo],
    toolchains = [EXEC_TOOLCHAIN],
)

def databuild_job(
        name,
        binary,
        outputs,
        inputs = {},
        args = [],
        env = {},
        env_inherit = [],
        retries = 0,
        backoff = "1s",
        backoff_max = "1m",
        timeout = None,
        grace = "5s",
        on_code_change = "stale",
        batch = None,
        adds_keys = [],
        params = {},
        pools = {},
        cpus = None,
        memory = None,
        max_running = None,
        rate = None,
        log_limit = None,
        **kwargs):
    """Declares a job.

    Args:
        name: name of the target.
        binary: an executable target. Its code, with everything in its runfiles, is fingerprinted: when it
            changes, what the job made becomes stale. Data that is read as data belongs in `inputs`. The
            `args` of the target itself are for `bazel run` of it only.
        outputs: labels of the datasets it makes; all have the same dimensions, and one run makes one
            partition of each, unless `batch` says otherwise.
        inputs: dictionary from the job's own name of an input to `dep(...)`.
        args: arguments; `{dimension}`, `{path}`, `{path:DATASET}`, `{input:NAME}` and `{param:NAME}` are filled in for
            each run.
        env: environment. Jobs do not see the environment of the terminal.
        env_inherit: names of variables that are taken from the terminal's environment nevertheless.
        retries: further attempts after a failed one.
        backoff: wait before the first of them, such as `"1s"`; doubles from there.
        backoff_max: longest wait.
        timeout: time limit of an attempt, such as `"20m"`; by default there is none.
        grace: time between asking the job to end and killing it.
        on_code_change: `"stale"`, or `"keep"` to leave partitions made by older code as good as they were.
        batch: lets one run make several partitions that differ in one dimension: a dictionary of that
            dimension and the largest number, such as `{"date": 30}`. By default a run makes one.
        adds_keys: names of dynamic key spaces (`keys.dynamic("customers")`) that its runs may add keys to.
        params: parameters that `databuild invoke` may give other values: a dictionary from names to defaults, such
            as `{"full_refresh": "false"}`. The values are part of the arguments: a changed default makes stale.
        pools: what each run takes of pools: a dictionary from the label of a `databuild_pool` to a number,
            such as `{":db": 1}`. A run begins when all of it is free.
        cpus: how many of the places that `--jobs` gives a run takes; 1 by default, and never more than there
            are.
        memory: how much memory a run may take, such as `"512m"` or `"2g"`; runs that say so go side by side as
            far as the machine has it, and one that takes more is killed where control groups can be made. By
            default it is neither counted nor limited.
        max_running: most runs of the job at once; by default there is no limit.
        rate: how many attempts may start in some time, such as `"10/1m"`; by default there is no limit.
        log_limit: how much is kept of what an attempt writes to stdout, and as much of stderr, such as `"256m"`; of more
            than that its beginning and its end. By default 64 MiB.
        **kwargs: attributes of all rules, such as `visibility` and `tags`.
    """
    common, problems = split_attributes("databuild_job", kwargs)
    if type(params) != "dict" or [value for value in params.values() if type(value) != "string"]:
        problems.append("params = %r: write a dictionary of names and texts, such as params = {\"full_refresh\": \"false\"}" % (params,))
        params = {}
    weights = {}
    if type(pools) != "dict" or [weight for weight in pools.values() if type(weight) != "int"]:
        problems.append("pools = %r: write a dictionary of pools and numbers, such as pools = {\":db\": 1}" % (pools,))
    else:
        weights = {pool: str(weight) for pool, weight in pools.items()}
    if type(inputs) != "dict":
        problems.append("inputs = %r: write a dictionary, such as inputs = {\"raw\": dep(\":raw\")}" % (inputs,))
        inputs = {}
    batch_entry = None
    if batch != None:
        if type(batch) != "dict" or len(batch) != 1 or [size for size in batch.values() if type(size) != "int"]:
            problems.append("batch = %r: write a dictionary of one dimension and a number, such as batch = {\"date\": 30}" % (batch,))
        else:
            batch_entry = [{"dim": dim, "max": size} for dim, size in batch.items()][0]
    datasets = {}
    entries = {}
    for input_name, value in inputs.items():
        at = "inputs[\"%s\"]" % input_name
        if not is_dep(value):
            problems.append("%s = %r: write dep(%s)" % (at, value, repr(value) if type(value) == "string" else "\":dataset\""))
            continue
        problems += ["%s: %s" % (at, problem) for problem in value.problems]
        if value.problems:
            continue

        # One label is in the list once, however many inputs read the dataset.
        dataset = native.package_relative_label(value.dataset)
        datasets.setdefault(dataset, len(datasets))
        entries[input_name] = {
            "after_end": value.after_end,
            "before_start": value.before_start,
            "dataset": datasets[dataset],
            "dims": value.dims,
        }
    policy = policy_values(_POLICY, dict(
        backoff = backoff,
        backoff_max = backoff_max,
        cpus = cpus,
        log_limit = log_limit,
        max_running = max_running,
        memory = memory,
        on_code_change = on_code_change,
        rate = rate,
        retries = retries,
    ), problems)
    _databuild_job(
        name = name,
        adds_keys = adds_keys,
        batch = json.encode(batch_entry),
        binary = binary,
        env = env,
        env_inherit = env_inherit,
        grace = grace,
        input_datasets = datasets.keys(),
        inputs = json.encode(entries),
        job_args = args,
        outputs = outputs,
        params = params,
        pools = weights,
        problems = problems,
        time_limit = timeout or "",
        **(policy | common)
    )
