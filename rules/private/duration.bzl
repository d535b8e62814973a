"""Durations as texts: "500ms", "90s", "20m", "1h30m", "2d"."""

# What is said after a text that is none.
NO_DURATION = " is no duration; write numbers with a unit, such as \"500ms\", \"90s\", \"20m\" or \"1h30m\""

_UNITS = {"d": 86400000, "h": 3600000, "m": 60000, "ms": 1, "s": 1000}

def parse_duration(text):
    """Parses a duration.

    Args:
        text: whole numbers, each followed by `ms`, `s`, `m`, `h` or `d`.

    Returns:
        Milliseconds, or None if the text is no duration.
    """
    total = 0
    number = ""
    unit = ""
    for c in text.elems():
        if c.isdigit():
            if unit:
                if unit not in _UNITS:
                    return None
                total += int(number) * _UNITS[unit]
                number = ""
                unit = ""
            number += c
        elif number:
            unit += c
        else:
            return None
    if unit not in _UNITS:
        return None
    return total + int(number) * _UNITS[unit]

def duration_or_problem(name, text, problems):
    """Parses a duration that somebody wrote.

    Args:
        name: what it is called, for messages.
        text: what was written.
        problems: list that gains what is wrong.

    Returns:
        Milliseconds; 0 if the text is no duration.
    """
    parsed = parse_duration(text)
    if parsed == None:
        problems.append("%s = \"%s\"%s" % (name, text, NO_DURATION))
    return parsed or 0
