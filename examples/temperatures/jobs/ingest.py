"""Cuts one city's day out of the raw file of its year, in one format for all cities.

The raw files differ in column order and in time format; what leaves this job is `time,temp_f`, sorted by time, with
`2010-03-14T04:00` for a time and the reading as it stood in the source. A day has as many rows as the source has hours.
"""

from __future__ import annotations

import re

from lib.job import BadInput, Done, Request, read_rows, run, write_text

_TIME = re.compile(r"(\d{4})/(\d{2})/(\d{2}) ([01]\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?")
_READING = re.compile(r"-?\d+(?:\.\d+)?")


def day_of(rows: list[dict[str, str]], date: str, source: str) -> list[tuple[str, str]]:
    """The (time, reading) pairs of `date` among `rows`, in the order of time."""
    hours: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        match = _TIME.fullmatch(row["date"].strip())
        if not match:
            raise BadInput(f"{source}:{number}: not a time like 2010/01/31 13:00: {row['date']!r}")
        year, month, day, hour, minute = match.groups()
        if f"{year}-{month}-{day}" != date:
            continue
        time = f"{date}T{hour}:{minute}"
        reading = row["temp"].strip()
        if not _READING.fullmatch(reading):
            raise BadInput(f"{source}:{number}: not a temperature: {row['temp']!r}")
        if time in hours:
            raise BadInput(f"{source}:{number}: a second reading for {time}")
        hours[time] = reading
    if not hours:
        raise BadInput(f"{source}: no readings for {date}")
    return sorted(hours.items())


def ingest(request: Request) -> Done:
    source = request.the_input("raw").path
    hours = day_of(read_rows(source, ["date", "temp"]), request.output.keys["date"], source)
    write_text(request.output.path, "time,temp_f\n" + "".join(f"{time},{reading}\n" for time, reading in hours))
    return Done(rows=len(hours), metadata={"hours": len(hours)})


if __name__ == "__main__":
    run(ingest)
