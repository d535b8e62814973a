"""Tests of the rules' plain functions."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")
load("//rules:defs.bzl", "dep", "keys", "moved")
load("//rules/private:attributes.bzl", "split_attributes")
load("//rules/private:duration.bzl", "parse_duration")
load("//rules/private:limits.bzl", "parse_bytes", "parse_rate")
load("//rules/private:mappings.bzl", "unit_problem")
load("//rules/private:moved.bzl", "moved_entries")
load("//rules/private:paths.bzl", "dataset_name", "display_label", "runfiles_path")
load("//rules/private:policy.bzl", "BYTES", "COUNT", "RATE", "duration", "number", "policy_entry", "policy_values", "word")
load("//rules/private:prebuilt.bzl", "prebuilt_programs")

def _durations_impl(ctx):
    env = unittest.begin(ctx)
    for text, expected in {
        "0s": 0,
        "1d": 86400000,
        "1h30m": 5400000,
        "1m500ms": 60500,
        "20m": 1200000,
        "250ms": 250,
        "90s": 90000,
    }.items():
        asserts.equals(env, expected, parse_duration(text), text)
    for text in ["", "5", "s", "5 s", "-1s", "1.5s", "5x", "1h30", "5S", "1hm"]:
        asserts.equals(env, None, parse_duration(text), text)
    return unittest.end(env)

durations_test = unittest.make(_durations_impl)

def _paths_impl(ctx):
    env = unittest.begin(ctx)
    asserts.equals(env, "_main/a/b", runfiles_path(struct(short_path = "a/b")))
    asserts.equals(env, "lib+/a/b", runfiles_path(struct(short_path = "../lib+/a/b")))
    asserts.equals(env, "//x:y", display_label("@@//x:y"))
    asserts.equals(env, "//x:y", display_label("@//x:y"))
    asserts.equals(env, "@@lib+//x:y", display_label("@@lib+//x:y"))
    asserts.equals(env, "sales/orders", dataset_name(struct(name = "orders", package = "sales")))
    asserts.equals(env, "orders", dataset_name(struct(name = "orders", package = "")))
    return unittest.end(env)

paths_test = unittest.make(_paths_impl)

def _moved_impl(ctx):
    env = unittest.begin(ctx)

    # As in the package `shop`.
    def label_of(text):
        return Label("//shop" + text if text.startswith(":") else text)

    entries, problems = moved_entries(
        [
            moved.dataset("sales/orders", to = ":orders_v2"),
            moved.dataset("//old:raw", to = "//new:raw"),
            moved.dimension(":orders_v2", "day", to = "date"),
            moved.job("//sales:ingest", to = ":ingest_orders"),
        ],
        label_of,
    )
    asserts.equals(env, [], problems)
    asserts.equals(env, [
        {"from": "sales/orders", "kind": "dataset", "to": "shop/orders_v2"},
        {"from": "old/raw", "kind": "dataset", "to": "new/raw"},
        {"dataset": "shop/orders_v2", "from": "day", "kind": "dimension", "to": "date"},
        {"from": "//sales:ingest", "kind": "job", "to": "//shop:ingest_orders"},
    ], entries)
    for wrong, message in [
        ("x", "moved = \"x\": write a list"),
        (["a"], "moved: \"a\" is no rename; write moved.dataset(...)"),
        ([moved.dataset("a", to = None)], "moved.dataset(\"a\", to = None): write names, such as "),
        ([moved.dimension(":a", "", to = "b")], "moved.dimension(\":a\", \"\", to = \"b\"): write names"),
        ([moved.job(3, to = ":b")], "moved.job(3, to = \":b\"): write names"),
    ]:
        entries, problems = moved_entries(wrong, label_of)
        asserts.equals(env, ([], 1), (entries, len(problems)))
        asserts.true(env, problems[0].startswith(message), problems[0])
    return unittest.end(env)

moved_test = unittest.make(_moved_impl)

def _key_spaces_impl(ctx):
    env = unittest.begin(ctx)
    asserts.equals(
        env,
        {"end": None, "granularity": "day", "kind": "time", "start": "2010-01-01", "timezone": "UTC"},
        keys.daily("2010-01-01").spec,
    )
    made = [keys.hourly("x"), keys.daily("x"), keys.weekly("x"), keys.monthly("x"), keys.yearly("x")]
    asserts.equals(env, ["hour", "day", "week", "month", "year"], [space.spec["granularity"] for space in made])
    asserts.equals(env, [None] * 5, [space.problem for space in made])
    asserts.equals(env, {"keys": ["b", "a"], "kind": "static"}, keys.static(["b", "a"]).spec)
    asserts.true(env, keys.daily(2010).problem.startswith("keys.daily(start = 2010): write a text"))
    asserts.true(env, "Europe/Berlin" in keys.daily("2010-01-01", timezone = None).problem)
    asserts.true(env, keys.static("eu").problem.startswith("keys.static(\"eu\"): write a list of texts"))
    asserts.equals(env, {"kind": "dynamic"}, keys.dynamic().spec)
    asserts.equals(env, {"kind": "dynamic", "name": "customers"}, keys.dynamic("customers").spec)
    asserts.true(env, keys.dynamic(["a"]).problem.startswith("keys.dynamic([\"a\"]): write a name"))
    return unittest.end(env)

key_spaces_test = unittest.make(_key_spaces_impl)

def _mappings_impl(ctx):
    env = unittest.begin(ctx)
    window = keys.window(days = 7)
    asserts.equals(env, ("window", {"count": 7}, "day", None), (window.kind, window.fields, window.unit, window.problem))
    asserts.equals(env, {"by": -1}, keys.offset(-1).fields)
    asserts.equals(env, {"count": 3}, keys.latest(3).fields)
    asserts.equals(env, {"keys": ["a", "b"]}, keys.only("a", "b").fields)
    for mapping, expected in [
        (keys.window(), "needs one length"),
        (keys.window(days = 1, hours = 1), "needs one length"),
        (keys.window(days = 0), "keys.window(days = 0)"),
        (keys.window(count = "7"), "keys.window(count = \"7\")"),
        (keys.window(days = 1, before_start = "stop"), "before_start = \"stop\" is no edge rule"),
        (keys.window(days = 1, after_end = "stop"), "after_end = \"stop\" is no edge rule"),
        (keys.offset(0), "keys.offset(0)"),
        (keys.latest(0), "keys.latest(0)"),
        (keys.only(), "keys.only()"),
        (keys.only(1), "keys.only(1)"),
    ]:
        asserts.true(env, mapping.problem and expected in mapping.problem, "%r in %r" % (expected, mapping.problem))
    asserts.equals(env, None, unit_problem(None, {"granularity": "day"}))
    asserts.equals(env, None, unit_problem("day", {"granularity": "day"}))
    asserts.true(env, unit_problem("day", {"granularity": "month"}).endswith("write months = ..."))
    asserts.true(env, "needs a dimension of time" in unit_problem("day", {}))
    return unittest.end(env)

mappings_test = unittest.make(_mappings_impl)

def _deps_impl(ctx):
    env = unittest.begin(ctx)
    plain = dep(":raw")
    asserts.equals(env, (":raw", "fail", "fail", {}, []), (plain.dataset, plain.before_start, plain.after_end, plain.dims, plain.problems))
    window = dep(":raw", date = keys.window(days = 7, before_start = "clip"), city = keys.all())
    asserts.equals(env, ("clip", "fail", []), (window.before_start, window.after_end, window.problems))
    asserts.equals(env, "date", window.dims["date"]["of"])
    asserts.equals(env, None, window.dims["city"]["of"])
    asserts.equals(env, "day", dep(":raw", date = keys.same("day")).dims["date"]["of"])
    agreed = dep(":raw", before_start = "clip", date = keys.window(days = 7, before_start = "clip"))
    asserts.equals(env, ("clip", []), (agreed.before_start, agreed.problems))
    for value, expected in [
        (dep(7), "dep(7): the first argument is the label of a dataset"),
        (dep(":raw", before_start = "stop"), "before_start = \"stop\" is no edge rule"),
        (dep(":raw", date = "2010-01-01"), "date = \"2010-01-01\" is no mapping"),
        (dep(":raw", date = keys.daily("2010-01-01")), "date = a key space is no mapping"),
        (dep(":raw", date = keys.window()), "date: keys.window() needs one length"),
        (dep(":raw", before_start = "skip", date = keys.window(days = 7, before_start = "clip")), "before_start is given twice"),
    ]:
        asserts.equals(env, 1, len(value.problems))
        asserts.true(env, expected in value.problems[0], "%r in %r" % (expected, value.problems[0]))
    return unittest.end(env)

deps_test = unittest.make(_deps_impl)

def _attributes_impl(ctx):
    env = unittest.begin(ctx)
    common, problems = split_attributes("databuild_job", {"services": 1, "tags": ["x"], "wrong": 2})
    asserts.equals(env, {"tags": ["x"]}, common)
    asserts.equals(env, [
        "attribute `services` is planned and does not work yet; leave it out",
        "`wrong` is no attribute of databuild_job; leave it out",
    ], problems)
    return unittest.end(env)

attributes_test = unittest.make(_attributes_impl)

def _prebuilt_impl(ctx):
    env = unittest.begin(ctx)

    def tag(platform = "", urls = [], sha256 = "", path = "", strip_prefix = ""):
        return struct(path = path, platform = platform, sha256 = sha256, strip_prefix = strip_prefix, urls = urls)

    archives = {
        "linux_aarch64": {"sha256": "a", "urls": ["https://x/arm"]},
        "linux_x86_64": {"sha256": "b", "urls": ["https://x/intel"]},
    }

    def chosen(*tags):
        programs, problem = prebuilt_programs(tags, archives)
        asserts.equals(env, None, problem)
        return {platform: program.path or program.urls[0] for platform, program in programs.items()}

    asserts.equals(env, {}, chosen())
    asserts.equals(env, {"linux_aarch64": "https://x/arm", "linux_x86_64": "https://x/intel"}, chosen(tag()))
    asserts.equals(env, {"linux_x86_64": "https://x/intel"}, chosen(tag("linux_x86_64")))
    asserts.equals(
        env,
        {"linux_aarch64": "https://y", "linux_x86_64": "bin"},
        chosen(tag("linux_x86_64", path = "bin"), tag("linux_aarch64", urls = ["https://y"], sha256 = "0")),
    )
    for tags, released, expected in [
        ([tag("beos")], archives, "unknown platform \"beos\"; write one of linux_aarch64, "),
        ([tag(), tag("linux_x86_64", path = "bin")], archives, "platform \"linux_x86_64\" is given twice"),
        ([tag()], {}, "this copy of DataBuild is no release"),
        ([tag("linux_x86_64")], {}, "platform \"linux_x86_64\": this copy of DataBuild is no release"),
        ([tag("macos_aarch64")], archives, "the release has programs for linux_aarch64, linux_x86_64 only"),
        ([tag("linux_x86_64", sha256 = "0")], archives, "`sha256` and `strip_prefix` belong to `urls`"),
        ([tag(path = "bin")], archives, "`urls` and `path` are of one platform"),
        ([tag("linux_x86_64", urls = ["https://x"], sha256 = "0", path = "bin")], archives, "give either `urls` or `path`"),
        ([tag("linux_x86_64", urls = ["https://x"])], archives, "`urls` needs `sha256`"),
    ]:
        programs, problem = prebuilt_programs(tags, released)
        asserts.equals(env, {}, programs)
        asserts.true(env, problem and expected in problem, "%r in %r" % (expected, problem))
    return unittest.end(env)

prebuilt_test = unittest.make(_prebuilt_impl)

def _limits_impl(ctx):
    env = unittest.begin(ctx)
    for text, expected in {"1k": 1024, "2G": 2 << 30, "3t": 3 << 40, "512m": 512 << 20}.items():
        asserts.equals(env, expected, parse_bytes(text), text)
    for text in ["", "m", "2", "0g", "1.5g", "2gb", "-1m"]:
        asserts.equals(env, None, parse_bytes(text), text)
    asserts.equals(env, {"count": 10, "period_ms": 60000}, parse_rate("10/1m"))
    for text in ["", "10", "10/", "/1m", "0/1m", "1001/1m", "10/0s", "10/x", "1/2/3s"]:
        asserts.equals(env, None, parse_rate(text), text)
    return unittest.end(env)

limits_test = unittest.make(_limits_impl)

# Attributes can be made only while this file is read.
_KINDS = {
    "backoff": duration(optional = False),
    "cpus": COUNT,
    "memory": BYTES,
    "nice": number(-5, 19),
    "on_code_change": word("stale", "keep"),
    "rate": RATE,
    "wait": duration(),
}

def _policies_impl(ctx):
    env = unittest.begin(ctx)
    said = {"backoff": "1s", "on_code_change": "stale"}
    for given, entry, problem in [
        ({}, {}, None),
        ({"backoff": "1m"}, {"backoff_ms": 60000}, None),
        ({"backoff": None}, None, "backoff = \"\" is no duration"),
        ({"backoff": "1"}, None, "backoff = \"1\" is no duration"),
        ({"cpus": 2}, {"cpus": 2}, None),
        ({"cpus": 0}, None, "cpus = 0: write a number of at least 1, or leave it out"),
        ({"cpus": "2"}, None, "cpus = \"2\": write a number of at least 1"),
        ({"memory": "2k"}, {"memory": 2048}, None),
        ({"memory": "2"}, None, "memory = \"2\": write an amount with its unit"),
        ({"nice": 0}, {"nice": 0}, None),
        ({"nice": -5}, {"nice": -5}, None),
        ({"nice": -6}, None, "nice = -6: write a number from -5 to 19, or leave it out"),
        ({"nice": 20}, None, "nice = 20: write a number from -5 to 19, or leave it out"),
        ({"on_code_change": "ignore"}, None, "on_code_change = \"ignore\": write \"stale\" or \"keep\""),
        ({"rate": "1/1s"}, {"rate": {"count": 1, "period_ms": 1000}}, None),
        ({"wait": "0s"}, {"wait_ms": 0}, None),
    ]:
        problems = []
        values = policy_values(_KINDS, {name: None for name in _KINDS} | said | given, problems)
        found = policy_entry(_KINDS, struct(**values), problems)
        if problem:
            asserts.true(env, len(problems) == 1 and problem in problems[0], "%r in %r" % (problem, problems))
        else:
            asserts.equals(env, [], problems)
            asserts.equals(env, {"backoff_ms": 1000, "on_code_change": "stale"} | entry, found)

    # What `select` chose is looked at by the rule.
    problems = []
    policy_entry({"cpus": COUNT}, struct(cpus = -1), problems)
    asserts.equals(env, ["cpus = -1: write a number of at least 1, or leave it out"], problems)
    return unittest.end(env)

policies_test = unittest.make(_policies_impl)

def unit_test_suite(name):
    """All unit tests.

    Args:
        name: name of the suite.
    """
    unittest.suite(
        name,
        attributes_test,
        deps_test,
        durations_test,
        key_spaces_test,
        limits_test,
        mappings_test,
        moved_test,
        paths_test,
        policies_test,
        prebuilt_test,
    )
