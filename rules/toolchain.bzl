"""DataBuild's toolchains: where the server and the build-time graph tool come from."""

load("//rules/private:transitions.bzl", "fixed_transition")

DatabuildToolchainInfo = provider(
    doc = "The command line and server program, for the machine that runs `bazel run`.",
    fields = {
        "default_info": "DefaultInfo of the program.",
        "executable": "File: the program.",
    },
)

DatabuildExecToolchainInfo = provider(
    doc = "The graph tool, for the machines that run actions.",
    fields = {
        "graphtool": "FilesToRunProvider of the tool.",
    },
)

def _single(attr):
    # A label with a Starlark transition comes as a list.
    return attr[0] if type(attr) == "list" else attr

def _databuild_toolchain_impl(ctx):
    default_info = _single(ctx.attr.databuild)[DefaultInfo]
    return [platform_common.ToolchainInfo(databuild = DatabuildToolchainInfo(
        default_info = default_info,
        executable = default_info.files_to_run.executable,
    ))]

databuild_toolchain = rule(
    implementation = _databuild_toolchain_impl,
    doc = "Provides the program for `//rules:toolchain_type`.",
    attrs = {
        "databuild": attr.label(
            allow_files = True,
            cfg = fixed_transition,
            doc = "The program; always built optimized.",
            executable = True,
            mandatory = True,
        ),
    },
)

def _databuild_exec_toolchain_impl(ctx):
    return [platform_common.ToolchainInfo(databuild_exec = DatabuildExecToolchainInfo(
        graphtool = ctx.attr.graphtool[DefaultInfo].files_to_run,
    ))]

databuild_exec_toolchain = rule(
    implementation = _databuild_exec_toolchain_impl,
    doc = "Provides the graph tool for `//rules:exec_toolchain_type`.",
    attrs = {
        "graphtool": attr.label(
            allow_files = True,
            cfg = "exec",
            doc = "The tool.",
            executable = True,
            mandatory = True,
        ),
    },
)
