"""Mappings: how an input's keys follow from the keys of an output.

The functions return structs. What is wrong with their arguments is kept in the struct (`problem`) and
told by the rule that gets it, so that it comes with a label.
"""

load(":key_spaces.bzl", "GRANULARITIES")

_EDGES = ["clip", "fail", "skip"]

def is_mapping(value):
    """Whether a value was returned by one of the functions that make mappings."""
    return type(value) == "struct" and getattr(value, "databuild", None) == "mapping"

def edge_problem(name, value):
    """What is wrong with an edge rule, or None."""
    if value == None or value in _EDGES:
        return None
    return "%s = %r is no edge rule; write \"clip\", \"fail\" or \"skip\"" % (name, value)

def _mapping(kind, problem = None, of = None, unit = None, before_start = None, after_end = None, **fields):
    return struct(
        databuild = "mapping",
        after_end = after_end,
        before_start = before_start,
        fields = fields,
        kind = kind,
        needs_of = kind not in ("all", "latest", "only"),
        of = of,
        problem = problem,
        unit = unit,
    )

def same_mapping(dim = None):
    """The output's own key.

    Args:
        dim: the output's dimension; by default the one of the input dimension's name.

    Returns:
        A mapping for `dep`.
    """
    return _mapping("same", of = dim)

def _positive(value):
    return type(value) == "int" and value > 0

def window_mapping(
        days = None,
        hours = None,
        weeks = None,
        months = None,
        years = None,
        count = None,
        dim = None,
        before_start = None,
        after_end = None):
    """The output's key and those right before it.

    Args:
        days: length of the window, for a dimension of days.
        hours: likewise for hours.
        weeks: likewise for weeks.
        months: likewise for months.
        years: likewise for years.
        count: likewise for any time dimension.
        dim: the output's dimension; by default the one of the input dimension's name.
        before_start: edge rule of the whole input, as in `dep`.
        after_end: edge rule of the whole input, as in `dep`.

    Returns:
        A mapping for `dep`.
    """
    given = {
        unit: value
        for unit, value in (
            ("day", days),
            ("hour", hours),
            ("week", weeks),
            ("month", months),
            ("year", years),
            (None, count),
        )
        if value != None
    }
    problem = None
    unit, length = None, 1
    if len(given) != 1:
        problem = "keys.window() needs one length; write keys.window(days = 7), or hours, weeks, months, years or count"
    else:
        unit, length = given.items()[0]
        if not _positive(length):
            problem = "keys.window(%s = %r): the length must be a whole number of 1 or more" % (
                GRANULARITIES[unit].plural if unit else "count",
                length,
            )
            length = 1
    return _mapping(
        "window",
        problem = problem or edge_problem("before_start", before_start) or edge_problem("after_end", after_end),
        of = dim,
        unit = unit,
        before_start = before_start,
        after_end = after_end,
        count = length,
    )

def offset_mapping(by, dim = None):
    """The key some periods away from the output's.

    Args:
        by: how many periods later; negative for earlier; not 0.
        dim: the output's dimension; by default the one of the input dimension's name.

    Returns:
        A mapping for `dep`.
    """
    problem = None
    if type(by) != "int" or by == 0:
        problem = "keys.offset(%r): write a whole number other than 0, such as keys.offset(-1) for the period before" % (by,)
        by = -1
    return _mapping("offset", problem = problem, of = dim, by = by)

def rollup_mapping(dim):
    """All finer periods inside the output's period, such as a month's days.

    Args:
        dim: the output's dimension, coarser than the input's.

    Returns:
        A mapping for `dep`.
    """
    return _mapping("rollup", of = dim)

def fanout_mapping(dim):
    """The coarser period that contains the output's, such as a day's month.

    Args:
        dim: the output's dimension, finer than the input's.

    Returns:
        A mapping for `dep`.
    """
    return _mapping("fanout", of = dim)

def all_mapping():
    """Every key of the input's dimension.

    Returns:
        A mapping for `dep`.
    """
    return _mapping("all")

def latest_mapping(n):
    """The newest keys that exist when a build is planned.

    Args:
        n: how many.

    Returns:
        A mapping for `dep`.
    """
    problem = None
    if not _positive(n):
        problem = "keys.latest(%r): write a whole number of 1 or more" % (n,)
        n = 1
    return _mapping("latest", problem = problem, count = n)

def only_mapping(*keys):
    """The same keys for every output.

    Args:
        *keys: one or more key texts.

    Returns:
        A mapping for `dep`.
    """
    problem = None
    if not keys or [key for key in keys if type(key) != "string"]:
        problem = "keys.only(%s): write one or more key texts, such as keys.only(\"eu\")" % ", ".join([repr(key) for key in keys])
        keys = []
    return _mapping("only", problem = problem, keys = list(keys))

def unit_problem(unit, key_space):
    """Whether a window counts what a dimension's keys are.

    Args:
        unit: granularity that the window names, or None.
        key_space: the dimension's decoded key space.

    Returns:
        What is wrong, or None.
    """
    granularity = key_space.get("granularity")
    if not unit or unit == granularity:
        return None
    if not granularity:
        return "keys.window() needs a dimension of time, and its keys are texts; write keys.same(), keys.all() or keys.only(...)"
    return "the window counts %s, and the dimension's keys are %ss; write %s = ..." % (
        GRANULARITIES[unit].plural,
        granularity,
        GRANULARITIES[granularity].plural,
    )
