"""Policies: attributes that say how the runs of a job, or those that make a dataset, are treated.

A rule has a table of them, from names to kinds. A kind knows the attribute of the rule, what may be written, and what the
graph file says, so an attribute of a known kind needs nothing but its row and its place in the macro's signature.
"""

load(":duration.bzl", "NO_DURATION", "parse_duration")
load(":limits.bzl", "parse_bytes", "parse_rate")

# As in the core's check: a line that fits a column of a table.
_LONGEST_LINE = 100

def number(least, most = None, optional = True):
    """A kind: a whole number.

    Args:
        least: the smallest one.
        most: the largest one, if there is one.
        optional: whether `None` may be written, of which the graph file says nothing.

    Returns:
        The kind.
    """
    absent = least - 1
    bounds = "of at least %d" % least if most == None else "from %d to %d" % (least, most)
    advice = "write a number %s, or leave it out" % bounds

    def problem(name, value):
        if type(value) == "int" and value >= least and (most == None or value <= most):
            return None
        return "%s = %r: %s" % (name, value, advice)

    def given(name, value, problems):
        # What `select` chooses is known only to the rule.
        if type(value) == "select":
            return value
        wrong = problem(name, value) if value != None or not optional else None
        if wrong:
            problems.append(wrong)
        return absent if wrong or value == None else value

    def entry(name, value, problems):
        if value == absent:
            return {}
        wrong = problem(name, value)
        if wrong:
            problems.append(wrong)
        return {name: value}

    return struct(
        attribute = attr.int(default = absent, doc = "%d if it is not said." % absent),
        entry = entry,
        given = given,
    )

def text(parse, wrong, unit = "", optional = True):
    """A kind: a text with a meaning.

    Args:
        parse: function from a text to what the graph file has for it; gives `None` if it means nothing.
        wrong: what is said after such a text.
        unit: what the field of the graph file is called beyond the attribute, such as `"_ms"`.
        optional: whether `None` may be written, of which the graph file says nothing.

    Returns:
        The kind.
    """

    def given(_name, value, _problems):
        return "" if value == None else value

    def entry(name, value, problems):
        if optional and not value:
            return {}
        parsed = parse(value)
        if parsed == None:
            problems.append("%s = \"%s\"%s" % (name, value, wrong))
        return {name + unit: parsed}

    return struct(
        attribute = attr.string(doc = "Empty if it is not said."),
        entry = entry,
        given = given,
    )

def word(*words):
    """A kind: one of some words, always said.

    Args:
        *words: those that there are.

    Returns:
        The kind.
    """
    advice = " or ".join(["\"%s\"" % each for each in words])
    return text(lambda value: value if value in words else None, ": write " + advice, optional = False)

def duration(optional = True):
    """A kind: a length of time.

    Args:
        optional: whether `None` may be written, of which the graph file says nothing.

    Returns:
        The kind.
    """
    return text(parse_duration, NO_DURATION, unit = "_ms", optional = optional)

def _parse_line(line):
    if line != line.strip() or len(line) > _LONGEST_LINE or [c for c in line.elems() if c < " " or c == "\177"]:
        return None
    return line

BYTES = text(parse_bytes, ": write an amount with its unit, such as \"512m\" or \"2g\"")
COUNT = number(1)
LINE = text(_parse_line, ": write one line of at most %d characters, without spaces around it" % _LONGEST_LINE)
RATE = text(parse_rate, ": write how many starts, 1 to 1000, in how much time, such as \"10/1m\"")

def policy_attributes(kinds):
    """The attributes of a rule.

    Args:
        kinds: its table.

    Returns:
        A dictionary for `attrs`.
    """
    return {name: kind.attribute for name, kind in kinds.items()}

def policy_values(kinds, given, problems):
    """What the macro gives to the rule.

    Args:
        kinds: the rule's table.
        given: dictionary from each of its names to what the macro was given.
        problems: list that gains what is wrong.

    Returns:
        A dictionary of arguments.
    """
    return {name: kind.given(name, given[name], problems) for name, kind in kinds.items()}

def policy_entry(kinds, attributes, problems):
    """What the graph file says.

    Args:
        kinds: the rule's table.
        attributes: `ctx.attr`.
        problems: list that gains what is wrong.

    Returns:
        A dictionary of fields, without those of which nothing is said.
    """
    entry = {}
    for name, kind in kinds.items():
        entry |= kind.entry(name, getattr(attributes, name), problems)
    return entry
