"""The configuration in which code that runs outside Bazel is built."""

def _fixed_impl(_settings, _attr):
    return {
        "//command_line_option:compilation_mode": "opt",
        "//command_line_option:stamp": False,
    }

# Job binaries and the server have one configuration whatever the command line says, so that building
# with `-c dbg` makes no data stale and restarts no server.
fixed_transition = transition(
    implementation = _fixed_impl,
    inputs = [],
    outputs = [
        "//command_line_option:compilation_mode",
        "//command_line_option:stamp",
    ],
)
