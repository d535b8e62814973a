"""`databuild_schedule`: partitions that are wanted by themselves, at certain times."""

load("//rules:providers.bzl", "DatabuildDatasetInfo", "DatabuildScheduleInfo")
load(":attributes.bzl", "fail_with", "split_attributes")
load(":duration.bzl", "duration_or_problem")
load(":paths.bzl", "display_label")

_CLASSES = ["interactive", "backfill"]
_MISSED = ["all", "last", "none"]

# As in the core's check.
_SHORTEST_EVERY = 1000

def _schedule_impl(ctx):
    label = display_label(ctx.label)
    problems = list(ctx.attr.problems)
    entry = {"label": label}

    if bool(ctx.attr.cron) == bool(ctx.attr.every):
        problems.append("write either `cron`, such as \"0 6 * * *\", or `every`, such as \"15m\"")
    if ctx.attr.cron:
        entry["cron"] = ctx.attr.cron
        entry["time_zone"] = ctx.attr.time_zone
    elif ctx.attr.time_zone != "UTC":
        problems.append("time_zone is for `cron`: `every` counts from 1970-01-01T00:00:00Z on")
    if ctx.attr.every:
        every = duration_or_problem("every", ctx.attr.every, problems)
        if every and (every < _SHORTEST_EVERY or every % 1000):
            problems.append("every = \"%s\": write whole seconds, at least \"1s\"" % ctx.attr.every)
        entry["every_ms"] = every

    if not ctx.attr.targets:
        problems.append("targets: name at least one dataset, such as targets = {\":report\": \"date=latest\"}")
    targets = []
    for dataset, selected in ctx.attr.targets.items():
        name = dataset[DatabuildDatasetInfo].name
        targets.append(name + "/" + selected if selected else name)
    entry["targets"] = sorted(targets)

    if ctx.attr.want_class not in _CLASSES:
        problems.append("want_class = \"%s\": write one of %s" % (ctx.attr.want_class, ", ".join(_CLASSES)))
    if ctx.attr.missed not in _MISSED:
        problems.append("missed = \"%s\": write one of %s" % (ctx.attr.missed, ", ".join(_MISSED)))
    entry["class"] = ctx.attr.want_class
    entry["missed"] = ctx.attr.missed
    if ctx.attr.missed_within:
        entry["missed_within_ms"] = duration_or_problem("missed_within", ctx.attr.missed_within, problems)
    if ctx.attr.jitter:
        jitter = duration_or_problem("jitter", ctx.attr.jitter, problems)

        # Zero is as if it were left out.
        if jitter:
            entry["jitter_ms"] = jitter
    if ctx.attr.until:
        entry["until"] = ctx.attr.until
    if ctx.attr.times < 0:
        problems.append("times = %d: write a number of at least 1, or leave it out" % ctx.attr.times)
    elif ctx.attr.times:
        entry["times"] = ctx.attr.times
    fail_with(label, problems)
    return [DefaultInfo(), DatabuildScheduleInfo(label = label, spec = json.encode(entry))]

_databuild_schedule = rule(
    implementation = _schedule_impl,
    doc = "A schedule; use the macro `databuild_schedule`.",
    attrs = {
        "cron": attr.string(),
        "every": attr.string(),
        "jitter": attr.string(),
        "missed": attr.string(),
        "missed_within": attr.string(),
        "problems": attr.string_list(doc = "What the macro found wrong."),
        "targets": attr.label_keyed_string_dict(providers = [DatabuildDatasetInfo]),
        "time_zone": attr.string(),
        "times": attr.int(),
        "until": attr.string(),
        "want_class": attr.string(),
    },
    provides = [DatabuildScheduleInfo],
)

def databuild_schedule(
        name,
        targets,
        cron = None,
        every = None,
        time_zone = "UTC",
        want_class = "interactive",
        missed = "all",
        missed_within = "1d",
        jitter = None,
        until = None,
        times = None,
        **kwargs):
    """Declares a schedule: at each of its ticks, the server wants partitions as if somebody asked for them.

    It fires while a `databuild_graph` lists it in `schedules`, beginning with the first tick after that graph was deployed.

    Args:
        name: name of the target.
        targets: what is wanted: labels of datasets with the partitions of each, written as in a reference, such as
            `{":report": "date=latest"}`; an empty text for all partitions. They are read as of the tick.
        cron: when, as in `"0 6 * * *"`: minute, hour, day of the month, month, day of the week; or seven fields, with seconds
            before and years after them.
        every: or how often, such as `"15m"`, counted from 1970-01-01T00:00:00Z on.
        time_zone: IANA name of the zone whose clock `cron` means.
        want_class: class of the wants: `"interactive"` or `"backfill"`.
        missed: what becomes of ticks at which no server was there: `"all"` are made up for, only the `"last"` one, or `"none"`.
        missed_within: ticks that were missed longer ago are never made up for.
        jitter: each tick is put off by some time up to this, always the same for one tick, so that not all begin at once.
        until: no tick is later than this instant, such as `"2027-01-01T00:00:00Z"`.
        times: it ends after so many ticks were fired.
        **kwargs: attributes of all rules, such as `visibility` and `tags`.
    """
    common, problems = split_attributes("databuild_schedule", kwargs)
    if times != None and (type(times) != "int" or times < 1):
        problems.append("times = %r: write a number of at least 1, or leave it out" % (times,))
        times = None
    _databuild_schedule(
        name = name,
        cron = cron,
        every = every,
        jitter = jitter,
        missed = missed,
        missed_within = missed_within,
        problems = problems,
        targets = targets,
        time_zone = time_zone,
        times = times or 0,
        until = until,
        want_class = want_class,
        **common
    )
