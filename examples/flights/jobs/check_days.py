"""Whether the files of days hold the flights of their day, in order, and each flight once: a check of many at a time."""

from __future__ import annotations

import os
from typing import Optional

from lib.flights import BadRow, read
from lib.job import run


def problem(path: str, date: str) -> Optional[str]:
    """What is wrong with the file of a day, if anything."""
    try:
        flights = list(read(path))
    except BadRow as bad:
        return str(bad)
    for number, flight in enumerate(flights, start=2):
        if flight.date != date:
            return f"row {number} is of {flight.date}"
        if flight.distance <= 0:
            return f"row {number} is a flight of {flight.distance} miles"
    if flights != sorted(set(flights)):
        return "its flights are not in order, or one is there twice"
    return None


def check_days(request: dict, report) -> None:
    for output in request["outputs"]:
        if not os.path.exists(output["path"]):
            continue
        found = problem(output["path"], output["keys"]["date"])
        report(type="check", partition=output["partition"], ok=found is None, message=found or "")


if __name__ == "__main__":
    run(check_days)
