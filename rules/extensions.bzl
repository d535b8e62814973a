"""Module extension: where DataBuild's programs come from.

The module `databuild_source` offers to build them. A workspace can choose programs that are built already:

```starlark
databuild = use_extension("@databuild//rules:extensions.bzl", "databuild")
databuild.prebuilt()
```
"""

load("//rules/private:prebuilt.bzl", "PLATFORMS", "prebuilt_programs", "prebuilt_repository")
load("//rules/private:release.bzl", "ARCHIVES")
load("//rules/private:toolchains.bzl", "toolchain_repository")

def _databuild_impl(module_ctx):
    # Which program runs on a machine is a choice of the workspace, not of its dependencies.
    chosen = [tag for module in module_ctx.modules if module.is_root for tag in module.tags.prebuilt]
    programs, problem = prebuilt_programs(chosen, ARCHIVES)
    if problem:
        fail("databuild.prebuilt: " + problem)
    for platform, program in programs.items():
        prebuilt_repository(
            name = "databuild_prebuilt_" + platform,
            path = program.path,
            sha256 = program.sha256,
            strip_prefix = program.strip_prefix,
            urls = program.urls,
        )
    sources = [tag for module in module_ctx.modules for tag in module.tags.source]
    if len(sources) > 1:
        fail("databuild.source: two modules offer DataBuild's programs; keep one")
    toolchain_repository(
        name = "databuild_toolchains",
        databuild = str(sources[0].databuild) if sources else "",
        graphtool = str(sources[0].graphtool) if sources else "",
        prebuilt = {platform: "databuild_prebuilt_" + platform for platform in programs},
    )

_prebuilt = tag_class(
    doc = "Programs that are built already, in the root module only. Without attributes: those of the release, for all its platforms.",
    attrs = {
        "path": attr.string(doc = "A folder that holds `databuild` and `databuild-graphtool`, absolute or relative to the workspace; instead of `urls`."),
        "platform": attr.string(doc = "One of %s; by default all of the release." % ", ".join(sorted(PLATFORMS))),
        "sha256": attr.string(doc = "Of the archive."),
        "strip_prefix": attr.string(doc = "Folder of the archive that holds `databuild` and `databuild-graphtool`."),
        "urls": attr.string_list(doc = "Where the archive is."),
    },
)

_source = tag_class(
    doc = "Targets that build the programs; for the module `databuild_source`.",
    attrs = {
        "databuild": attr.label(mandatory = True),
        "graphtool": attr.label(mandatory = True),
    },
)

databuild = module_extension(
    implementation = _databuild_impl,
    doc = "Chooses where the DataBuild programs come from.",
    tag_classes = {
        "prebuilt": _prebuilt,
        "source": _source,
    },
)
