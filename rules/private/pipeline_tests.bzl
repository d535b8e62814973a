"""`databuild_plan_test` and `databuild_pipeline_test`: a job graph in a workspace of fixtures, inside a Bazel test.

A plan test has a target beside it, `NAME.update`, that writes the expected text."""

load("@bazel_skylib//lib:shell.bzl", "shell")
load("//rules:providers.bzl", "DatabuildGraphInfo")
load(":attributes.bzl", "fail_with", "split_attributes")
load(":paths.bzl", "display_label", "runfiles_path")

# Attributes of all test rules, beside those of all rules.
_TEST_ATTRIBUTES = ["flaky", "local", "shard_count", "size", "timeout"]

def _laid_out(files, prefix, problems):
    """Pairs of a File and its path in the test's workspace."""
    pairs = []
    for file in files:
        path = file.short_path
        if prefix and not path.startswith(prefix + "/"):
            problems.append("files: `%s` is not below strip_prefix = \"%s\"" % (path, prefix))
        else:
            pairs.append((file, path[len(prefix) + 1:] if prefix else path))
    return pairs

def _prefix(ctx):
    parts = [part for part in (ctx.label.package, ctx.attr.strip_prefix) if part]
    return "/".join(parts)

def _test_impl(ctx):
    label = display_label(ctx.label)
    problems = list(ctx.attr.problems)
    fixtures = _laid_out(ctx.files.files, _prefix(ctx), problems)
    if not ctx.attr.targets:
        problems.append("targets is empty; name what is to be planned or built, such as targets = [\"report\"]")
    expected = []
    for target, path in ctx.attr.expected.items():
        files = target.files.to_list()
        if len(files) == 1:
            expected.append((files[0], path))
        else:
            problems.append("expected: %s is %d files; name one for `%s`" % (display_label(target.label), len(files), path))
    fail_with(label, problems)

    graph = ctx.attr.graph[DefaultInfo]
    words = lambda items: " ".join([shell.quote(item) for item in items])
    pairs = lambda items: words([word for file, path in items for word in (runfiles_path(file), path)])
    script = ctx.actions.declare_file(ctx.label.name + ".sh")
    ctx.actions.expand_template(
        output = script,
        template = ctx.file._runner,
        is_executable = True,
        substitutions = {
            "%{as_of}": shell.quote(ctx.attr.as_of),
            "%{dynamic_keys}": words([word for space, keys in ctx.attr.dynamic_keys.items() for key in keys for word in (space, key)]),
            "%{expected}": pairs(expected),
            "%{fixtures}": pairs(fixtures),
            "%{golden}": shell.quote(ctx.attr.golden),
            "%{graph}": shell.quote(runfiles_path(graph.files_to_run.executable)),
            "%{label}": shell.quote(label),
            "%{mode}": ctx.attr.mode,
            "%{targets}": words(ctx.attr.targets),
        },
    )
    files = [file for file, _ in fixtures + expected]
    runfiles = ctx.runfiles(files = files + graph.files.to_list()).merge(graph.default_runfiles)
    return [DefaultInfo(executable = script, runfiles = runfiles)]

_ATTRIBUTES = {
    "as_of": attr.string(),
    "dynamic_keys": attr.string_list_dict(),
    "expected": attr.label_keyed_string_dict(allow_files = True),
    "files": attr.label_list(allow_files = True),
    "golden": attr.string(doc = "Path in the workspace of the file that is written."),
    "graph": attr.label(
        mandatory = True,
        providers = [DatabuildGraphInfo],
    ),
    "mode": attr.string(values = ["build", "plan", "update"]),
    "problems": attr.string_list(doc = "What the macro found wrong."),
    "strip_prefix": attr.string(),
    "targets": attr.string_list(),
    "_runner": attr.label(
        allow_single_file = True,
        default = "//rules/private:pipeline_test.sh",
    ),
}

_pipeline_test = rule(
    implementation = _test_impl,
    doc = "A test of a job graph; use the macros `databuild_plan_test` and `databuild_pipeline_test`.",
    attrs = _ATTRIBUTES,
    test = True,
)

_plan_update = rule(
    implementation = _test_impl,
    doc = "Writes the expected text of a plan test; `databuild_plan_test` declares it.",
    attrs = _ATTRIBUTES,
    executable = True,
)

def _declare(kind, name, kwargs, **attributes):
    rest = {key: value for key, value in kwargs.items() if key in _TEST_ATTRIBUTES}
    common, problems = split_attributes(kind, {key: value for key, value in kwargs.items() if key not in rest})
    _pipeline_test(name = name, problems = problems, **dict(attributes, **dict(rest, **common)))

def databuild_plan_test(name, graph, targets, golden, as_of, dynamic_keys = {}, files = [], strip_prefix = "", **kwargs):
    """Checks that a plan in a workspace that holds nothing but fixtures is the expected one.

    Args:
        name: name of the test.
        graph: a `databuild_graph`.
        targets: references, as for `databuild plan`.
        golden: a file with the expected text, as `databuild plan --no-save` prints it; `bazel run` of the target
            `NAME.update` writes it.
        as_of: the instant for which key spaces are read, such as `"2010-07-01T00:00:00Z"`: what exists must not depend on the day of the test.
        dynamic_keys: keys that are there before, such as `{"customers": ["ada", "bob"]}`, by the names of key spaces.
        files: fixtures, laid out in the workspace by their paths below this package.
        strip_prefix: folder of this package that stands for the workspace's root.
        **kwargs: attributes of all tests and rules, such as `size` and `tags`.
    """
    _declare(
        "databuild_plan_test",
        name,
        kwargs,
        as_of = as_of,
        dynamic_keys = dynamic_keys,
        expected = {golden: "plan.txt"},
        files = files,
        graph = graph,
        mode = "plan",
        strip_prefix = strip_prefix,
        targets = targets,
    )

    # Not by the file's label: it need not be there before it is written.
    label = native.package_relative_label(golden)
    _plan_update(
        name = name + ".update",
        as_of = as_of,
        dynamic_keys = dynamic_keys,
        files = files,
        golden = "/".join([part for part in (label.package, label.name) if part]),
        graph = graph,
        mode = "update",
        strip_prefix = strip_prefix,
        tags = ["manual"],
        targets = targets,
        testonly = kwargs.get("testonly", True),
        visibility = ["//visibility:private"],
    )

def databuild_pipeline_test(name, graph, targets, expected, as_of = "", dynamic_keys = {}, files = [], strip_prefix = "", **kwargs):
    """Builds partitions with a server and jobs of its own in a workspace of fixtures, and compares what comes out.

    Args:
        name: name of the test.
        graph: a `databuild_graph`.
        targets: references, as for `databuild build`.
        expected: dictionary from a file to the path in the workspace that must have the same bytes.
        as_of: the instant for which key spaces are read; now by default.
        dynamic_keys: keys that are there before, such as `{"customers": ["ada", "bob"]}`, by the names of key spaces.
        files: fixtures, laid out in the workspace by their paths below this package.
        strip_prefix: folder of this package that stands for the workspace's root.
        **kwargs: attributes of all tests and rules, such as `size` and `tags`.
    """
    _declare(
        "databuild_pipeline_test",
        name,
        kwargs,
        as_of = as_of,
        dynamic_keys = dynamic_keys,
        expected = expected,
        files = files,
        graph = graph,
        mode = "build",
        strip_prefix = strip_prefix,
        targets = targets,
    )
