"""A month of all cities side by side: one HTML page that needs nothing beside itself.

Reads three inputs, each with all cities: the daily statistics and the 7-day means of the month's days, and the monthly
roll-up. The page holds no time of day and no path, so the same data gives the same bytes.
"""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from lib.chart import Day, Series, celsius, degrees, mark, means_chart, ranges_chart, signed
from lib.job import BadInput, Done, Partition, Request, read_rows, run, write_text
from lib.page import page

_MONTHS = (
    "January February March April May June July August September October November December"
).split()


class Month(NamedTuple):
    """One city's month as the roll-up has it, in degrees Fahrenheit."""

    low: float
    mean: float
    high: float
    days: int
    hours: int


class City(NamedTuple):
    series: Series
    month: Month


def compare(request: Request) -> Done:
    month = request.output.keys["month"]
    stats = _by_city(request.inputs["days"])
    smoothed = _by_city(request.inputs["rolling"])
    months = _by_city(request.inputs["months"])
    if not stats or not stats.keys() == smoothed.keys() == months.keys():
        raise BadInput(f"{month}: the inputs are of different cities: {[*stats]}, {[*smoothed]}, {[*months]}")
    cities = [_city(name, stats[name], smoothed[name], months[name]) for name in sorted(stats)]
    lengths = {len(city.series.days) for city in cities}
    if len(lengths) != 1:
        raise BadInput(f"{month}: the cities have different numbers of days: {sorted(lengths)}")
    write_text(request.output.path, render(month, cities))
    return Done(rows=sum(len(city.series.days) for city in cities), metadata={"cities": len(cities)})


def _by_city(partitions: list[Partition]) -> dict[str, list[dict[str, str]]]:
    """The single row of each partition, grouped by city and in the order of time."""
    rows: dict[str, list[dict[str, str]]] = {}
    for partition in sorted(partitions, key=lambda partition: sorted(partition.keys.items())):
        found = read_rows(partition.path, ["city"])
        if len(found) != 1:
            raise BadInput(f"{partition.path}: expected one row, got {len(found)}")
        rows.setdefault(partition.keys["city"], []).append(found[0])
    return rows


def _city(key: str, stats: list[dict], smoothed: list[dict], months: list[dict]) -> City:
    try:
        if [row["date"] for row in stats] != [row["date"] for row in smoothed] or len(months) != 1:
            raise BadInput(f"{key}: the daily statistics, the 7-day means and the month do not belong together")
        days = [
            Day(
                number=int(row["date"][8:]),
                low=float(row["min_f"]),
                mean=float(row["mean_f"]),
                high=float(row["max_f"]),
                mean_7d=float(week["mean_7d_f"]),
                window=int(week["days"]),
                hours=int(row["hours"]),
            )
            for row, week in zip(stats, smoothed)
        ]
        row = months[0]
        month = Month(
            float(row["min_f"]), float(row["mean_f"]), float(row["max_f"]), int(row["days"]), int(row["hours"])
        )
    except (KeyError, ValueError) as problem:
        raise BadInput(f"{key}: a missing column or a value that is no number: {problem}") from None
    return City(Series(key.replace("-", " ").title(), days), month)


def render(month: str, cities: list[City]) -> str:
    """The page for `month`, like 2010-06."""
    year, number = month.split("-")
    name = _MONTHS[int(number) - 1]
    names = _listed([city.series.name for city in cities])
    summary = _summary(f"{name} {year}", cities)
    series = [city.series for city in cities]
    sections = [
        "<header>",
        f"<h1>{escape(names)} in {name} {year}</h1>",
        f'<p class="lead">{escape(summary)}</p>',
        "</header>",
        "<figure>",
        "<figcaption><h2>Day by day</h2></figcaption>",
        _legend(series, (("daily", "daily mean"), ("rolling", "7-day mean"))),
        '<div class="scroll">',
        means_chart(series, name, f"A line chart. {summary}"),
        "</div>",
        '<p class="note">The 7-day mean is that of all hours of a day and the six days before it.'
        f"{_short_windows(name, series)}</p>",
        "</figure>",
        "<figure>",
        "<figcaption><h2>From the coldest to the warmest hour</h2></figcaption>",
        _legend(series, (("range", "lowest to highest hour"),)),
        '<div class="scroll">',
        ranges_chart(series, name, f"A bar chart of each day's range. {_extremes(cities, name)}"),
        "</div>",
        '<p class="note">The line across each bar is the mean of the day.</p>',
        "</figure>",
        _month_table(name, cities),
        _day_table(name, series),
        f"<footer>Hourly data: NOAA, {year}, public domain, as packaged in vega_datasets. {_odd_days(name, series)}"
        " Built by DataBuild.</footer>",
    ]
    return page(f"{names}, {name} {year}", len(cities), "\n".join(sections))


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _summary(when: str, cities: list[City]) -> str:
    warm = max(cities, key=lambda city: city.month.mean)
    cold = min(cities, key=lambda city: city.month.mean)
    if warm.month.mean == cold.month.mean:
        return f"{_listed([city.series.name for city in cities])} averaged {degrees(warm.month.mean)} in {when}."
    degree = "warmer" if len(cities) == 2 else "warmest"
    return (
        f"{warm.series.name} was the {degree} city in {when}: {degrees(warm.month.mean)} on average, "
        f"against {degrees(cold.month.mean)} in {cold.series.name}."
    )


def _extremes(cities: list[City], month: str) -> str:
    sentences = []
    for city in cities:
        low, high = _coldest(city.series), _warmest(city.series)
        sentences.append(
            f"{city.series.name}: from {degrees(low.low)} on {low.number} {month} "
            f"to {degrees(high.high)} on {high.number} {month}."
        )
    return " ".join(sentences)


def _coldest(city: Series) -> Day:
    return min(city.days, key=lambda day: day.low)


def _warmest(city: Series) -> Day:
    return max(city.days, key=lambda day: day.high)


def _legend(cities: list[Series], kinds: tuple[tuple[str, str], ...]) -> str:
    items = []
    for index, city in enumerate(cities):
        for kind, words in kinds:
            if kind == "range":
                drawing = f'<g class="range city{index}"><rect x="13" y="1" width="8" height="14" rx="2"/></g>'
            else:
                drawing = f'<path class="{kind} city{index}" d="M1 8H33"/>'
                if kind == "daily":
                    drawing += f'<g class="marks city{index}">{mark(index, 17, 8)}</g>'
            key = f'<svg class="key" viewBox="0 0 34 16" aria-hidden="true">{drawing}</svg>'
            items.append(f"<li>{key}{escape(city.name)}, {words}</li>")
    return '<ul class="legend">' + "".join(items) + "</ul>"


def _month_table(month: str, cities: list[City]) -> str:
    rows = []
    for index, city in enumerate(cities):
        low, high, whole = _coldest(city.series), _warmest(city.series), city.month
        rows.append(
            f'<tr><th scope="row"><span class="swatch city{index}"></span>{escape(city.series.name)}</th>'
            f"<td>{_both(whole.low)}<small>{low.number} {month}</small></td>"
            f"<td>{_both(whole.mean)}</td>"
            f"<td>{_both(whole.high)}<small>{high.number} {month}</small></td>"
            f"<td>{whole.days}</td><td>{whole.hours}</td></tr>"
        )
    return (
        '<section><h2>The month</h2><div class="scroll"><table class="month"><thead><tr><th scope="col">City</th>'
        '<th scope="col">Minimum</th><th scope="col">Mean</th><th scope="col">Maximum</th>'
        '<th scope="col">Days</th><th scope="col">Hours</th></tr></thead>\n<tbody>'
        + "\n".join(rows)
        + "</tbody></table></div></section>"
    )


def _both(fahrenheit: float) -> str:
    return f"{signed(fahrenheit)} °F<small>{signed(celsius(fahrenheit))} °C</small>"


def _day_table(month: str, cities: list[Series]) -> str:
    groups = "".join(
        f'<th scope="colgroup" colspan="4"><span class="swatch city{index}"></span>{escape(city.name)}</th>'
        for index, city in enumerate(cities)
    )
    heads = '<th scope="col">Min</th><th scope="col">Mean</th><th scope="col">Max</th><th scope="col">7-day</th>'
    rows = []
    for days in zip(*(city.days for city in cities)):
        cells = "".join(
            f"<td>{signed(value)}</td>" for day in days for value in (day.low, day.mean, day.high, day.mean_7d)
        )
        rows.append(f'<tr><th scope="row">{days[0].number}</th>{cells}</tr>')
    return (
        f'<details><summary>All values of {month}, in °F</summary><div class="scroll"><table class="days"><thead>'
        f'<tr><th scope="col" rowspan="2">Day</th>{groups}</tr><tr>{heads * len(cities)}</tr></thead>\n<tbody>'
        + "\n".join(rows)
        + "</tbody></table></div></details>"
    )


def _short_windows(month: str, cities: list[Series]) -> str:
    short = [day.number for city in cities for day in city.days if day.window < 7]
    return f" Until {max(short)} {month} it covers fewer than seven days." if short else ""


def _odd_days(month: str, cities: list[Series]) -> str:
    odd: dict[str, list[str]] = {}
    for city in cities:
        for day in city.days:
            if day.hours != 24:
                odd.setdefault(f"{day.number} {month} has {day.hours} hours", []).append(city.name)
    if not odd:
        return "Every day has 24 hours."
    named = [fact if len(names) == len(cities) else f"{fact} in {_listed(names)}" for fact, names in odd.items()]
    return f"{_listed(named)}; every other day has 24."


if __name__ == "__main__":
    run(compare)
