"""What a flight is, and how the files of this workspace hold flights."""

from __future__ import annotations

import csv
import re
from typing import Iterator, NamedTuple

COLUMNS = ["departure", "origin", "destination", "distance_miles", "delay_minutes"]
_DEPARTURE = re.compile(r"(\d{4}-\d{2}-\d{2}) ([01]\d|2[0-3]):[0-5]\d")
_AIRPORT = re.compile(r"[A-Z]{3}")


class BadRow(ValueError):
    """Which row of which file, and what is wrong with it."""


class Flight(NamedTuple):
    """One row. Distance in miles, delay in minutes; negative is early."""

    departure: str
    origin: str
    destination: str
    distance: int
    delay: int

    @property
    def date(self) -> str:
        return self.departure[:10]


def read(path: str) -> Iterator[Flight]:
    """The flights of a file, in its order."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = csv.reader(file, strict=True)
        header = next(rows, [])
        if header != COLUMNS:
            raise BadRow(f"{path}:1: expected the header {','.join(COLUMNS)}, got {','.join(header)!r}")
        for number, row in enumerate(rows, start=2):
            yield _parse(row, f"{path}:{number}")


def _parse(row: list[str], where: str) -> Flight:
    if len(row) != len(COLUMNS):
        raise BadRow(f"{where}: expected {len(COLUMNS)} fields, got {len(row)}")
    departure, origin, destination, distance, delay = row
    if not _DEPARTURE.fullmatch(departure):
        raise BadRow(f"{where}: not a time like 2001-01-31 13:00: {departure!r}")
    for airport in (origin, destination):
        if not _AIRPORT.fullmatch(airport):
            raise BadRow(f"{where}: not an airport's code: {airport!r}")
    try:
        return Flight(departure, origin, destination, int(distance), int(delay))
    except ValueError:
        raise BadRow(f"{where}: distance and delay are whole numbers: {distance!r}, {delay!r}") from None


def write(path: str, flights: list[Flight]) -> None:
    """Writes flights as [`read`] reads them."""
    lines = [",".join(COLUMNS)] + [",".join(map(str, flight)) for flight in flights]
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write("\n".join(lines) + "\n")
