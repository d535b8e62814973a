#!/usr/bin/env python3
"""Measures DataBuild beside the tools its figures are ratios to, in one run on one machine.

    tools/bench/bench.py [--runs N] [--only NAME] [--write docs/bench.md]

Needs: cargo (builds the release program) and ninja in PATH; luigid, if it is in PATH, for one row. Each pair of
commands is run in turn, A B A B …; medians and the ratio of medians are printed, wall time and CPU time. Nothing here
passes or fails: the machine's speed is not the program's doing.
"""

import argparse
import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools/lib"))
from handmade import SAME, WEEK, Workspace, dataset, days, job, reads, run, say, static  # noqa: E402

# Of partitions that are no files: whatever it has to make is made.
QUICK_JOB = "#!/bin/sh\nexit 0\n"
# Ends when it is told to.
SLOW_JOB = "#!/bin/sh\nexec sleep 3600\n"


def process_cpu(pid):
    """CPU seconds of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(x) for x in fields[11:13]) / os.sysconf("SC_CLK_TCK")


def layered(folder, program, keys):
    """3 layers x 10 datasets: the same day, then a window of 7 days."""
    dims = [days(keys)]
    datasets, jobs = [], []
    for layer in range(3):
        for column in range(10):
            name = f"l{layer}c{column}"
            datasets.append(dataset(name, dims))
            inputs = []
            if layer == 1:
                inputs = [reads(f"l0c{column}", dims, [SAME])]
            elif layer == 2:
                inputs = [reads(f"l1c{column}", dims, [WEEK], before="clip")]
            jobs.append(job(f"make_{name}", name, inputs))
    targets = [f"l2c{column}" for column in range(10)]
    return Workspace(folder, program, datasets, jobs), targets


def ninja_layered(folder, keys):
    """The same graph for ninja."""
    folder.mkdir(parents=True)
    lines = ["rule make", "  command = echo x > $out"]
    for layer in range(3):
        for column in range(10):
            for day in range(keys):
                inputs = ""
                if layer == 1:
                    inputs = f" l0c{column}/{day}"
                elif layer == 2:
                    inputs = "".join(f" l1c{column}/{back}" for back in range(max(0, day - 6), day + 1))
                lines.append(f"build l{layer}c{column}/{day}: make{inputs}")
    (folder / "build.ninja").write_text("\n".join(lines) + "\n")


def ninja_files(folder, count):
    """So many stamped files that are current."""
    folder.mkdir(parents=True)
    (folder / "out").mkdir()
    lines = ["rule make", "  command = touch $out"]
    for number in range(count):
        lines.append(f"build out/{number}: make")
        (folder / "out" / str(number)).write_text("x\n")
    (folder / "build.ninja").write_text("\n".join(lines) + "\n")
    # A log in which every file is known, as after a build.
    run(["ninja", "-t", "restat"], cwd=folder)
    if b"no work" not in run(["ninja", "-n"], cwd=folder)[2].stdout:
        # This ninja wants to have built them itself.
        run(["ninja"], cwd=folder)


class Table:
    """Rows of the result."""

    def __init__(self):
        self.rows = []
        self.memory = None
        self.partition_bytes = None

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
        return "\n".join(lines) + "\n"


def with_server(workspace, command):
    """Runs a command; its CPU time includes what the server did for it."""
    pid = workspace.server()
    before = process_cpu(pid)
    wall, cpu, done = workspace.databuild(*command)
    return wall, cpu + process_cpu(pid) - before, done


def bench_current(table, scratch, program, runs):
    """Asking again for 100,000 current partitions that are files."""
    count = 100_000
    dims = [static("part", [f"p{n}" for n in range(100)]), days(count // 100)]
    workspace = Workspace(scratch / "current", program, [dataset("files", dims, external=True)], [])
    for part in range(100):
        folder = workspace.path / "out/files" / f"p{part}"
        folder.mkdir(parents=True)
        for day in range(count // 100):
            (folder / (datetime.date(1900, 1, 1) + datetime.timedelta(days=day)).isoformat()).write_text("x\n")
    ninja_files(scratch / "current-ninja", count)
    say("  first look at 100,000 files")
    workspace.databuild("build", "files")
    ours, theirs = [], []
    for _ in range(runs):
        wall, cpu, _ = with_server(workspace, ["build", "files"])
        ours.append((wall, cpu))
        theirs.append(run(["ninja", "-n"], cwd=scratch / "current-ninja")[:2])
    workspace.stop()
    table.add("100,000 current files asked for again", ours, theirs, "ninja -n, as many files", "≤ 1")


def bench_plan(table, scratch, program, runs):
    """Planning 11k partitions and 29k edges; then a million partitions."""
    small, targets = layered(scratch / "plan", program, 365)
    large, _ = layered(scratch / "plan-large", program, 33_334)
    ninja_layered(scratch / "plan-ninja", 365)
    for workspace in (small, large):
        workspace.databuild("plan", *targets)
    ours, big, theirs = [], [], []
    for _ in range(runs):
        ours.append(with_server(small, ["plan", *targets])[:2])
        big.append(with_server(large, ["plan", *targets])[:2])
        theirs.append(run(["ninja", "-n"], cwd=scratch / "plan-ninja")[:2])
    small.stop()
    large.stop()
    table.add("plan of 10,950 partitions, 29k edges", ours, theirs, "ninja -n, same graph", "≤ 1", "client included")
    table.add("plan of 1,000,020 partitions", big, theirs, "ninja -n, 10,950 nodes", "≤ 1", "client included")


def bench_code_change(table, scratch, program, runs):
    """Other code of a job with a million materialized partitions, three layers below it; and what they take of memory."""
    dims = [static("part", [f"p{n}" for n in range(100)]), days(10_000)]
    names = [f"layer{n}" for n in range(4)]
    part = {"kind": "same", "of": "part"}
    rules = {"layer1": [part, SAME], "layer2": [part, WEEK], "layer3": [part, SAME]}
    datasets = [dict(dataset(name, dims), path=None) for name in names]
    jobs = [
        job(f"make_{name}", name, [reads(above, dims, rules[name], before="clip")] if name in rules else [], args=())
        for above, name in zip(["", *names], names)
    ]
    for entry in jobs:
        entry["batch"] = {"dim": "date", "max": 10_000}
    workspace = Workspace(scratch / "code-change", program, datasets, jobs, script=QUICK_JOB)
    workspace.databuild("status")
    empty = workspace.memory()
    say("  making 4,000,000 partitions")
    workspace.databuild("build", names[-1])
    # As it is in the long run: read from a checkpoint, not just built.
    workspace.stop()
    workspace.databuild("status")
    full = workspace.memory()
    table.partition_bytes = (full - empty) * 1024 * 1024 / 4_000_000
    say(f"  {empty:.1f} MiB without, {full:.1f} MiB with partitions: {table.partition_bytes:.1f} bytes for each")
    ninja_layered(scratch / "code-change-ninja", 365)
    ours, theirs = [], []
    for number in range(runs):
        workspace.graph["jobs"][0].update(workspace.code(f"job{number}", f"{QUICK_JOB}# {number}\n"))
        workspace.write_graph()
        wall, cpu, done = with_server(workspace, ["plan", names[-1], "--json"])
        ours.append((wall, cpu))
        theirs.append(run(["ninja", "-n"], cwd=scratch / "code-change-ninja")[:2])
        plan = json.loads(done.stdout)
        if (plan["certain"], plan["if_changed"]) != (1_000_000, 3_000_000):
            raise SystemExit(f"{plan['certain']} and {plan['if_changed']} partitions are planned")
    workspace.stop()
    table.add("code change, 1,000,000 partitions and 3 layers of as many", ours, theirs, "ninja -n, 10,950 nodes",
              "≤ 1", "graph registered and planned, client included")


def bench_jobs(table, scratch, program, spawn_loop, runs):
    """1,000 jobs that only write a small file, 2 at a time, every event durable."""
    count = 1000
    ours, theirs = [], []
    for number in range(runs):
        workspace = Workspace(
            scratch / f"jobs-{number}", program, [dataset("small", [days(count)])], [job("make_small", "small")]
        )
        workspace.databuild("status")
        ours.append(with_server(workspace, ["build", "small", "--jobs", "2"])[:2])
        workspace.stop()
        folder = scratch / f"loop-{number}"
        folder.mkdir()
        script = workspace.folder / "bin/databuild.runfiles/_main/job"
        theirs.append(run([str(spawn_loop), str(script), str(folder), str(count), "2"])[:2])
    table.add("1,000 small jobs, 2 at a time, durable", ours, theirs, "bare posix_spawn loop", "≤ 2",
              "CPU without the runner's and the jobs' own")


def bench_diff(table, scratch, program, runs):
    """Comparing two graph files with 2,000 jobs, every tenth of which has other code."""
    dims = [static("part", ["p0", "p1"]), days(365)]
    rules = [{"kind": "same", "of": "part"}, SAME]
    datasets = [dataset(f"d{n:04}", dims) for n in range(2000)]
    jobs = [job(f"j{n:04}", f"d{n:04}", [reads(f"d{n - 1:04}", dims, rules)] if n else []) for n in range(2000)]
    workspace = Workspace(scratch / "diff", program, datasets, jobs)
    graph = json.loads((workspace.folder / "bin" / "databuild.graph.json").read_text())
    base, head = scratch / "diff" / "base.json", scratch / "diff" / "head.json"
    # Indented, as the rules write it.
    base.write_text(json.dumps(graph, indent=2))
    for entry in graph["jobs"][::10]:
        entry["code"] = "0" * 64
    head.write_text(json.dumps(graph, indent=2))
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(run([program, "diff", "--base", base, "--head", head], cwd=scratch)[:2])
        theirs.append(run(["git", "diff", "--no-index", "--stat", base, head], cwd=scratch, good=(1,))[:2])
    table.add("diff of two graphs with 2,000 jobs", ours, theirs, "git diff --stat of the two files", "≤ 1")


def bench_cancel(table, scratch, program, runs):
    """Cancelling a want with 50,000 runs queued, and one with 10, each behind a job that does not end."""
    # Days alone would reach into the future, and what has not ended yet is not built.
    sizes = {"many": 50_000, "few": 10}
    dims = {"many": [static("part", [f"p{n}" for n in range(50)]), days(1000)], "few": [days(10)]}
    datasets = [dataset(name, dims[name]) for name in sizes]
    jobs = [job(f"make_{name}", name) for name in sizes]
    workspace = Workspace(scratch / "cancel", program, datasets, jobs, script=SLOW_JOB)
    workspace.databuild("status")
    took = {name: [] for name in sizes}
    for _ in range(max(runs, 10)):
        for name, count in sizes.items():
            done = workspace.databuild("build", name, "--class", "backfill", "--jobs", "1", "--detach", "--json")[2]
            want = json.loads(done.stdout)
            if want["progress"]["total"] != count:
                raise SystemExit(f"{want['progress']['total']} runs are queued, not {count}")
            took[name].append(with_server(workspace, ["cancel", want["id"]])[:2])
    workspace.stop()
    table.add("cancel with 50,000 runs queued", took["many"], took["few"], "the same with 10", "≤ 1", "client included")


def bench_start(table, scratch, program, runs):
    """Server start to first answer, and memory when idle."""
    workspace, _ = layered(scratch / "start", program, 365)
    workspace.databuild("status")
    ours, memory = [], []
    for _ in range(runs):
        workspace.stop()
        ours.append(workspace.databuild("status")[:2])
        memory.append(workspace.memory())
    trivial = [run(["/bin/true"])[:2] for _ in range(max(runs, 20))]
    status_times = [workspace.databuild("status")[:2] for _ in range(max(runs, 20))]
    workspace.stop()
    table.add("status, server running", status_times, trivial, "/bin/true", "≤ 15")
    luigid = shutil.which("luigid")
    if luigid:
        theirs, their_memory = [], []
        for number in range(runs):
            port = 18000 + number
            start = time.perf_counter()
            process = subprocess.Popen([luigid, "--port", str(port)], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, cwd=scratch)
            import urllib.request
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/api/task_list", timeout=1).read()
                    break
                except OSError:
                    time.sleep(0.002)
            wall = time.perf_counter() - start
            theirs.append((wall, process_cpu(process.pid)))
            text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            their_memory.append(int(text.split("VmRSS:")[1].split()[0]) / 1024)
            process.kill()
            process.wait()
        table.add("server start to first answer", ours, theirs, "luigid", "< 1")
        say(f"  idle memory: {statistics.median(memory):.1f} MiB, luigid {statistics.median(their_memory):.1f} MiB")
        table.memory = (statistics.median(memory), statistics.median(their_memory))
    else:
        say("  luigid is not in PATH: its row is left out")
        table.memory = (statistics.median(memory), None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=["current", "plan", "code", "diff", "jobs", "cancel", "start"])
    parser.add_argument("--write", type=pathlib.Path, help="keep the table in this file")
    args = parser.parse_args()
    if not shutil.which("ninja"):
        raise SystemExit("ninja is not in PATH: install ninja-build")
    say("building the release program")
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "databuild/target"))
    run(["cargo", "build", "--release", "--bin", "databuild", "--example", "spawn_loop"], cwd=ROOT / "databuild")
    program, spawn_loop = target / "release/databuild", target / "release/examples/spawn_loop"
    table = Table()
    with tempfile.TemporaryDirectory(prefix="databuild-bench-") as scratch:
        scratch = pathlib.Path(scratch)
        benches = {
            "current": lambda: bench_current(table, scratch, program, args.runs),
            "plan": lambda: bench_plan(table, scratch, program, args.runs),
            "code": lambda: bench_code_change(table, scratch, program, args.runs),
            "diff": lambda: bench_diff(table, scratch, program, args.runs),
            "jobs": lambda: bench_jobs(table, scratch, program, spawn_loop, args.runs),
            "cancel": lambda: bench_cancel(table, scratch, program, args.runs),
            "start": lambda: bench_start(table, scratch, program, args.runs),
        }
        for name, bench in benches.items():
            if args.only in (None, name):
                say(name)
                bench()
    text = table.markdown()
    if memory := table.memory:
        peer = f"{memory[1]:.1f} MiB" if memory[1] else "not measured"
        text += f"\nServer's resident memory when idle: {memory[0]:.1f} MiB; luigid: {peer}.\n"
    if table.partition_bytes is not None:
        text += f"\nServer's memory for a materialized partition, of 4,000,000: {table.partition_bytes:.1f} bytes (goal ≤ 50).\n"
    print(text)
    if args.write:
        head = (
            "# Measurements\n\nMade by `tools/bench/bench.py`, all rows in one run on one machine: medians of "
            f"{args.runs} runs in turn with the peer's. Machines differ; the ratios are what counts.\n\n"
        )
        args.write.write_text(head + text)


if __name__ == "__main__":
    main()
