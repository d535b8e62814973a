"""How limits are written: amounts of bytes, rates, weights of pools."""

load("//rules:providers.bzl", "DatabuildPoolInfo")
load(":duration.bzl", "parse_duration")

_UNITS = {"g": 1 << 30, "k": 1 << 10, "m": 1 << 20, "t": 1 << 40}

# As in the core's check: so many starts are remembered.
_MOST_STARTS = 1000

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

def pool_weights(given, problems):
    """What each run of a job takes of pools.

    Args:
        given: dictionary from the targets of pools to numbers as texts.
        problems: list that gains what is wrong.

    Returns:
        A pair: numbers by the pools' labels, and the pools.
    """
    pools = []
    weights = {}
    for target, text in given.items():
        pool = target[DatabuildPoolInfo]
        weight = int(text)
        if weight < 1:
            problems.append("pools: %d of %s: write a number of at least 1, or leave the pool out" % (weight, pool.label))
        elif weight > pool.slots:
            problems.append("pools: %d of %s, which has %d: make the pool larger, or take less of it" % (weight, pool.label, pool.slots))
        weights[pool.label] = weight
        pools.append(pool)
    return weights, pools
