"""The table of results."""

import math
import statistics

from measure import say


class Table:
    """Rows of the result."""

    def __init__(self):
        self.rows = []
        self.memory = None
        self.partition_bytes = None
        self.growth = []
        self.rates = []

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

    def add_rate(self, what, ours, peer, theirs, goal):
        """`ours` and `theirs` are numbers a second."""
        rate, peer_rate = statistics.median(ours), statistics.median(theirs)
        self.rates.append((what, rate, peer, peer_rate, rate / peer_rate, goal))
        say(f"  {what}: {rate:,.0f} a second; {peer}: {peer_rate:,.0f}; ratio {rate / peer_rate:.2f} (goal {goal})")

    def markdown(self):
        """The table as text."""
        lines = [
            "| what | DataBuild wall | CPU | peer | peer wall | peer CPU | ratio (wall) | goal |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for what, wall, cpu, peer, peer_wall, peer_cpu, ratio, goal, note in self.rows:
            lines.append(
                f"| {what}{' (' + note + ')' if note else ''} | {wall * 1000:.1f} ms | {cpu * 1000:.1f} ms | {peer} | "
                f"{peer_wall * 1000:.1f} ms | {peer_cpu * 1000:.1f} ms | {ratio:.2f} | {goal} |"
            )
        text = "\n".join(lines) + "\n"
        if self.rates:
            text += "\n| what | a second | peer | a second | ratio | goal |\n|---|---|---|---|---|---|\n"
        for what, rate, peer, peer_rate, ratio, goal in self.rates:
            text += f"| {what} | {rate:,.0f} | {peer} | {peer_rate:,.0f} | {ratio:.2f} | {goal} |\n"
        if self.memory:
            peer = f"{self.memory[1]:.1f} MiB" if self.memory[1] else "not measured"
            text += f"\nServer's resident memory when idle: {self.memory[0]:.1f} MiB; luigid: {peer}.\n"
        if self.partition_bytes is not None:
            text += (
                "\nServer's memory for a materialized partition, of 4,000,000: "
                f"{self.partition_bytes:.1f} bytes (goal ≤ 50).\n"
            )
        return text + "".join(self.growth)

    def add_growth(self, what, times):
        """`times` has (size, list of (wall, cpu)), smallest size first."""
        points = [(size, statistics.median(wall for wall, _ in pairs)) for size, pairs in times]
        rows = "".join(f"| {size:,} | {wall * 1000:.1f} ms |\n" for size, wall in points)
        exponent = slope([(math.log(size), math.log(wall)) for size, wall in points])
        say(f"  {what}: time grows as size^{exponent:.2f}")
        self.growth.append(
            f"\n## Growth: {what}\n\n| partitions | wall |\n|---|---|\n{rows}\nTime grows as size^{exponent:.2f} "
            "(least squares over the logarithms).\n"
        )


def slope(points):
    """That of the line nearest to the points, by least squares."""
    mean_x = statistics.mean(x for x, _ in points)
    mean_y = statistics.mean(y for _, y in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
