"""How late the flights from one airport were in one month."""

from __future__ import annotations

import json
import statistics

from lib.flights import read
from lib.job import run


def summary(delays: list[int]) -> dict:
    """Figures of the delays in minutes of at least one flight; `late` is the share of more than 15 minutes."""
    late = sum(delay > 15 for delay in delays)
    return {
        "flights": len(delays),
        "late": round(late / len(delays), 4),
        "mean_delay": round(statistics.fmean(delays), 2),
        "median_delay": statistics.median(delays),
        "worst_delay": max(delays),
    }


def punctuality(request: dict, report) -> None:
    (output,) = request["outputs"]
    airport = output["keys"]["airport"]
    days = request["inputs"]["days"]
    delays = [flight.delay for day in days for flight in read(day["path"]) if flight.origin == airport]
    if not delays:
        report(type="empty", partition=output["partition"])
        return
    figures = summary(delays)
    with open(output["path"], "w", encoding="utf-8") as file:
        file.write(json.dumps(figures, sort_keys=True) + "\n")
    report(type="done", partition=output["partition"], rows=1, metadata=figures)


if __name__ == "__main__":
    run(punctuality)
