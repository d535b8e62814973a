"""The programs of jobs, checks and observers: executables of any rule, with their code and their environment."""

load("//rules:providers.bzl", "DatabuildSourcesInfo")
load(":fingerprint.bzl", "code_manifest")
load(":paths.bzl", "display_label", "runfiles_path")

def hidden_env_problems(rule_name, binary):
    """What is wrong with the environment of an executable.

    Args:
        rule_name: name of the macro, for messages.
        binary: the executable target.

    Returns:
        A list of texts.
    """
    if DatabuildSourcesInfo in binary and binary[DatabuildSourcesInfo].hidden_env:
        return ["the rule of %s does not pass on its `env`; write `env` of %s instead" % (display_label(binary.label), rule_name)]
    return []

def _environment(ctx, binary):
    """What `RunEnvironmentInfo` of an executable says, the rule's own attributes over it.

    Args:
        ctx: the context of a rule with `env` and `env_inherit`.
        binary: the executable target.

    Returns:
        A pair: a dictionary, and a list of names that are inherited.
    """
    env = {}
    inherit = list(ctx.attr.env_inherit)
    if RunEnvironmentInfo in binary:
        info = binary[RunEnvironmentInfo]
        env.update(info.environment)
        inherit += info.inherited_environment
    env.update(ctx.attr.env)

    # A value that is declared is not inherited.
    return env, sorted({name: None for name in inherit if name not in env})

def _code(ctx, graphtool, binary):
    """Declares the actions that write the code manifest of an executable.

    Args:
        ctx: the rule's context.
        graphtool: the graph tool's FilesToRunProvider.
        binary: the executable target.

    Returns:
        A pair: the manifest, and the runfiles that it speaks of.
    """
    executable = binary[DefaultInfo].files_to_run.executable
    mapping = binary[DefaultInfo].files_to_run.repo_mapping_manifest
    code = ctx.runfiles(files = [executable] + ([mapping] if mapping else [])).merge(binary[DefaultInfo].default_runfiles)
    return code_manifest(ctx, graphtool, executable, code), code

def program(ctx, graphtool, binary, args, timeout_ms, grace_ms = None):
    """Declares what a graph needs to run an executable.

    Args:
        ctx: the context of a rule with `env` and `env_inherit`.
        graphtool: the graph tool's FilesToRunProvider.
        binary: the executable target.
        args: its arguments, a list.
        timeout_ms: time limit of one process, or None.
        grace_ms: time between TERM and KILL; what the core takes if None.

    Returns:
        A struct: `entry`, the record that the graph file has of it; `manifest`, the file with its code manifest; `runfiles`
        that both speak of.
    """
    manifest, code = _code(ctx, graphtool, binary)
    env, env_inherit = _environment(ctx, binary)

    # What is not said does not stand in the graph file.
    limits = ({"timeout_ms": timeout_ms} if timeout_ms != None else {}) | ({"grace_ms": grace_ms} if grace_ms != None else {})
    return struct(
        entry = limits | {
            "args": args,
            "env": env,
            "env_inherit": env_inherit,
            "executable": runfiles_path(binary[DefaultInfo].files_to_run.executable),
            "manifest": runfiles_path(manifest),
        },
        manifest = manifest,
        runfiles = code.merge(ctx.runfiles(files = [manifest])),
    )
