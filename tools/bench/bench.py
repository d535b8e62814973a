#!/usr/bin/env python3
"""Measures DataBuild beside the tools its figures are ratios to, in one run on one machine.

    tools/bench/bench.py [--runs N] [--only NAME | --write docs/bench.md] [--programs FOLDER]

Needs: cargo (builds the release programs) and ninja in PATH; luigid and wrk, if they are in PATH, for some rows; 10 GB of disk.
Each pair of commands is run in turn, A B A B …; medians and the ratio of medians are printed, wall time and CPU time. At the end
it says which rows about the server miss their goal. It does not fail for that: the machine's speed is not the program's doing.
"""

import argparse
import os
import pathlib
import shutil
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools/lib"))
import rows_http  # noqa: E402
import rows_planning  # noqa: E402
import rows_server  # noqa: E402
import rows_size  # noqa: E402
import rows_work  # noqa: E402
from measure import run, say  # noqa: E402
from table import Table, written  # noqa: E402

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
    "size": rows_size.size,
    "memory": rows_http.memory,
    "wants": rows_http.wants,
    "lists": rows_http.lists,
    "followers": rows_http.followers,
}
# Those beside which ninja runs.
WITH_NINJA = {"current", "plan", "growth", "code"}


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
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=ROWS, action="append", help="this row; may be given again for more")
    parser.add_argument("--write", type=pathlib.Path, help="put what was measured into its places in this page")
    parser.add_argument("--programs", type=pathlib.Path, help="folder with the release programs and examples, instead of building them")
    args = parser.parse_args()
    if args.write and args.only:
        parser.error("--write needs all rows: some of them share a table")
    chosen = [name for name in ROWS if not args.only or name in args.only]
    if WITH_NINJA.intersection(chosen) and not shutil.which("ninja"):
        raise SystemExit("ninja is not in PATH: install ninja-build")
    programs = args.programs.resolve() if args.programs else built()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="databuild-bench-") as scratch:
        bench = Bench(pathlib.Path(scratch), programs, args.runs)
        for name in chosen:
            say(f"{name}, after {time.monotonic() - began:.0f} s")
            # What rows leave, up to a million files, is deleted at the end: for minutes after a deletion ext4 passes
            # over the inodes that it freed, one by one, whenever somebody makes a file nearby.
            ROWS[name](bench)
    say(f"all rows took {time.monotonic() - began:.0f} s")
    sections = bench.table.sections()
    print("\n".join(f"{name}:\n\n{text}" for name, text in sections.items()))
    if bench.table.missed:
        say("these miss their goal: " + ", ".join(bench.table.missed))
    if args.write:
        args.write.write_text(written(args.write.read_text(), sections))


if __name__ == "__main__":
    main()
