"""Every refusal of the rules, each with what the message must say."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load(
    "//rules:defs.bzl",
    "databuild_check",
    "databuild_dataset",
    "databuild_graph",
    "databuild_job",
    "databuild_pipeline_test",
    "databuild_plan_test",
    "databuild_pool",
    "databuild_schedule",
    "dep",
    "keys",
    "moved",
    "observe",
)

def _failure_impl(ctx):
    env = analysistest.begin(ctx)
    asserts.expect_failure(env, ctx.attr.expected)
    return analysistest.end(env)

failure_test = analysistest.make(
    _failure_impl,
    attrs = {"expected": attr.string(mandatory = True)},
    expect_failure = True,
)

_DAYS = keys.daily(start = "2010-01-01")

_DATASETS = {
    "bad_dimension_name": (
        dict(dims = {"Date-1": _DAYS}),
        "dims: `Date-1` is no name of a dimension; use a-z, 0-9 and _",
    ),
    "reserved_dimension_name": (
        dict(dims = {"path": _DAYS}),
        "dims: `path` cannot be the name of a dimension, since `dep(...)` or arguments of jobs could not name it",
    ),
    "keyword_as_dimension_name": (
        dict(dims = {"class": _DAYS}),
        "dims: `class` cannot be the name of a dimension",
    ),
    "bad_dimension_type": (
        dict(dims = {"date": "2010-01-01"}),
        "dims: `date` is \"2010-01-01\"; write a key space",
    ),
    "bad_dimensions_type": (
        dict(dims = [_DAYS]),
        "write a dictionary, such as dims = ",
    ),
    "bad_static_keys": (
        dict(dims = {"city": keys.static("seattle")}),
        "dims: `city`: keys.static(\"seattle\"): write a list of texts",
    ),
    "bad_time_key_type": (
        dict(dims = {"date": keys.daily(start = 2010)}),
        "dims: `date`: keys.daily(start = 2010): write a text",
    ),
    "dynamic_keys": (
        dict(dims = {"city": keys.dynamic("")}),
        "keys.dynamic(\"\"): write a name",
    ),
    "external_without_path": (
        dict(external = True),
        "an external dataset needs `path`, whose files' content is its data version, or `observe = observe.glob(...)`",
    ),
    "bad_observation_type": (
        dict(external = True, observe = "data/*.csv"),
        "observe = \"data/*.csv\": write observe.glob(...), observe.http(...) or observe.program(...)",
    ),
    "bad_glob": (
        dict(external = True, observe = observe.glob(["data/*.csv"])),
        "observe.glob([\"data/*.csv\"]): write a text, such as \"data/{city}/*.csv\"",
    ),
    "bad_url": (
        dict(external = True, observe = observe.http("")),
        "observe.http(\"\"): write a text, such as \"https://example.com/{city}.csv\"",
    ),
    "bad_observe_timeout": (
        dict(external = True, observe = observe.http("https://x", timeout = "10")),
        "observe.http: timeout = \"10\" is no duration",
    ),
    "no_observe_timeout": (
        dict(external = True, observe = observe.http("https://x", timeout = "0s")),
        "observe.http: timeout = \"0s\" is no time to wait",
    ),
    "bad_every": (
        dict(external = True, observe = observe.program("//rules/tests/golden:tool_bin", every = 5)),
        "observe.program: every = 5 is no duration",
    ),
    "bad_probe_label": (
        dict(external = True, observe = observe.program(None)),
        "observe.program(None): the first argument is the label of an executable target",
    ),
    "bad_probe_args": (
        dict(external = True, observe = observe.program("//rules/tests/golden:tool_bin", args = [1])),
        "observe.program: args = [1]: write a list of texts",
    ),
    "path_function_for_a_probe": (
        dict(external = True, observe = observe.program("//rules/tests/golden:tool_bin", args = ["$(location :x)"])),
        "observe.program: args: `$(location ...)` in \"$(location :x)\" is not filled in; put the file into `data` of the binary",
    ),
    "probe_that_cannot_run": (
        dict(external = True, observe = observe.program("//rules/tests:days")),
        "executable",
    ),
    "observed_and_built": (
        dict(observe = observe.glob("data/*.csv")),
        "observe: only external data is observed; write external = True, or leave observe out",
    ),
    "glob_and_path": (
        dict(external = True, path = "x", observe = observe.glob("data/*.csv")),
        "path = \"x\": the files of a partition are what observe.glob(...) matches; leave path out",
    ),
    "mapping_as_dimension": (
        dict(dims = {"date": keys.all()}),
        "write a key space",
    ),
    "external_with_runs": (
        dict(external = True, path = "x", max_running = 1),
        "max_running: an external dataset has no runs that make it",
    ),
    "owner_of_two_lines": (
        dict(owner = "sales\nteam"),
        "write one line of at most 100 characters, without spaces around it",
    ),
    "planned_dataset_attribute": (
        dict(freshness = "1h"),
        "attribute `freshness` is planned and does not work yet",
    ),
    "unknown_dataset_attribute": (
        dict(dimensions = {}),
        "`dimensions` is no attribute of databuild_dataset",
    ),
}

_JOBS = {
    "path_function_in_args": (
        dict(args = ["--table=$(rlocationpath :table)"]),
        "args: `$(rlocationpath ...)` in \"--table=$(rlocationpath :table)\" is not filled in; put the file into `data` of the binary, which finds it among its runfiles",
    ),
    "path_function_in_env": (
        dict(env = {"TABLES": "$(locations :tables)"}),
        "env: `$(locations ...)` in \"$(locations :tables)\" is not filled in",
    ),
    "asks_too_much_of_a_pool": (
        dict(pools = {"//rules/tests:small_pool": 3}),
        "pools: 3 of //rules/tests:small_pool, which has 2: make the pool larger, or take less of it",
    ),
    "asks_nothing_of_a_pool": (
        dict(pools = {"//rules/tests:small_pool": 0}),
        "pools: 0 of //rules/tests:small_pool: write a number of at least 1",
    ),
    "backoff_above_max": (
        dict(backoff = "2m"),
        "backoff = \"2m\" is longer than backoff_max = \"1m\"",
    ),
    "bad_backoff": (
        dict(backoff = "1"),
        "backoff = \"1\" is no duration",
    ),
    "bad_backoff_max": (
        dict(backoff_max = "long"),
        "backoff_max = \"long\" is no duration",
    ),
    "bad_batch_size": (
        dict(batch = {"date": 1}),
        "batch = {\"date\": 1}: write a number from 2 to 10000, or leave batch out",
    ),
    "bad_batch_type": (
        dict(batch = 30),
        "batch = 30: write a dictionary of one dimension and a number, such as batch = {\"date\": 30}",
    ),
    "batch_of_two_dimensions": (
        dict(batch = {"city": 2, "date": 30}),
        "write a dictionary of one dimension and a number",
    ),
    "batch_of_unknown_dimension": (
        dict(batch = {"city": 2}),
        "batch = {\"city\": 2}: the outputs have no dimension `city`; they have `date`",
    ),
    "bad_cpus": (
        dict(cpus = 0),
        "cpus = 0: write a number of at least 1, or leave it out",
    ),
    "bad_dep_label": (
        dict(inputs = {"x": dep(None)}),
        "inputs[\"x\"]: dep(None): the first argument is the label of a dataset",
    ),
    "bad_edge_rule": (
        dict(inputs = {"x": dep("//rules/tests:days", before_start = "stop")}),
        "inputs[\"x\"]: before_start = \"stop\" is no edge rule; write \"clip\", \"fail\" or \"skip\"",
    ),
    "bad_log_limit": (
        dict(log_limit = "much"),
        "log_limit = \"much\": write an amount with its unit",
    ),
    "bad_max_running": (
        dict(max_running = "2"),
        "max_running = \"2\": write a number of at least 1, or leave it out",
    ),
    "bad_memory": (
        dict(memory = "2"),
        "memory = \"2\": write an amount with its unit",
    ),
    "bad_params_type": (
        dict(params = {"full_refresh": False}),
        "write a dictionary of names and texts, such as params = ",
    ),
    "bad_pools_type": (
        dict(pools = ["//rules/tests:small_pool"]),
        "write a dictionary of pools and numbers, such as pools = ",
    ),
    "bad_rate": (
        dict(rate = "10"),
        "rate = \"10\": write how many starts, 1 to 1000, in how much time",
    ),
    "bad_grace": (
        dict(grace = "x"),
        "grace = \"x\" is no duration",
    ),
    "bad_input_type": (
        dict(inputs = {"x": ":raw"}),
        "inputs[\"x\"] = \":raw\": write dep(\":raw\")",
    ),
    "bad_inputs_type": (
        dict(inputs = [":raw"]),
        "write a dictionary, such as inputs = {\"raw\": dep(\":raw\")}",
    ),
    "bad_on_code_change": (
        dict(on_code_change = "ignore"),
        "on_code_change = \"ignore\": write \"stale\" or \"keep\"",
    ),
    "bad_timeout": (
        dict(timeout = "20 minutes"),
        "timeout = \"20 minutes\" is no duration; write numbers with a unit",
    ),
    "binary_hides_env": (
        dict(binary = "//rules/tests:hidden_env_bin"),
        "the rule of //rules/tests:hidden_env_bin does not pass on its `env`",
    ),
    "input_is_no_dataset": (
        dict(inputs = {"x": dep("//rules/tests/golden:lib")}),
        "DatabuildDatasetInfo",
    ),
    "input_is_private": (
        dict(inputs = {"x": dep("//rules/tests/golden:secret")}),
        "is not visible from",
    ),
    "negative_retries": (
        dict(retries = -1),
        "retries = -1: write a number of at least 0, or leave it out",
    ),
    "no_outputs": (
        dict(outputs = []),
        "outputs is empty; name at least one dataset",
    ),
    "output_is_no_dataset": (
        dict(outputs = ["//rules/tests/golden:lib"]),
        "DatabuildDatasetInfo",
    ),
    "planned_job_attribute": (
        dict(services = ["api"]),
        "attribute `services` is planned and does not work yet",
    ),
    "unknown_job_attribute": (
        dict(deps = []),
        "`deps` is no attribute of databuild_job",
    ),
    "unknown_input_dimension": (
        dict(inputs = {"x": dep("//rules/tests:days", city = keys.all())}),
        "inputs[\"x\"]: dataset `rules/tests/days` has no dimension `city`; it has `date`",
    ),
    "unmapped_input_dimension": (
        dict(inputs = {"x": dep("//rules/tests:cities")}),
        "dimension `city` of `rules/tests/cities` is no dimension of the outputs; say which keys are read, such as city = keys.all()",
    ),
    "window_of_static_keys": (
        dict(inputs = {"x": dep("//rules/tests:cities", city = keys.window(days = 2, dim = "date"))}),
        "keys.window() needs a dimension of time",
    ),
    "window_unit_differs": (
        dict(inputs = {"x": dep("//rules/tests:days", date = keys.window(hours = 7))}),
        "the window counts hours, and the dimension's keys are days; write days = ...",
    ),
}

_POOLS = {
    "pool_without_slots": (
        dict(slots = 0),
        "slots = 0: write a number of at least 1",
    ),
    "unknown_pool_attribute": (
        dict(slots = 1, size = 2),
        "`size` is no attribute of databuild_pool",
    ),
}

_CHECKS = {
    "path_function_in_check_args": (
        dict(args = ["$(execpath :x)"]),
        "args: `$(execpath ...)` in \"$(execpath :x)\" is not filled in",
    ),
    "bad_check_grace": (
        dict(grace = "5"),
        "grace = \"5\" is no duration; write numbers with a unit",
    ),
    "bad_check_timeout": (
        dict(timeout = "soon"),
        "timeout = \"soon\" is no duration; write numbers with a unit",
    ),
    "blocking_of_another_type": (
        dict(blocking = "warn"),
        "blocking = \"warn\": write True or False",
    ),
    "check_of_external_data": (
        dict(dataset = "//rules/tests/golden:orders_raw"),
        "dataset = \"//rules/tests/golden:orders_raw\" is external: nothing is published there; check a dataset that is made from it",
    ),
    "check_of_no_dataset": (
        dict(dataset = "//rules/tests/golden:ingest"),
        "DatabuildDatasetInfo",
    ),
    "check_with_hidden_env": (
        dict(binary = "//rules/tests:hidden_env_bin"),
        "the rule of //rules/tests:hidden_env_bin does not pass on its `env`; write `env` of databuild_check instead",
    ),
    "planned_check_attribute": (
        dict(services = ["api"]),
        "attribute `services` is planned and does not work yet",
    ),
    "unknown_check_attribute": (
        dict(retries = 1),
        "`retries` is no attribute of databuild_check",
    ),
}

_SCHEDULES = {
    "schedule_at_no_time": (
        dict(),
        "write either `cron`, such as \"0 6 * * *\", or `every`, such as \"15m\"",
    ),
    "schedule_at_two_times": (
        dict(cron = "0 6 * * *", every = "15m"),
        "write either `cron`, such as \"0 6 * * *\", or `every`, such as \"15m\"",
    ),
    "schedule_every_half_second": (
        dict(every = "500ms"),
        "every = \"500ms\": write whole seconds, at least \"1s\"",
    ),
    "schedule_every_with_a_zone": (
        dict(every = "1h", time_zone = "Europe/Zurich"),
        "time_zone is for `cron`: `every` counts from 1970-01-01T00:00:00Z on",
    ),
    "schedule_of_bad_class": (
        dict(every = "1h", want_class = "urgent"),
        "want_class = \"urgent\": write one of interactive, backfill",
    ),
    "schedule_of_nothing": (
        dict(every = "1h", targets = {}),
        "targets: name at least one dataset, such as targets = {\":report\": \"date=latest\"}",
    ),
    "schedule_that_misses_badly": (
        dict(every = "1h", missed = "some"),
        "missed = \"some\": write one of all, last, none",
    ),
    "schedule_without_times": (
        dict(every = "1h", times = 0),
        "times = 0: write a number of at least 1, or leave it out",
    ),
    "unknown_schedule_attribute": (
        dict(every = "1h", retries = 1),
        "`retries` is no attribute of databuild_schedule",
    ),
}

_GRAPHS = {
    "bad_moved": (
        dict(jobs = ["//rules/tests/golden:ingest"], moved = [moved.dimension(":days", "day", to = 1)]),
        "moved.dimension(\":days\", \"day\", to = 1): write names, such as moved.dimension(",
    ),
    "bad_moved_type": (
        dict(jobs = ["//rules/tests/golden:ingest"], moved = {"a": ":b"}),
        "write a list, such as moved = [moved.dataset(",
    ),
    "graph_of_other_checks": (
        dict(jobs = ["//rules/tests/golden:ingest"], checks = ["//rules/tests/golden:month"]),
        "DatabuildCheckInfo",
    ),
    "events_kept_for_no_time": (
        dict(jobs = ["//rules/tests/golden:ingest"], keep_events = "90 days"),
        "keep_events = \"90 days\": write a length of time of at least an hour",
    ),
    "events_kept_too_short": (
        dict(jobs = ["//rules/tests/golden:ingest"], keep_events = "59m"),
        "keep_events = \"59m\": write a length of time of at least an hour",
    ),
    "graph_of_datasets": (
        dict(jobs = ["//rules/tests:days"]),
        "DatabuildJobInfo",
    ),
    "unknown_graph_attribute": (
        dict(jobs = ["//rules/tests/golden:ingest"], datasets = []),
        "`datasets` is no attribute of databuild_graph",
    ),
}

_PLAN_TESTS = {
    "plan_test_of_no_graph": (
        dict(graph = "//rules/tests:days"),
        "DatabuildGraphInfo",
    ),
    "plan_test_of_nothing": (
        dict(targets = []),
        "targets is empty; name what is to be planned or built",
    ),
    "unknown_plan_test_attribute": (
        dict(expects = "x"),
        "`expects` is no attribute of databuild_plan_test",
    ),
}

_PIPELINE_TESTS = {
    "fixture_outside_of_prefix": (
        dict(files = ["BUILD.bazel"], strip_prefix = "data"),
        "files: `rules/tests/BUILD.bazel` is not below strip_prefix = \"rules/tests/data\"",
    ),
    "many_expected_files": (
        dict(expected = {"//rules/tests/golden:graph": "out/x"}),
        "expected: //rules/tests/golden:graph is 2 files; name one for `out/x`",
    ),
}

def failure_test_suite(name):
    """All tests of refusals.

    Args:
        name: name of the suite.
    """
    databuild_dataset(name = "days", dims = {"date": _DAYS})
    databuild_dataset(name = "cities", dims = {"city": keys.static(["a"])})
    databuild_dataset(name = "out", dims = {"date": _DAYS})
    databuild_pool(name = "small_pool", slots = 2)

    cases = {}
    for case, (kwargs, expected) in _DATASETS.items():
        databuild_dataset(name = case, tags = ["manual"], **kwargs)
        cases[case] = expected
    for case, (kwargs, expected) in _JOBS.items():
        attributes = dict({"binary": "//rules/tests/golden:tool_bin", "outputs": [":out"]}, **kwargs)
        databuild_job(name = case, tags = ["manual"], **attributes)
        cases[case] = expected
    for case, (kwargs, expected) in _POOLS.items():
        databuild_pool(name = case, tags = ["manual"], **kwargs)
        cases[case] = expected
    for case, (kwargs, expected) in _CHECKS.items():
        attributes = dict({"binary": "//rules/tests/golden:tool_bin", "dataset": ":out"}, **kwargs)
        databuild_check(name = case, tags = ["manual"], **attributes)
        cases[case] = expected
    for case, (kwargs, expected) in _SCHEDULES.items():
        attributes = dict({"targets": {":out": ""}}, **kwargs)
        databuild_schedule(name = case, tags = ["manual"], **attributes)
        cases[case] = expected
    for case, (kwargs, expected) in _GRAPHS.items():
        databuild_graph(name = case, tags = ["manual"], **kwargs)
        cases[case] = expected

    for case, (kwargs, expected) in _PLAN_TESTS.items():
        attributes = dict({
            "as_of": "2010-01-02T00:00:00Z",
            "golden": "BUILD.bazel",
            "graph": "//rules/tests/golden:graph",
            "targets": ["x"],
        }, **kwargs)
        databuild_plan_test(name = case, tags = ["manual"], **attributes)
        cases[case] = expected
    for case, (kwargs, expected) in _PIPELINE_TESTS.items():
        attributes = dict({
            "expected": {"BUILD.bazel": "out/x"},
            "graph": "//rules/tests/golden:graph",
            "targets": ["x"],
        }, **kwargs)
        databuild_pipeline_test(name = case, tags = ["manual"], **attributes)
        cases[case] = expected

    tests = []
    for case, expected in cases.items():
        failure_test(name = case + "_test", size = "small", expected = expected, target_under_test = case)
        tests.append(case + "_test")
    native.test_suite(name = name, tests = tests)
