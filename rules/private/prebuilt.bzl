"""Repositories of prebuilt DataBuild programs.

There is one repository a platform and a hub with nothing but `toolchain` targets, so that programs are
fetched only for the platforms that a build uses.
"""

PLATFORMS = {
    "linux_aarch64": ["@platforms//os:linux", "@platforms//cpu:aarch64"],
    "linux_x86_64": ["@platforms//os:linux", "@platforms//cpu:x86_64"],
    "macos_aarch64": ["@platforms//os:macos", "@platforms//cpu:aarch64"],
    "macos_x86_64": ["@platforms//os:macos", "@platforms//cpu:x86_64"],
}

_PROGRAMS = ["databuild", "databuild-graphtool"]

def prebuilt_problem(tag, seen):
    """What is wrong with a `prebuilt` tag.

    Args:
        tag: the tag, or a struct with its attributes.
        seen: dictionary of the platforms that had a tag before.

    Returns:
        A text, or None.
    """
    if tag.platform not in PLATFORMS:
        return "unknown platform \"%s\"; write one of %s" % (tag.platform, ", ".join(sorted(PLATFORMS)))
    if tag.platform in seen:
        return "platform \"%s\" is given twice; keep one" % tag.platform
    if bool(tag.urls) == bool(tag.path):
        return "platform \"%s\": give either `urls` or `path`" % tag.platform
    if tag.urls and not tag.sha256:
        return "platform \"%s\": `urls` needs `sha256`, so that the programs are those you mean" % tag.platform
    return None

_PREBUILT_BUILD = """\
load("@databuild//rules:toolchain.bzl", "databuild_exec_toolchain", "databuild_toolchain")

databuild_toolchain(
    name = "toolchain",
    databuild = "bin/databuild",
    visibility = ["//visibility:public"],
)

databuild_exec_toolchain(
    name = "exec_toolchain",
    graphtool = "bin/databuild-graphtool",
    visibility = ["//visibility:public"],
)
"""

def _prebuilt_repository_impl(repository_ctx):
    attr = repository_ctx.attr
    if attr.urls:
        repository_ctx.download_and_extract(
            attr.urls,
            output = "bin",
            sha256 = attr.sha256,
            stripPrefix = attr.strip_prefix,
        )
    else:
        root = repository_ctx.path(attr.path) if attr.path.startswith("/") else repository_ctx.workspace_root.get_child(attr.path)
        for program in _PROGRAMS:
            repository_ctx.symlink(root.get_child(program), "bin/" + program)
    for program in _PROGRAMS:
        if not repository_ctx.path("bin/" + program).exists:
            fail("databuild.prebuilt: there is no `%s` in %s" % (program, attr.urls or attr.path))
    repository_ctx.file("BUILD.bazel", _PREBUILT_BUILD)

prebuilt_repository = repository_rule(
    implementation = _prebuilt_repository_impl,
    doc = "The programs for one platform.",
    attrs = {
        "path": attr.string(),
        "sha256": attr.string(),
        "strip_prefix": attr.string(),
        "urls": attr.string_list(),
    },
)

_HUB_ENTRY = """\
toolchain(
    name = "{platform}",
    target_compatible_with = {constraints},
    toolchain = "@{repository}//:toolchain",
    toolchain_type = "@databuild//rules:toolchain_type",
)

toolchain(
    name = "{platform}_exec",
    exec_compatible_with = {constraints},
    toolchain = "@{repository}//:exec_toolchain",
    toolchain_type = "@databuild//rules:exec_toolchain_type",
)
"""

def _prebuilt_hub_impl(repository_ctx):
    repository_ctx.file("BUILD.bazel", "\n".join([
        _HUB_ENTRY.format(
            constraints = json.encode(PLATFORMS[platform]),
            platform = platform,
            repository = repository,
        )
        for platform, repository in repository_ctx.attr.platforms.items()
    ]))

prebuilt_hub = repository_rule(
    implementation = _prebuilt_hub_impl,
    doc = "Toolchains that refer to the platforms' repositories.",
    attrs = {"platforms": attr.string_dict()},
)
