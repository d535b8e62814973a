"""The repository with nothing but the toolchains that a workspace can use, in the order in which MODULE.bazel registers them.

A `toolchain` target only refers to what it stands for, so programs are fetched or built only if a build selects them.
"""

load(":prebuilt.bzl", "PLATFORMS")

_TOOLCHAINS = """
toolchain(
    name = "{name}",
    target_compatible_with = {constraints},
    toolchain = "{toolchain}",
    toolchain_type = "@databuild//rules:toolchain_type",
)

toolchain(
    name = "{name}_exec",
    exec_compatible_with = {constraints},
    toolchain = "{exec_toolchain}",
    toolchain_type = "@databuild//rules:exec_toolchain_type",
)
"""

_SOURCE = """
load("@databuild//rules:toolchain.bzl", "databuild_exec_toolchain", "databuild_toolchain")

databuild_toolchain(
    name = "programs",
    databuild = "{databuild}",
)

databuild_exec_toolchain(
    name = "exec_programs",
    graphtool = "{graphtool}",
)
"""

_NONE = """
load("@databuild//rules/private:no_programs.bzl", "no_programs")

no_programs(name = "programs")
"""

def _package(repository_ctx, name, parts):
    text = "package(default_visibility = [\"//visibility:public\"])\n"
    repository_ctx.file(name + "/BUILD.bazel", "\n".join([text] + parts))

def _toolchain_repository_impl(repository_ctx):
    attr = repository_ctx.attr
    _package(repository_ctx, "prebuilt", [
        _TOOLCHAINS.format(
            constraints = json.encode(PLATFORMS[platform]),
            exec_toolchain = "@%s//:exec_toolchain" % repository,
            name = platform,
            toolchain = "@%s//:toolchain" % repository,
        )
        for platform, repository in attr.prebuilt.items()
    ])
    _package(repository_ctx, "source", [
        _SOURCE.format(databuild = attr.databuild, graphtool = attr.graphtool),
        _TOOLCHAINS.format(constraints = [], exec_toolchain = ":exec_programs", name = "source", toolchain = ":programs"),
    ] if attr.databuild else [])
    _package(repository_ctx, "none", [
        _NONE,
        _TOOLCHAINS.format(constraints = [], exec_toolchain = ":programs", name = "none", toolchain = ":programs"),
    ])

toolchain_repository = repository_rule(
    implementation = _toolchain_repository_impl,
    doc = "Toolchains in the packages `prebuilt`, `source` and `none`.",
    attrs = {
        "databuild": attr.string(doc = "Canonical label of the program from source; empty if there is none."),
        "graphtool": attr.string(doc = "Likewise of the graph tool."),
        "prebuilt": attr.string_dict(doc = "From platforms to the repositories of their programs."),
    },
)
