"""How limits are written: numbers, amounts of bytes, rates."""

load("//rules:providers.bzl", "DatabuildPoolInfo")
load(":duration.bzl", "parse_duration")

_UNITS = {"g": 1 << 30, "k": 1 << 10, "m": 1 << 20, "t": 1 << 40}

# As in the core's check: so many starts are remembered.
_MOST_STARTS = 1000

def limit_or_zero(name, value, problems):
    """A number of at least 1, or none, as an attribute that has no none.

    Args:
        name: what it is called, for messages.
        value: what was written.
        problems: list that gains what is wrong.

    Returns:
        The number; 0 for none.
    """
    if value == None:
        return 0
    if type(value) != "int" or value < 1:
        problems.append("%s = %r: write a number of at least 1, or leave it out" % (name, value))
        return 0
    return value

def parse_bytes(text):
    """Reads an amount of memory or output.

    Args:
        text: such as `"512m"` or `"2g"`; units are powers of 1024.

    Returns:
        Bytes; None if it is no amount.
    """
    unit = _UNITS.get(text[-1:].lower())
    digits = text[:-1]
    if not unit or not digits.isdigit() or int(digits) == 0:
        return None
    return int(digits) * unit

def parse_rate(text):
    """Reads a rate.

    Args:
        text: a count and a length of time, such as `"10/1m"`.

    Returns:
        A dictionary as the graph file has it; None if it is no rate.
    """
    count, slash, period = text.partition("/")
    milliseconds = parse_duration(period)
    if not slash or not count.isdigit() or not milliseconds or int(count) < 1 or int(count) > _MOST_STARTS:
        return None
    return {"count": int(count), "period_ms": milliseconds}

def run_limits(attr, problems):
    """What a job's runs take, and how many of them there may be.

    Args:
        attr: the attributes of the job.
        problems: list that gains what is wrong.

    Returns:
        A pair: the fields of the graph file, without those of which nothing is said; and the pools.
    """
    limits = {}
    pools = []
    weights = {}
    for target, text in attr.pools.items():
        pool = target[DatabuildPoolInfo]
        weight = int(text)
        if weight < 1:
            problems.append("pools: %d of %s: write a number of at least 1, or leave the pool out" % (weight, pool.label))
        elif weight > pool.slots:
            problems.append("pools: %d of %s, which has %d: make the pool larger, or take less of it" % (weight, pool.label, pool.slots))
        weights[pool.label] = weight
        pools.append(pool)
    if weights:
        limits["pools"] = weights
    for name in ["cpus", "max_running"]:
        if getattr(attr, name):
            limits[name] = getattr(attr, name)
    for name in ["memory", "log_limit"]:
        text = getattr(attr, name)
        if text:
            limits[name] = parse_bytes(text)
            if not limits[name]:
                problems.append("%s = \"%s\": write an amount with its unit, such as \"512m\" or \"2g\"" % (name, text))
    if attr.rate:
        limits["rate"] = parse_rate(attr.rate)
        if not limits["rate"]:
            problems.append("rate = \"%s\": write how many starts, 1 to 1000, in how much time, such as \"10/1m\"" % attr.rate)
    return limits, pools
