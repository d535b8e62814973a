"""Two SVG charts over the days of a month, as text.

Pure: series in, markup out, the same bytes for the same values. The charts carry class names and no colors; the page's
style sheet gives each city its color in light and in dark. Cities also differ by the shape of their marks, so that the
charts can be read without color.
"""

from __future__ import annotations

import math
from html import escape
from typing import Callable, NamedTuple


class Day(NamedTuple):
    """One city's day, in degrees Fahrenheit. `window` is how many days the 7-day mean stands for."""

    number: int
    low: float
    mean: float
    high: float
    mean_7d: float
    window: int
    hours: int


class Series(NamedTuple):
    """One city's days, in order, none missing."""

    name: str
    days: list[Day]


WIDTH = 920
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 58, 14, 46


def celsius(fahrenheit: float) -> float:
    return (fahrenheit - 32) * 5 / 9


def degrees(fahrenheit: float) -> str:
    """A temperature for people, in both units."""
    return f"{signed(fahrenheit)} °F ({signed(celsius(fahrenheit))} °C)"


def signed(value: float) -> str:
    """A number with one decimal and a typographic minus."""
    text = f"{value:.1f}"
    return "0.0" if text == "-0.0" else text.replace("-", "\N{MINUS SIGN}")


def mark(city: int, x: float, y: float) -> str:
    """The mark of the city at this position of the list: a dot, a square, a diamond, then again from the start."""
    if city % 3 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.4"/>'
    turn = f' transform="rotate(45 {x:.1f} {y:.1f})"' if city % 3 == 2 else ""
    return f'<rect x="{x - 3.1:.1f}" y="{y - 3.1:.1f}" width="6.2" height="6.2"{turn}/>'


class _Frame:
    """Axes, gridlines, and the way from a day and a temperature to a point."""

    def __init__(self, height: int, days: int, low: float, high: float, month: str) -> None:
        self.height = height
        self.days = days
        self.month = month
        # Room above and below, so that no line lies on an axis.
        low, high = low - 0.04 * (high - low), high + 0.04 * (high - low)
        span = max(high - low, 1.0)
        self.step = next((step for step in (1, 2, 5, 10, 20) if span / step <= 7), 50)
        self.low = math.floor(low / self.step) * self.step
        self.high = math.ceil(high / self.step) * self.step
        if self.high == self.low:
            self.high += self.step

    def x(self, day: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (day - 0.5) / self.days

    def y(self, fahrenheit: float) -> float:
        return _TOP + (self.height - _TOP - _BOTTOM) * (self.high - fahrenheit) / (self.high - self.low)

    def svg(self, name: str, title: str, description: str, body: list[str]) -> str:
        return "\n".join(
            [
                f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img" aria-labelledby="{name}-title {name}-desc">',
                f'<title id="{name}-title">{escape(title)}</title>',
                f'<desc id="{name}-desc">{escape(description)}</desc>',
                *self._axes(),
                *body,
                "</svg>",
            ]
        )

    def _axes(self) -> list[str]:
        left, right, foot = _LEFT, WIDTH - _RIGHT, self.height - _BOTTOM
        lines = []
        for tick in range(self.low, self.high + 1, self.step):
            y = self.y(tick)
            lines.append(f'<path class="grid" d="M{left} {y:.1f}H{right}"/>')
            lines.append(f'<text class="tick end" x="{left - 9}" y="{y + 4:.1f}">{_whole(tick)}</text>')
        for tick in self._celsius_ticks():
            y = self.y(tick * 9 / 5 + 32)
            lines.append(f'<path class="axis" d="M{right} {y:.1f}h5"/>')
            lines.append(f'<text class="tick" x="{right + 9}" y="{y + 4:.1f}">{_whole(tick)}</text>')
        lines.append(f'<path class="axis" d="M{left} {foot}H{right}"/>')
        for day in range(1, self.days + 1):
            lines.append(f'<path class="axis" d="M{self.x(day):.1f} {foot}v{5 if self._labelled(day) else 3}"/>')
            if self._labelled(day):
                lines.append(f'<text class="tick middle" x="{self.x(day):.1f}" y="{foot + 19}">{day}</text>')
        middle = (_TOP + foot) / 2
        lines += [
            f'<text class="label middle" x="{(left + right) / 2:.1f}" y="{self.height - 6}">Day of {self.month}</text>',
            _sideways(14, middle, -90, "Temperature in °F"),
            _sideways(WIDTH - 12, middle, 90, "Temperature in °C"),
        ]
        return lines

    def _labelled(self, day: int) -> bool:
        return day == 1 or (day % 5 == 0)

    def _celsius_ticks(self) -> range:
        low, high = celsius(self.low), celsius(self.high)
        step = next((step for step in (1, 2, 5, 10) if (high - low) / step <= 7), 20)
        return range(math.ceil(low / step) * step, math.floor(high) + 1, step)


def _whole(value: int) -> str:
    return str(value).replace("-", "\N{MINUS SIGN}")


def _sideways(x: float, y: float, angle: int, text: str) -> str:
    turn = f"rotate({angle} {x:.1f} {y:.1f})"
    return f'<text class="label middle" x="{x:.1f}" y="{y:.1f}" transform="{turn}">{text}</text>'


def _extent(cities: list[Series], values: Callable[[Day], tuple[float, ...]]) -> tuple[float, float]:
    every = [value for city in cities for day in city.days for value in values(day)]
    return min(every), max(every)


def _tip(city: Series, day: Day, month: str) -> str:
    return escape(
        f"{city.name}, {day.number} {month}\nmean {degrees(day.mean)}\n"
        f"lowest {degrees(day.low)}\nhighest {degrees(day.high)}\n7-day mean {degrees(day.mean_7d)}"
    )


def means_chart(cities: list[Series], month: str, description: str) -> str:
    """Each city's daily mean (thin, with marks) and its 7-day mean (thick)."""
    frame = _Frame(400, len(cities[0].days), *_extent(cities, lambda day: (day.mean, day.mean_7d)), month)
    body = []
    for kind, value in (("daily", lambda day: day.mean), ("rolling", lambda day: day.mean_7d)):
        for index, city in enumerate(cities):
            points = " ".join(f"{frame.x(day.number):.1f},{frame.y(value(day)):.1f}" for day in city.days)
            body.append(f'<polyline class="{kind} city{index}" points="{points}"/>')
    for index, city in enumerate(cities):
        body.append(f'<g class="marks city{index}">')
        for day in city.days:
            x, y = frame.x(day.number), frame.y(day.mean)
            # The circle that shows nothing makes the tip easy to hit.
            hit = f'<circle class="hit" cx="{x:.1f}" cy="{y:.1f}" r="11"/>'
            body.append(f"<g><title>{_tip(city, day, month)}</title>{hit}{mark(index, x, y)}</g>")
        body.append("</g>")
    title = f"Daily mean and 7-day mean temperature, {month}"
    return frame.svg("means", title, description, body)


def ranges_chart(cities: list[Series], month: str, description: str) -> str:
    """Each city's days as bars from the lowest to the highest hour, with the mean marked across."""
    frame = _Frame(300, len(cities[0].days), *_extent(cities, lambda day: (day.low, day.high)), month)
    slot = (frame.x(2) - frame.x(1)) * 0.72 / len(cities)
    width = slot * 0.8
    body = []
    for index, city in enumerate(cities):
        body.append(f'<g class="range city{index}">')
        for day in city.days:
            left = frame.x(day.number) + slot * (index - len(cities) / 2) + (slot - width) / 2
            top, foot, mean = frame.y(day.high), frame.y(day.low), frame.y(day.mean)
            body.append(
                f"<g><title>{_tip(city, day, month)}</title>"
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{max(foot - top, 1):.1f}" rx="2"/>'
                f'<path d="M{left:.1f} {mean:.1f}h{width:.1f}"/></g>'
            )
        body.append("</g>")
    title = f"Lowest to highest temperature of each day, {month}"
    return frame.svg("ranges", title, description, body)
