"""`observe`: how the data versions of an external dataset are found out."""

load(":attributes.bzl", "unfilled_problems")
load(":duration.bzl", "parse_duration")

def is_observation(value):
    """Whether a value was returned by one of `observe.*`."""
    return type(value) == "struct" and getattr(value, "databuild", None) == "observation"

def _observation(kind, problems, fields = {}, probe = None, env = {}, env_inherit = []):
    return struct(
        databuild = "observation",
        env = env,
        env_inherit = env_inherit,
        fields = fields,
        kind = kind,
        probe = probe,
        problems = problems,
    )

def _text(at, value, example, problems):
    if type(value) != "string" or not value:
        problems.append("%s(%r): write a text, such as %s" % (at, value, example))
        return ""
    return value

def _duration(at, name, text, problems):
    parsed = parse_duration(text) if type(text) == "string" else None
    if parsed == None:
        problems.append("%s: %s = %r is no duration; write numbers with a unit, such as \"500ms\", \"30s\" or \"5m\"" % (at, name, text))
    return parsed or 0

def _timeout(at, text, problems):
    parsed = _duration(at, "timeout", text, problems)
    if not parsed and not problems:
        problems.append("%s: timeout = %r is no time to wait; write at least \"1ms\"" % (at, text))
    return parsed

def observe_program(binary, args = [], timeout = "30s", every = "0s", env = {}, env_inherit = []):
    """A program says which data versions partitions have.

    Args:
        binary: an executable target. One process is asked about all partitions of the dataset that matter.
        args: its arguments.
        timeout: time limit of one process.
        every: an answer younger than this is believed without asking again.
        env: its environment. It does not see the environment of the terminal.
        env_inherit: names of variables that are taken from the terminal's environment nevertheless.

    Returns:
        A value for `observe` of `databuild_dataset`.
    """
    problems = []
    at = "observe.program"
    if type(binary) not in ("string", "Label"):
        problems.append("%s(%r): the first argument is the label of an executable target, such as \":probe\"" % (at, binary))
        binary = None
    if type(args) != "list" or [arg for arg in args if type(arg) != "string"]:
        problems.append("%s: args = %r: write a list of texts" % (at, args))
    else:
        problems += unfilled_problems(at + ": args", args)
    if type(env) == "dict":
        problems += unfilled_problems(at + ": env", env.values())
    fields = {
        "args": args,
        "every_ms": _duration(at, "every", every, problems),
        "timeout_ms": _timeout(at, timeout, problems),
    }
    return _observation("program", problems, fields, binary, env, env_inherit)

def observe_glob(pattern):
    """The files that match a pattern are the data of a partition, and their contents its data version.

    Args:
        pattern: a path with `{dimension}` for each dimension, and with `*`, `?`, `[abc]` and `**`; relative to the
            workspace, or absolute.

    Returns:
        A value for `observe` of `databuild_dataset`.
    """
    problems = []
    pattern = _text("observe.glob", pattern, "\"data/{city}/*.csv\"", problems)
    return _observation("glob", problems, {"pattern": pattern})

def observe_http(url, timeout = "10s", every = "0s"):
    """A server is asked for the ETag, else the time of modification, else the content.

    Args:
        url: with `{dimension}` for each dimension.
        timeout: time limit of one question.
        every: an answer younger than this is believed without asking again.

    Returns:
        A value for `observe` of `databuild_dataset`.
    """
    problems = []
    at = "observe.http"
    url = _text(at, url, "\"https://example.com/{city}.csv\"", problems)
    fields = {
        "every_ms": _duration(at, "every", every, problems),
        "timeout_ms": _timeout(at, timeout, problems),
        "url": url,
    }
    return _observation("http", problems, fields)

observe = struct(
    glob = observe_glob,
    http = observe_http,
    program = observe_program,
)
