"""Filters of test scripts: parts of the names of what is to be run.

A filter that fits no name is refused, each by itself. Otherwise a script with a misspelled filter would run less than was
asked for, or nothing, and still end with success.
"""

import sys

# Names that a refusal lists.
MOST_NAMES = 20


def chosen(name, filters):
    """Whether one of the filters is a part of the name. Without filters every name is chosen."""
    return not filters or any(part in name for part in filters)


def refuse_unknown(filters, names):
    """Ends the script with status 2, and lists the first names, if a filter fits none of them."""
    unknown = [part for part in filters if not any(part in name for name in names)]
    if not unknown:
        return
    print(f"no name contains {' or '.join(repr(part) for part in unknown)}; there are:", file=sys.stderr)
    for name in names[:MOST_NAMES]:
        print(f"  {name}", file=sys.stderr)
    if len(names) > MOST_NAMES:
        print(f"  and {len(names) - MOST_NAMES} more", file=sys.stderr)
    sys.exit(2)
