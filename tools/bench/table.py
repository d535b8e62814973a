"""The tables of results, and the page that has them."""

import math
import re
import statistics

from measure import say

# How a number of seconds, or of something else, is shown.
UNITS = {
    "a second": lambda value: f"{value:,.0f} a second",
    "ms": lambda value: f"{value * 1000:,.1f} ms",
    "MB": lambda value: f"{value / 1e6:,.1f} MB",
    "bytes": lambda value: f"{value:,.0f} bytes",
    "": lambda value: f"{value:,.0f}",
}


class Goal:
    """What a figure is to reach beside another."""

    def __init__(self, text, holds):
        self.text = text
        self.holds = holds


def at_least(ratio):
    """At least so many times the other."""
    return Goal(f"≥ {ratio}", lambda ours, theirs: ours >= ratio * theirs)


def at_most(ratio, or_below=None, shown=""):
    """At most so many times the other, or below a bound that counts as well."""
    text = f"≤ {ratio}" + (f", or {shown}" if shown else "")
    return Goal(text, lambda ours, theirs: ours <= ratio * theirs or (or_below is not None and ours <= or_below))


class Table:
    """All that was measured, by the section of the page that shows it."""

    def __init__(self):
        self.rows = []
        self.memory = None
        self.partition_bytes = None
        self.growth = []
        self.besides = []
        self.listed = []
        self.pages = []
        self.missed = []

    def add(self, what, ours, theirs, peer, goal, note=""):
        """`ours` and `theirs` are lists of (wall, cpu)."""
        def median(pairs, ix):
            return statistics.median(pair[ix] for pair in pairs)
        wall, peer_wall = median(ours, 0), median(theirs, 0)
        cpu, peer_cpu = median(ours, 1), median(theirs, 1)
        ratio = wall / peer_wall if peer_wall else float("inf")
        self.rows.append((what, wall, cpu, peer, peer_wall, peer_cpu, ratio, goal, note))
        say(f"  {what}: {wall * 1000:.1f} ms wall, {cpu * 1000:.1f} ms CPU; {peer}: {peer_wall * 1000:.1f} ms, "
            f"{peer_cpu * 1000:.1f} ms; ratio {ratio:.2f} (goal {goal})")

    def beside(self, what, ours, peer, theirs, goal, unit):
        """A figure beside another: lists of numbers, of which the medians count."""
        ours, theirs = statistics.median(ours), statistics.median(theirs)
        shown = UNITS[unit]
        cells = [what, shown(ours), f"{peer}, {shown(theirs)}", f"{ours / theirs:.2f}", goal.text]
        self.row(self.besides, cells, goal.holds(ours, theirs))

    def alone(self, what, ours, goal, reached, unit):
        """A figure with a goal of its own."""
        self.row(self.besides, [what, UNITS[unit](statistics.median(ours)), "", "", goal], reached)

    def list_of(self, path, rows, ours, empty, goal):
        """Pages of a list a second, beside an empty handler's answers."""
        ours, empty = statistics.median(ours), statistics.median(empty)
        self.row(self.listed, [f"`{path}`", f"{rows}", f"{ours:,.0f}", f"{ours / empty:.2g}", goal.text], goal.holds(ours, empty))

    def page(self, name, ours, small, empty, our_sizes, small_sizes, most_bytes):
        """A page of the UI: lists of pages a second of the large and the small state and of empty answers, and sizes in bytes."""
        ours, small, empty = (statistics.median(rates) for rates in (ours, small, empty))
        size, small_size = max(our_sizes), max(small_sizes)
        slower, longer = small / ours, statistics.median(our_sizes) / statistics.median(small_sizes)
        reached = ours >= 0.02 * empty and size <= most_bytes and slower <= 1.5 and longer <= 1.5
        cells = [f"`{name}`", f"{ours:,.0f}", f"{ours / empty:.2g}", f"{slower:.2f}", f"{size / 1000:.1f} kB", f"{longer:.2f}"]
        self.row(self.pages, cells, reached)

    def row(self, rows, cells, reached):
        """Keeps a row, and tells it."""
        rows.append([*cells, "yes" if reached else "**no**"])
        if not reached:
            self.missed.append(cells[0])
        say("  " + " | ".join(cells) + ("" if reached else " | MISSED"))

    def sections(self):
        """The text of each section that has something, by its name."""
        found = {}
        if self.rows:
            found["table"] = self.commands()
        if self.besides:
            found["requests"] = table(["what", "DataBuild", "beside", "ratio", "goal", "reached"], self.besides)
        if self.listed:
            found["lists"] = table(["list", "rows of a page", "pages a second", "of an empty handler's", "goal", "reached"], self.listed)
        if self.pages:
            heads = ["page", "a second", "of an empty handler's (≥ 0.02)", "time, of the small state's (≤ 1.5)",
                     "packed (≤ 60 kB)", "bytes, of the small state's (≤ 1.5)", "reached"]
            found["pages"] = table(heads, self.pages)
        if self.memory:
            peer = f"; luigid: {self.memory[1]:.1f} MiB" if self.memory[1] else ""
            found["idle"] = f"Server's resident memory when idle: {self.memory[0]:.1f} MiB{peer}.\n"
        if self.partition_bytes is not None:
            found["partition"] = (
                f"Server's memory for a materialized partition, of 4,000,000: {self.partition_bytes:.1f} bytes (goal ≤ 50).\n"
            )
        if self.growth:
            found["growth"] = "\n".join(self.growth)
        return found

    def commands(self):
        """The table of commands and what they are held against."""
        rows = [
            [what + (f" ({note})" if note else ""), f"{wall * 1000:.1f} ms", f"{cpu * 1000:.1f} ms", peer, f"{peer_wall * 1000:.1f} ms",
             f"{peer_cpu * 1000:.1f} ms", f"{ratio:.2f}", goal]
            for what, wall, cpu, peer, peer_wall, peer_cpu, ratio, goal, note in self.rows
        ]
        return table(["what", "DataBuild wall", "CPU", "peer", "peer wall", "peer CPU", "ratio (wall)", "goal"], rows)

    def add_growth(self, what, times):
        """`times` has (size, list of (wall, cpu)), smallest size first."""
        points = [(size, statistics.median(wall for wall, _ in pairs)) for size, pairs in times]
        exponent = slope([(math.log(size), math.log(wall)) for size, wall in points])
        say(f"  {what}: time grows as size^{exponent:.2f}")
        self.growth.append(
            table(["partitions", "wall"], [[f"{size:,}", f"{wall * 1000:.1f} ms"] for size, wall in points])
            + f"\nTime grows as size^{exponent:.2f} (least squares over the logarithms).\n"
        )


def table(heads, rows):
    """A table as Markdown."""
    lines = ["| " + " | ".join(cells) + " |" for cells in [heads, *rows]]
    return "\n".join([lines[0], "|" + "---|" * len(heads), *lines[1:]]) + "\n"


def written(page, sections):
    """The page with these sections anew. What stands outside of the marks of a section is left as it is."""
    for name, text in sections.items():
        marks = re.compile(rf"(<!-- bench: {name} -->\n).*?(<!-- end -->)", re.S)
        if not marks.search(page):
            raise SystemExit(f"the page has no place for `{name}`")
        page = marks.sub(lambda found, text=text: f"{found[1]}\n{text}\n{found[2]}", page)
    return page


def slope(points):
    """That of the line nearest to the points, by least squares."""
    mean_x = statistics.mean(x for x, _ in points)
    mean_y = statistics.mean(y for _, y in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
