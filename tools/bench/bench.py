#!/usr/bin/env python3
"""Measures DataBuild beside the tools its figures are ratios to, in one run on one machine.

    tools/bench/bench.py [--runs N] [--only NAME] [--write docs/bench.md]

Needs: cargo (builds the release program) and ninja in PATH; luigid and wrk, if they are in PATH, for some rows. Each pair of
commands is run in turn, A B A B …; medians and the ratio of medians are printed, wall time and CPU time. Nothing here
passes or fails: the machine's speed is not the program's doing.
"""

import argparse
import os
import pathlib
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools/lib"))
import rows_http  # noqa: E402
import rows_planning  # noqa: E402
import rows_server  # noqa: E402
import rows_work  # noqa: E402
from measure import run, say  # noqa: E402
from table import Table  # noqa: E402

YARDSTICKS = ["spawn_loop", "chain_loop", "stat_loop", "read_rows", "empty_http", "fill_log"]
ROWS = {
    "current": rows_planning.current,
    "look": rows_planning.look,
    "plan": rows_planning.plan,
    "growth": rows_planning.growth,
    "code": rows_planning.code_change,
    "diff": rows_planning.diff,
    "jobs": rows_work.jobs,
    "chain": rows_work.chain,
    "two": rows_work.two_wants,
    "cancel": rows_work.cancel,
    "start": rows_server.start,
    "restart": rows_server.restart,
    "sources": rows_server.sources,
    "requests": rows_http.requests,
    "lists": rows_http.lists,
    "scrape": rows_http.scrape,
    "followers": rows_http.followers,
}


class Bench:
    """One run of the bench: where it works, with what, and what came out."""

    def __init__(self, scratch, folder, runs):
        self.scratch = scratch
        self.folder = folder
        self.program = folder / "databuild"
        self.runs = runs
        self.table = Table()

    def yardstick(self, name):
        """The program of databuild/examples that a row is held against."""
        return self.folder / "examples" / name


def built():
    """Builds the release programs; returns their folder."""
    say("building the release programs")
    examples = [word for name in YARDSTICKS for word in ("--example", name)]
    run(["cargo", "build", "--release", "--bin", "databuild", *examples], cwd=ROOT / "databuild")
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "databuild/target")) / "release"


def main():
    """Runs the rows and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=ROWS, action="append", help="this row; may be given again for more")
    parser.add_argument("--write", type=pathlib.Path, help="keep the table in this file")
    args = parser.parse_args()
    if not shutil.which("ninja"):
        raise SystemExit("ninja is not in PATH: install ninja-build")
    programs = built()
    with tempfile.TemporaryDirectory(prefix="databuild-bench-") as scratch:
        bench = Bench(pathlib.Path(scratch), programs, args.runs)
        for name, row in ROWS.items():
            if not args.only or name in args.only:
                say(name)
                # What rows leave, up to a million files, is deleted at the end: for minutes after a deletion ext4 passes
                # over the inodes that it freed, one by one, whenever somebody makes a file nearby.
                row(bench)
    text = bench.table.markdown()
    print(text)
    if args.write:
        head = (
            "# Measurements\n\nMade by `tools/bench/bench.py`, all rows in one run on one machine: medians of "
            f"{args.runs} runs in turn with the peer's. Machines differ; the ratios are what counts.\n\n"
        )
        args.write.write_text(head + text)


if __name__ == "__main__":
    main()
