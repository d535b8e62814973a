"""Executables for the tests of rules: the same on every platform, with runfiles of every kind."""

def _fixture_binary_impl(ctx):
    executable = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.write(executable, "#!/bin/sh\n# %s\n" % ctx.label.name, is_executable = True)
    tree = ctx.actions.declare_directory(ctx.label.name + ".tree")
    ctx.actions.run_shell(
        outputs = [tree],
        command = "mkdir -p \"$1/sub\" && echo one > \"$1/one file\" && echo two > \"$1/sub/two\" && ln -s sub \"$1/linked\"",
        arguments = [tree.path],
    )
    link = ctx.actions.declare_symlink(ctx.label.name + ".link")
    ctx.actions.symlink(output = link, target_path = "../no where/python3")
    runfiles = ctx.runfiles(
        files = ctx.files.data + [tree, link],
        root_symlinks = {"root/" + file.basename: file for file in ctx.files.data},
        symlinks = {"renamed/" + file.basename: file for file in ctx.files.data},
    )
    for target in ctx.attr.deps:
        runfiles = runfiles.merge(target[DefaultInfo].default_runfiles)
    for target in ctx.attr.data:
        runfiles = runfiles.merge(target[DefaultInfo].data_runfiles)
    return [
        DefaultInfo(executable = executable, runfiles = runfiles),
        RunEnvironmentInfo(
            environment = {"FROM_BINARY": "binary", "SHARED": "binary"},
            inherited_environment = ["INHERITED_BY_BINARY", "SHARED_INHERITED"],
        ),
    ]

fixture_binary = rule(
    implementation = _fixture_binary_impl,
    attrs = {
        "data": attr.label_list(allow_files = True),
        "deps": attr.label_list(),
    },
    executable = True,
)

def _fixture_library_impl(ctx):
    return [DefaultInfo(
        files = depset(ctx.files.srcs),
        runfiles = ctx.runfiles(files = ctx.files.srcs),
    )]

fixture_library = rule(
    implementation = _fixture_library_impl,
    attrs = {
        "deps": attr.label_list(),
        "srcs": attr.label_list(allow_files = True),
    },
)

def _fixture_group_impl(ctx):
    runfiles = ctx.runfiles(files = ctx.files.srcs)
    for target in ctx.attr.srcs:
        runfiles = runfiles.merge(target[DefaultInfo].data_runfiles)
    return [DefaultInfo(files = depset(ctx.files.srcs), data_runfiles = runfiles)]

fixture_group = rule(
    implementation = _fixture_group_impl,
    doc = "Has what a `filegroup` has since Bazel 9: the runfiles of its `srcs` come along where it stands in `data`.",
    attrs = {"srcs": attr.label_list(allow_files = True)},
)

def _update_golden_impl(ctx):
    script = ctx.actions.declare_file(ctx.label.name + ".sh")
    lines = ["#!/bin/sh", "set -eu"]
    for target, golden in ctx.attr.goldens.items():
        (file,) = target.files.to_list()
        lines.append("cp \"$PWD/%s\" \"$BUILD_WORKSPACE_DIRECTORY/%s/%s\"" % (file.short_path, ctx.label.package, golden))
        lines.append("chmod 644 \"$BUILD_WORKSPACE_DIRECTORY/%s/%s\"" % (ctx.label.package, golden))
    ctx.actions.write(script, "\n".join(lines) + "\n", is_executable = True)
    files = [file for target in ctx.attr.goldens for file in target.files.to_list()]
    return [DefaultInfo(executable = script, runfiles = ctx.runfiles(files = files))]

update_golden = rule(
    implementation = _update_golden_impl,
    doc = "Copies what is generated over the golden files of its package.",
    attrs = {"goldens": attr.label_keyed_string_dict(allow_files = True)},
    executable = True,
)

def _hidden_env_binary_impl(ctx):
    executable = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.write(executable, "", is_executable = True)
    return [DefaultInfo(executable = executable)]

hidden_env_binary = rule(
    implementation = _hidden_env_binary_impl,
    doc = "Has `env` and no RunEnvironmentInfo, as native rules do.",
    attrs = {"env": attr.string_dict()},
    executable = True,
)
