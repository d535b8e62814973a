"""Actions that write a job's code manifest: the exact content of its executable and runfiles.

The runfiles are hashed in two actions, one for the main repository and one for all others. Each has
every file as an input, which costs no flattening of depsets, and lists the other's files as unused, so
that an edit in the main repository does not read thousands of external files again.
"""

load(":paths.bzl", "MAIN_REPO", "runfiles_path")

# Whose tool the actions run: Bazel has to be told, so that it can choose where each action runs.
EXEC_TOOLCHAIN = Label("//rules:exec_toolchain_type")

def _is_external(file):
    return file.short_path.startswith("../")

def _directive(file):
    # Bazel 7 has no File.is_symlink; there the tool sees a declared symlink that leads nowhere.
    kind = "link" if getattr(file, "is_symlink", False) else "file"
    return "%s\t%s\t%s" % (kind, runfiles_path(file), file.path)

def _main_file(file):
    return None if _is_external(file) else _directive(file)

def _external_file(file):
    return _directive(file) if _is_external(file) else None

def _main_unused(file):
    return None if _is_external(file) else "unused\t" + file.path

def _external_unused(file):
    return "unused\t" + file.path if _is_external(file) else None

def _symlink(entry):
    path = entry.path[3:] if entry.path.startswith("../") else MAIN_REPO + "/" + entry.path
    return "file\t%s\t%s" % (path, entry.target_file.path)

def _root_symlink(entry):
    return "file\t%s\t%s" % (entry.path, entry.target_file.path)

def _empty(path):
    return "empty\t" + (path[3:] if path.startswith("../") else MAIN_REPO + "/" + path)

def tool_params(ctx, command, out):
    """Begins the parameter file of a call of the graph tool.

    Args:
        ctx: the rule's context.
        command: the tool's command.
        out: File to write.

    Returns:
        An Args, to which directives can be added.
    """
    args = ctx.actions.args()
    args.use_param_file("@%s", use_always = True)
    args.set_param_file_format("multiline")
    args.add(command)
    args.add(out, format = "--out=%s")
    return args

def _part(ctx, graphtool, part, executable, runfiles):
    out = ctx.actions.declare_file("%s.code.%s" % (ctx.label.name, part))
    unused = ctx.actions.declare_file("%s.code.%s.unused" % (ctx.label.name, part))
    main = part == "main"
    args = tool_params(ctx, "manifest", out)
    args.add(unused, format = "--unused=%s")
    args.add(runfiles_path(executable), format = "--executable=%s")

    # The order is Bazel's when it lays out runfiles: where paths are equal, the later one wins.
    if main:
        args.add_all(runfiles.empty_filenames, map_each = _empty)
        args.add_all(runfiles.symlinks, map_each = _symlink)
    args.add_all(runfiles.files, map_each = _main_file if main else _external_file)
    if main:
        args.add_all(runfiles.root_symlinks, map_each = _root_symlink)
    args.add_all(
        runfiles.files,
        map_each = _external_unused if main else _main_unused,
        expand_directories = False,
    )
    ctx.actions.run(
        executable = graphtool,
        arguments = [args],
        # Links made with `symlinks` are few: flattening them is cheap.
        inputs = depset(
            [entry.target_file for entry in runfiles.symlinks.to_list()] +
            [entry.target_file for entry in runfiles.root_symlinks.to_list()],
            transitive = [runfiles.files],
        ),
        outputs = [out, unused],
        unused_inputs_list = unused,
        # Thousands of inputs: making a sandbox of them costs ten times what hashing them does.
        execution_requirements = {"no-sandbox": "1"},
        mnemonic = "DatabuildFingerprint",
        progress_message = "Fingerprinting %{label} (" + part + ")",
        toolchain = EXEC_TOOLCHAIN,
    )
    return out

def code_manifest(ctx, graphtool, executable, runfiles):
    """Declares the actions that write a job's code manifest.

    Mode bits are left out (Bazel marks every generated file executable and does not notice a `chmod`),
    and so are `args` and `env`, which have digests of their own.

    Args:
        ctx: the rule's context.
        graphtool: the graph tool's FilesToRunProvider.
        executable: File that the job runs.
        runfiles: runfiles, the executable among them.

    Returns:
        File: the manifest.
    """
    parts = [_part(ctx, graphtool, part, executable, runfiles) for part in ("main", "ext")]
    out = ctx.actions.declare_file(ctx.label.name + ".code.manifest")
    args = tool_params(ctx, "merge", out)
    args.add_all(parts, format_each = "manifest\t%s")
    ctx.actions.run(
        executable = graphtool,
        arguments = [args],
        inputs = parts,
        outputs = [out],
        mnemonic = "DatabuildFingerprintMerge",
        progress_message = "Fingerprinting %{label}",
        toolchain = EXEC_TOOLCHAIN,
    )
    return out
