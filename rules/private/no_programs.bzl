"""What stands in the place of DataBuild's programs in a workspace that has not said where they come from."""

_MESSAGE = """DataBuild's programs are missing. MODULE.bazel says where they come from:
  from source, with the Rust rules:  bazel_dep(name = "databuild_source", ...), of the same version as databuild
  built already, from a release:     databuild = use_extension("@databuild//rules:extensions.bzl", "databuild")
                                     databuild.prebuilt()
What each needs is in docs/rules.md, "Where the programs come from"."""

def _no_programs_impl(_ctx):
    fail(_MESSAGE)

no_programs = rule(
    implementation = _no_programs_impl,
    doc = "Fails, saying what to write.",
)
