"""A month's airports on one page, the least punctual first."""

from __future__ import annotations

import html
import json

from lib.job import run

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Punctuality {month}</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 46rem; }}
td, th {{ padding: .15rem .6rem; text-align: right; }}
td:first-child, th:first-child {{ text-align: left; }}
.bar {{ background: #d9544d; height: .8rem; }}
</style>
<h1>Punctuality, {month}</h1>
<p>{flights} flights from {airports} airports. Late means more than 15 minutes.</p>
<table>
<tr><th>airport<th>flights<th>late<th><th>mean delay<th>worst
{rows}
</table>
"""
ROW = (
    "<tr><td>{airport}<td>{flights}<td>{late:.0%}"
    '<td><div class="bar" style="width:{width:.0f}px"></div><td>{mean_delay:.1f} min<td>{worst_delay} min'
)


def page(month: str, airports: dict[str, dict]) -> str:
    """The page of a month's figures by airport."""
    ranked = sorted(airports.items(), key=lambda item: (-item[1]["late"], item[0]))
    rows = [ROW.format(airport=html.escape(name), width=200 * figures["late"], **figures) for name, figures in ranked]
    flights = sum(figures["flights"] for figures in airports.values())
    return PAGE.format(month=html.escape(month), airports=len(airports), flights=flights, rows="\n".join(rows))


def ranking(request: dict, report) -> None:
    (output,) = request["outputs"]
    airports = {}
    for partition in request["inputs"]["airports"]:
        if not partition["empty"]:
            with open(partition["path"], encoding="utf-8") as file:
                airports[partition["keys"]["airport"]] = json.load(file)
    with open(output["path"], "w", encoding="utf-8") as file:
        file.write(page(output["keys"]["month"], airports))
    report(type="done", partition=output["partition"], rows=len(airports))


if __name__ == "__main__":
    run(ranking)
