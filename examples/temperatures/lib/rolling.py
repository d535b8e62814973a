"""The arithmetic of the rolling mean.

Only the job `//:smooth` uses this file: after an edit here exactly the partitions of `temps_7d` are stale.
"""

from __future__ import annotations

import math

# How many of the lowest and of the highest readings are dropped before averaging.
TRIM = 0


def rolling_mean(readings: list[float], trim: int = TRIM) -> float:
    """The mean of `readings` without the `trim` lowest and the `trim` highest."""
    kept = sorted(readings)[trim : len(readings) - trim]
    if not kept:
        raise ValueError(f"{len(readings)} readings leave none after trimming {trim} at each end")
    return math.fsum(kept) / len(kept)
