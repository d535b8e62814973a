"""Which built programs a workspace has chosen, and the repositories that hold them: one for each platform."""

PLATFORMS = {
    "linux_aarch64": ["@platforms//os:linux", "@platforms//cpu:aarch64"],
    "linux_x86_64": ["@platforms//os:linux", "@platforms//cpu:x86_64"],
    "macos_aarch64": ["@platforms//os:macos", "@platforms//cpu:aarch64"],
    "macos_x86_64": ["@platforms//os:macos", "@platforms//cpu:x86_64"],
}

_PROGRAMS = ["databuild", "databuild-graphtool"]

def _chosen(tag, archives):
    """What one tag chooses, by platform, and what is wrong with it."""
    at = "platform \"%s\": " % tag.platform if tag.platform else ""
    if tag.platform and tag.platform not in PLATFORMS:
        return {}, "unknown platform \"%s\"; write one of %s" % (tag.platform, ", ".join(sorted(PLATFORMS)))
    if not tag.urls and not tag.path:
        if tag.sha256 or tag.strip_prefix:
            return {}, at + "`sha256` and `strip_prefix` belong to `urls`; add them, or leave all three out to take the programs of the release"
        if not archives:
            return {}, at + "this copy of DataBuild is no release, so no programs belong to it; give `urls` or `path`"
        released = {platform: archives[platform] for platform in archives if tag.platform in ("", platform)}
        if not released:
            return {}, at + "the release has programs for %s only; build them from source, or give `urls` or `path`" % ", ".join(sorted(archives))
        return {
            platform: struct(path = "", sha256 = archive["sha256"], strip_prefix = "", urls = archive["urls"])
            for platform, archive in released.items()
        }, None
    if not tag.platform:
        return {}, "`urls` and `path` are of one platform; write which: one of %s" % ", ".join(sorted(PLATFORMS))
    if tag.urls and tag.path:
        return {}, at + "give either `urls` or `path`"
    if tag.urls and not tag.sha256:
        return {}, at + "`urls` needs `sha256`, so that the programs are those you mean"
    return {tag.platform: tag}, None

def prebuilt_programs(tags, archives):
    """The built programs that a workspace has chosen.

    Args:
        tags: its `prebuilt` tags, or structs with their attributes.
        archives: the archives of the release, as in release.bzl.

    Returns:
        A pair: a dictionary from platforms to structs of `path`, `sha256`, `strip_prefix` and `urls`; and a text of
        what is wrong, or None.
    """
    programs = {}
    for tag in tags:
        chosen, problem = _chosen(tag, archives)
        if problem:
            return {}, problem
        for platform, choice in chosen.items():
            if platform in programs:
                return {}, "platform \"%s\" is given twice; keep one" % platform
            programs[platform] = choice
    return programs, None

_BUILD = """\
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
    repository_ctx.file("BUILD.bazel", _BUILD)

prebuilt_repository = repository_rule(
    implementation = _prebuilt_repository_impl,
    doc = "The programs for one platform; fetched only if a build uses them.",
    attrs = {
        "path": attr.string(),
        "sha256": attr.string(),
        "strip_prefix": attr.string(),
        "urls": attr.string_list(),
    },
)
