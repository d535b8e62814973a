"""Module extension: use prebuilt DataBuild programs instead of building them from source.

```starlark
databuild = use_extension("@databuild//rules:extensions.bzl", "databuild")
databuild.prebuilt(platform = "linux_x86_64", urls = ["https://..."], sha256 = "...")
```
"""

load("//rules/private:prebuilt.bzl", "PLATFORMS", "prebuilt_hub", "prebuilt_problem", "prebuilt_repository")

def _databuild_impl(module_ctx):
    platforms = {}
    for module in module_ctx.modules:
        # Which program runs on a machine is a choice of the workspace, not of its dependencies.
        if not module.is_root:
            continue
        for tag in module.tags.prebuilt:
            problem = prebuilt_problem(tag, platforms)
            if problem:
                fail("databuild.prebuilt: " + problem)
            name = "databuild_prebuilt_" + tag.platform
            platforms[tag.platform] = name
            prebuilt_repository(
                name = name,
                path = tag.path,
                sha256 = tag.sha256,
                strip_prefix = tag.strip_prefix,
                urls = tag.urls,
            )
    prebuilt_hub(name = "databuild_toolchains", platforms = platforms)

_prebuilt = tag_class(
    doc = "Programs for one platform; in the root module only.",
    attrs = {
        "path": attr.string(doc = "A folder that holds `databuild` and `databuild-graphtool`, absolute or relative to the workspace; instead of `urls`."),
        "platform": attr.string(doc = "One of %s." % ", ".join(sorted(PLATFORMS)), mandatory = True),
        "sha256": attr.string(doc = "Of the archive."),
        "strip_prefix": attr.string(doc = "Folder of the archive that holds `databuild` and `databuild-graphtool`."),
        "urls": attr.string_list(doc = "Where the archive is."),
    },
)

databuild = module_extension(
    implementation = _databuild_impl,
    doc = "Chooses where the DataBuild programs come from.",
    tag_classes = {"prebuilt": _prebuilt},
)
