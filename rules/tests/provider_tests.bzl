"""Tests of what targets provide, and of the actions they declare."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//rules:providers.bzl", "DatabuildCheckInfo", "DatabuildDatasetInfo", "DatabuildGraphInfo", "DatabuildJobInfo", "DatabuildSourcesInfo")
load("//rules/private:sources.bzl", "sources_aspect")

_PACKAGE = "rules/tests/golden"

def _dataset_impl(ctx):
    env = analysistest.begin(ctx)
    info = analysistest.target_under_test(env)[DatabuildDatasetInfo]
    asserts.equals(env, _PACKAGE + "/orders", info.name)
    asserts.equals(env, "//%s:orders" % _PACKAGE, info.label)
    asserts.false(env, info.external)
    asserts.equals(env, ["region", "date"], [dim["name"] for dim in json.decode(info.dims)])
    spec = json.decode(info.spec)
    asserts.equals(env, ["dims", "external", "label", "name", "path"], sorted(spec))
    asserts.equals(env, "out/orders/region={region}/date={date}.csv", spec["path"])
    return analysistest.end(env)

dataset_test = analysistest.make(_dataset_impl)

def _external_dataset_impl(ctx):
    env = analysistest.begin(ctx)
    info = analysistest.target_under_test(env)[DatabuildDatasetInfo]
    asserts.true(env, info.external)
    asserts.equals(env, [], json.decode(info.dims))
    return analysistest.end(env)

external_dataset_test = analysistest.make(_external_dataset_impl)

def _pathless_dataset_impl(ctx):
    env = analysistest.begin(ctx)
    info = analysistest.target_under_test(env)[DatabuildDatasetInfo]
    asserts.equals(env, None, json.decode(info.spec)["path"])
    return analysistest.end(env)

pathless_dataset_test = analysistest.make(_pathless_dataset_impl)

def _job_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    info = target[DatabuildJobInfo]
    asserts.equals(env, "//%s:ingest" % _PACKAGE, info.label)
    asserts.equals(env, _PACKAGE + "/ingest_bin", info.executable.short_path)
    asserts.equals(env, _PACKAGE + "/ingest.code.manifest", info.code_manifest.short_path)
    asserts.equals(env, _PACKAGE + "/ingest.sources.json", info.source_manifest.short_path)
    asserts.equals(
        env,
        [_PACKAGE + "/" + name for name in ["currencies", "orders", "orders_raw", "rates", "rejects"]],
        sorted([dataset.name for dataset in info.datasets.to_list()]),
    )
    files = [file.short_path for file in info.runfiles.files.to_list()]
    for name in ["ingest_bin", "ingest_bin.tree", "ingest_bin.link", "data.txt", "lib data.txt", "ingest.code.manifest", "ingest.sources.json"]:
        asserts.true(env, "%s/%s" % (_PACKAGE, name) in files, "%s in %s" % (name, files))
    spec = json.decode(info.spec)

    # The job's own environment goes over the binary's; what has a value is not inherited.
    program = spec["program"]
    asserts.equals(env, {"FROM_BINARY": "binary", "MODE": "strict", "SHARED": "job"}, program["env"])
    asserts.equals(env, ["INHERITED_BY_BINARY", "SHARED_INHERITED", "TZ"], program["env_inherit"])
    asserts.equals(env, (10000, 5400000), (program["grace_ms"], program["timeout_ms"]))
    asserts.equals(env, (500, 300000, 3), (spec["backoff_ms"], spec["backoff_max_ms"], spec["retries"]))
    asserts.equals(env, "keep", spec["on_code_change"])
    for name in ["batch", "cpus", "log_limit", "max_running", "memory", "pools", "rate"]:
        asserts.false(env, name in spec, name)
    asserts.equals(env, [], info.pools.to_list())
    asserts.equals(env, [info.code_manifest], target[OutputGroupInfo].code_manifest.to_list())
    asserts.equals(env, [info.source_manifest], target[OutputGroupInfo].source_manifest.to_list())
    return analysistest.end(env)

job_test = analysistest.make(_job_impl)

def _job_defaults_impl(ctx):
    env = analysistest.begin(ctx)
    spec = json.decode(analysistest.target_under_test(env)[DatabuildJobInfo].spec)
    asserts.equals(env, (1000, 60000, 0, "stale"), tuple([
        spec[name]
        for name in ["backoff_ms", "backoff_max_ms", "retries", "on_code_change"]
    ]))
    asserts.equals(env, (5000, None), (spec["program"]["grace_ms"], spec["program"].get("timeout_ms")))
    inputs = {entry["name"]: entry for entry in spec["inputs"]}
    asserts.equals(env, sorted(inputs), [entry["name"] for entry in spec["inputs"]])

    # Dimensions stand in the input dataset's order, the ones that were left out among them.
    asserts.equals(env, [
        {"dim": "region", "rule": {"kind": "same", "of": "region"}},
        {"dim": "date", "rule": {"by": -1, "kind": "offset", "of": "date"}},
    ], inputs["yesterday"]["dims"])
    asserts.equals(env, ("skip", "fail"), (inputs["yesterday"]["before_start"], inputs["yesterday"]["after_end"]))
    asserts.equals(env, "clip", inputs["week"]["before_start"])
    asserts.equals(env, {"dim": "date", "max": 30}, spec["batch"])
    asserts.equals(env, {"//%s:db" % _PACKAGE: 2}, spec["pools"])
    asserts.equals(env, (2, 2 << 30, 3, 256 << 20), (spec["cpus"], spec["memory"], spec["max_running"], spec["log_limit"]))
    asserts.equals(env, {"count": 10, "period_ms": 60000}, spec["rate"])
    return analysistest.end(env)

job_defaults_test = analysistest.make(_job_defaults_impl)

def _check_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    info = target[DatabuildCheckInfo]
    asserts.equals(env, "//%s:no_negative_orders" % _PACKAGE, info.label)
    asserts.equals(env, _PACKAGE + "/orders", info.dataset)
    asserts.equals(env, _PACKAGE + "/no_negative_orders.code.manifest", info.code_manifest.short_path)
    asserts.equals(env, [info.code_manifest], target[OutputGroupInfo].code_manifest.to_list())
    files = [file.short_path for file in info.runfiles.files.to_list()]
    for name in ["ingest_bin", "data.txt", "lib data.txt", "no_negative_orders.code.manifest"]:
        asserts.true(env, "%s/%s" % (_PACKAGE, name) in files, "%s in %s" % (name, files))
    spec = json.decode(info.spec)
    program = spec["program"]
    asserts.equals(env, (True, 90000, 1000), (spec["blocking"], program["timeout_ms"], program["grace_ms"]))
    asserts.equals(env, ["--region={region}", "{path}"], program["args"])
    asserts.equals(env, {"FROM_BINARY": "binary", "MODE": "strict", "SHARED": "binary"}, program["env"])
    asserts.equals(env, ["INHERITED_BY_BINARY", "SHARED_INHERITED", "TZ"], program["env_inherit"])
    asserts.equals(env, "_main/%s/ingest_bin" % _PACKAGE, program["executable"])
    return analysistest.end(env)

check_test = analysistest.make(_check_impl)

def _check_defaults_impl(ctx):
    env = analysistest.begin(ctx)
    spec = json.decode(analysistest.target_under_test(env)[DatabuildCheckInfo].spec)
    program = spec["program"]
    asserts.equals(env, (False, 300000, 5000, []), (spec["blocking"], program["timeout_ms"], program["grace_ms"], program["args"]))
    return analysistest.end(env)

check_defaults_test = analysistest.make(_check_defaults_impl)

def _fingerprint_actions_impl(ctx):
    env = analysistest.begin(ctx)
    actions = analysistest.target_actions(env)
    parts = [action for action in actions if action.mnemonic == "DatabuildFingerprint"]
    asserts.equals(env, 2, len(parts))
    for action in parts:
        # Bazel forgets the inputs that an action declares unused once it ran: only the outputs are looked at.
        asserts.equals(env, 1, len([file for file in action.outputs.to_list() if file.basename.endswith(".unused")]))
    asserts.equals(env, 1, len([action for action in actions if action.mnemonic == "DatabuildFingerprintMerge"]))
    asserts.equals(env, 1, len([action for action in actions if action.mnemonic == "DatabuildSources"]))
    return analysistest.end(env)

fingerprint_actions_test = analysistest.make(_fingerprint_actions_impl)

def _grouped_impl(ctx):
    env = analysistest.begin(ctx)
    runfiles = analysistest.target_under_test(env)[DatabuildJobInfo].runfiles
    paths = [file.short_path for file in runfiles.files.to_list()]
    for name in ["grouped_bin", "tool_bin", "tool_bin.tree", "tool_bin.link"]:
        asserts.true(env, "%s/%s" % (_PACKAGE, name) in paths, "%s in %s" % (name, paths))
    return analysistest.end(env)

grouped_test = analysistest.make(_grouped_impl)

def _fixed_configuration_impl(ctx):
    env = analysistest.begin(ctx)
    executable = analysistest.target_under_test(env)[DatabuildJobInfo].executable
    asserts.true(env, "-opt" in executable.root.path, executable.root.path)
    return analysistest.end(env)

fixed_configuration_test = analysistest.make(
    _fixed_configuration_impl,
    config_settings = {
        "//command_line_option:compilation_mode": "dbg",
        "//command_line_option:stamp": True,
    },
)

def _graph_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    info = target[DatabuildGraphInfo]
    jobs = ["//%s:%s" % (_PACKAGE, name) for name in ["ingest", "month", "report_job", "trend", "week"]]
    asserts.equals(env, jobs, sorted(info.jobs.to_list()))
    executable = target[DefaultInfo].files_to_run.executable
    asserts.equals(env, _PACKAGE + "/graph_/graph", executable.short_path)
    asserts.equals(env, executable.short_path + ".graph.json", info.graph.short_path)
    asserts.equals(env, [info.graph], target[OutputGroupInfo].graph.to_list())
    checks = ["//%s:%s" % (_PACKAGE, name) for name in ["no_negative_orders", "usual_trend"]]
    asserts.equals(env, checks, sorted(info.checks.to_list()))
    asserts.equals(env, 8, len(target[OutputGroupInfo].code_manifests.to_list()))
    asserts.equals(env, 5, len(target[OutputGroupInfo].source_manifests.to_list()))
    files = [file.short_path for file in target[DefaultInfo].default_runfiles.files.to_list()]
    for name in ["graph_/graph.graph.json", "ingest_bin", "tool_bin", "ingest.code.manifest", "usual_trend.code.manifest", "week.sources.json"]:
        asserts.true(env, "%s/%s" % (_PACKAGE, name) in files, "%s in %s" % (name, files))
    (write,) = [action for action in analysistest.target_actions(env) if action.mnemonic == "FileWrite" and "spec.json" in action.outputs.to_list()[0].basename]
    spec = json.decode(write.content)
    asserts.equals(env, jobs, [job["label"] for job in spec["jobs"]])
    asserts.equals(env, checks, [check["label"] for check in spec["checks"]])
    names = [dataset["name"] for dataset in spec["datasets"]]
    asserts.equals(env, sorted(names), names)
    asserts.equals(env, 11, len(names))
    return analysistest.end(env)

graph_test = analysistest.make(_graph_impl)

def _sources_impl(ctx):
    env = analysistest.begin(ctx)
    info = analysistest.target_under_test(env)[DatabuildSourcesInfo]
    owner = "//%s:ingest_bin" % _PACKAGE
    lib = "//%s:lib" % _PACKAGE
    asserts.equals(env, [
        (_PACKAGE + "/data.txt", owner),
        (_PACKAGE + "/lib data.txt", lib),
    ], sorted([(entry.file.short_path, entry.owner) for entry in info.files.to_list()]))
    asserts.equals(env, [(owner, lib)], [(edge.source, edge.target) for edge in info.edges.to_list()])
    asserts.equals(env, 2, len(info.inputs.to_list()))
    asserts.false(env, info.hidden_env)
    return analysistest.end(env)

sources_test = analysistest.make(_sources_impl, extra_target_under_test_aspects = [sources_aspect])

def provider_test_suite(name):
    """All tests of providers and actions.

    Args:
        name: name of the suite.
    """
    tests = {
        check_defaults_test: "usual_trend",
        check_test: "no_negative_orders",
        dataset_test: "orders",
        external_dataset_test: "currencies",
        fingerprint_actions_test: "ingest",
        fixed_configuration_test: "ingest",
        graph_test: "graph",
        grouped_test: "grouped",
        job_defaults_test: "trend",
        job_test: "ingest",
        pathless_dataset_test: "report",
        sources_test: "ingest_bin",
    }
    labels = []
    for number, (test, target) in enumerate(tests.items()):
        test_name = "%s_%d_%s" % (name, number, target)
        test(name = test_name, size = "small", target_under_test = "//%s:%s" % (_PACKAGE, target))
        labels.append(test_name)
    native.test_suite(name = name, tests = labels)
