"""The mean of all hourly readings of a day and the six days before it.

At the start of the year the window is cut off (`before_start = "clip"`), so the column `days` says how many days a mean
stands for.
"""

from __future__ import annotations

from lib.job import BadInput, Done, Partition, Request, read_rows, run, write_text
from lib.rolling import rolling_mean


def readings_of(day: Partition) -> list[float]:
    """The readings of one partition of `hourly_temps`."""
    readings = []
    for row in read_rows(day.path, ["time", "temp_f"]):
        try:
            readings.append(float(row["temp_f"]))
        except ValueError:
            raise BadInput(f"{day.path}: not a temperature at {row['time']}: {row['temp_f']!r}") from None
    if not readings:
        raise BadInput(f"{day.path}: no readings")
    return readings


def smooth(request: Request) -> Done:
    days = request.inputs["temps"]
    try:
        mean = rolling_mean([reading for day in days for reading in readings_of(day)])
    except ValueError as problem:
        raise BadInput(f"{request.output.reference}: {problem}") from None
    keys = request.output.keys
    write_text(
        request.output.path,
        f"city,date,mean_7d_f,days\n{keys['city']},{keys['date']},{mean:.2f},{len(days)}\n",
    )
    return Done(rows=1, metadata={"days": len(days), "mean_7d_f": round(mean, 2)})


if __name__ == "__main__":
    run(smooth)
