"""Key spaces: the keys that a dimension of a dataset has.

The functions return structs. What is wrong with their arguments is kept in the struct (`problem`) and
told by the rule that gets it, so that it comes with a label.
"""

# Units of time keys: what `keys.window` calls each, and which function makes a space of them.
GRANULARITIES = {
    "day": struct(plural = "days", maker = "keys.daily"),
    "hour": struct(plural = "hours", maker = "keys.hourly"),
    "month": struct(plural = "months", maker = "keys.monthly"),
    "week": struct(plural = "weeks", maker = "keys.weekly"),
    "year": struct(plural = "years", maker = "keys.yearly"),
}

def is_key_space(value):
    """Whether a value was returned by one of the functions that make key spaces."""
    return type(value) == "struct" and getattr(value, "databuild", None) == "key_space"

def _space(spec, problem = None):
    return struct(databuild = "key_space", problem = problem, spec = spec)

def _time_space(granularity, start, end, timezone):
    problem = None
    maker = GRANULARITIES[granularity].maker
    for name, value in (("start", start), ("end", end), ("timezone", timezone)):
        if type(value) != "string" and not (name == "end" and value == None):
            problem = "%s(%s = %r): write a text, such as %s = %s" % (
                maker,
                name,
                value,
                name,
                "\"Europe/Berlin\"" if name == "timezone" else "\"2010-01-01\"",
            )
    return _space({
        "end": end,
        "granularity": granularity,
        "kind": "time",
        "start": start,
        "timezone": timezone,
    }, problem)

def hourly_keys(start, end = None, timezone = "UTC"):
    """One key an hour, such as `2010-06-01T13`.

    Args:
        start: the first key.
        end: the last key; left out, the space grows as hours end.
        timezone: the IANA name of the zone whose clock labels the hours.

    Returns:
        A key space for `dims`.
    """
    return _time_space("hour", start, end, timezone)

def daily_keys(start, end = None, timezone = "UTC"):
    """One key a calendar day, such as `2010-06-01`.

    Args:
        start: the first key.
        end: the last key; left out, the space grows as days end.
        timezone: the IANA name of the zone whose midnight ends a day.

    Returns:
        A key space for `dims`.
    """
    return _time_space("day", start, end, timezone)

def weekly_keys(start, end = None, timezone = "UTC"):
    """One key an ISO week (from Monday), such as `2010-W22`.

    Args:
        start: the first key.
        end: the last key; left out, the space grows as weeks end.
        timezone: the IANA name of the zone whose midnight ends a week.

    Returns:
        A key space for `dims`.
    """
    return _time_space("week", start, end, timezone)

def monthly_keys(start, end = None, timezone = "UTC"):
    """One key a month, such as `2010-06`.

    Args:
        start: the first key.
        end: the last key; left out, the space grows as months end.
        timezone: the IANA name of the zone whose midnight ends a month.

    Returns:
        A key space for `dims`.
    """
    return _time_space("month", start, end, timezone)

def yearly_keys(start, end = None, timezone = "UTC"):
    """One key a year, such as `2010`.

    Args:
        start: the first key.
        end: the last key; left out, the space grows as years end.
        timezone: the IANA name of the zone whose midnight ends a year.

    Returns:
        A key space for `dims`.
    """
    return _time_space("year", start, end, timezone)

def static_keys(keys):
    """Listed keys.

    Args:
        keys: list of texts, in the order in which they are to be shown.

    Returns:
        A key space for `dims`.
    """
    problem = None
    if type(keys) not in ("list", "tuple") or [key for key in keys if type(key) != "string"]:
        problem = "keys.static(%r): write a list of texts, such as keys.static([\"eu\", \"us\"])" % (keys,)
        keys = []
    return _space({"keys": list(keys), "kind": "static"}, problem)

def dynamic_keys(name = None):
    """Keys that are added and retired while the system runs, by `databuild keys`, the API or jobs.

    Args:
        name: name of the set of keys. All dimensions with `keys.dynamic` of one name share it. Left out, the
            dimension has a set of its own, named `DATASET:DIMENSION`.

    Returns:
        A key space for `dims`.
    """
    if name == None:
        return _space({"kind": "dynamic"})
    problem = None
    if type(name) != "string" or not name:
        problem = "keys.dynamic(%r): write a name, such as keys.dynamic(\"customers\")" % (name,)
    return _space({"kind": "dynamic", "name": name}, problem)
