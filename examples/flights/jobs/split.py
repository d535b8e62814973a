"""Cuts the files of months into files of days, many days in one run, and tells which airports there are."""

from __future__ import annotations

from collections import defaultdict

from lib.flights import BadRow, Flight, read, write
from lib.job import run


def split(request: dict, report) -> None:
    days: dict[str, list[Flight]] = defaultdict(list)
    wanted = {output["keys"]["date"] for output in request["outputs"]}
    for month in request["inputs"]["months"]:
        for path in month["paths"]:
            for flight in read(path):
                if flight.date in wanted:
                    days[flight.date].append(flight)
    airports: set[str] = set()
    for output in request["outputs"]:
        flights = sorted(days[output["keys"]["date"]])
        write(output["path"], flights)
        airports.update(flight.origin for flight in flights)
        report(type="done", partition=output["partition"], rows=len(flights))
    for airport in sorted(airports):
        report(type="key", space="airport", key=airport)


if __name__ == "__main__":
    run(split, permanent=BadRow)
