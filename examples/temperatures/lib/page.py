"""The frame of the report: one HTML document with its style sheet inside, for light and dark, screen and paper."""

from __future__ import annotations

from html import escape

# One color for each city by its position, on light and on dark ground. Told apart with any common color blindness.
_LIGHT = ("#0b66b0", "#c2500a", "#0a7d5b", "#8f4a9e")
_DARK = ("#62b5f6", "#ff9f5a", "#4fd0a5", "#d69be3")

_STYLE = """
:root {
  color-scheme: light dark;
  --ground: #fbfbf9; --card: #ffffff; --ink: #1d2327; --quiet: #59636b; --rule: #e3e6e8; --axis: #8b959c;
}
@media (prefers-color-scheme: dark) {
  :root { --ground: #14181b; --card: #1b2024; --ink: #e8ecef; --quiet: #a3adb5; --rule: #30373d; --axis: #78838b; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 3rem; }
h1 { font-size: clamp(1.6rem, 4vw, 2.3rem); line-height: 1.15; letter-spacing: -0.015em; margin: 0 0 .6rem; }
h2 { font-size: 1.1rem; margin: 0; }
.lead { font-size: 1.08rem; color: var(--quiet); max-width: 46rem; margin: 0; }
figure, section, details {
  margin: 1.5rem 0 0; padding: 1.1rem 1.25rem; background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
}
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; margin: .4rem 0 .5rem; padding: 0; list-style: none; }
.legend li { display: flex; align-items: center; gap: .5rem; font-size: .9rem; color: var(--quiet); }
.key { width: 34px; height: 16px; flex: none; }
.scroll > svg { display: block; width: 100%; min-width: 36rem; height: auto; }
.grid { stroke: var(--rule); fill: none; }
.axis { stroke: var(--axis); fill: none; }
.tick, .label { font-size: 13px; fill: var(--quiet); }
.tick { font-variant-numeric: tabular-nums; }
.middle { text-anchor: middle; }
.end { text-anchor: end; }
.daily { fill: none; stroke: var(--city); stroke-width: 1.3; stroke-opacity: .7; stroke-linejoin: round; }
.rolling { fill: none; stroke: var(--city); stroke-width: 4; stroke-linejoin: round; stroke-linecap: round; }
.marks { fill: var(--card); stroke: var(--city); stroke-width: 1.8; }
.marks .hit { fill: transparent; stroke: none; }
.marks g:hover > :last-child { fill: var(--city); }
.range rect { fill: var(--city); fill-opacity: .55; }
.range path { stroke: var(--card); stroke-width: 2; }
.range g:hover rect { fill-opacity: .9; }
.note, footer { font-size: .88rem; color: var(--quiet); }
.note { margin: .5rem 0 0; }
footer { margin-top: 1.5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin-top: .5rem; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .7rem; text-align: right; border-top: 1px solid var(--rule); white-space: nowrap; vertical-align: top; }
thead th { border-top: 0; font-size: .85rem; font-weight: 600; color: var(--quiet); }
.month th:first-child { text-align: left; }
.month td small { display: block; font-size: .82rem; color: var(--quiet); }
.days { font-size: .9rem; }
.days th, .days td { padding: .2rem .7rem; }
.days th[colspan] { text-align: center; }
.days td:nth-child(4n+2) { border-left: 1px solid var(--rule); }
.swatch {
  display: inline-block; width: .7rem; height: .7rem; margin-right: .5rem; border-radius: 3px; background: var(--city);
}
summary { cursor: pointer; font-weight: 600; }
@media print { body { background: none; } figure, section { break-inside: avoid; } }
"""


def page(title: str, cities: int, body: str) -> str:
    """A whole document with `body` as its main part. `cities` is how many colors it needs."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}{_colors(_LIGHT, cities)}
@media (prefers-color-scheme: dark) {{
{_colors(_DARK, cities)}
}}
</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def _colors(palette: tuple[str, ...], cities: int) -> str:
    return "\n".join(f".city{city} {{ --city: {palette[city % len(palette)]}; }}" for city in range(cities))
