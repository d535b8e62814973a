"""Rows about what is known: looks, plans, changes of code, growth."""

import datetime
import json
import os

from graphs import QUICK_JOB, layered, with_server
from handmade import SAME, WEEK, Workspace, dataset, days, job, reads, static
from measure import run, say
from peers import ninja_files, ninja_layered


def current(bench):
    """Asking again for 100,000 current partitions that are files."""
    count = 100_000
    dims = [static("part", [f"p{n}" for n in range(100)]), days(count // 100)]
    workspace = Workspace(bench.scratch / "current", bench.program, [dataset("files", dims, external=True)], [])
    for part in range(100):
        folder = workspace.path / "out/files" / f"p{part}"
        folder.mkdir(parents=True)
        for day in range(count // 100):
            (folder / (datetime.date(1900, 1, 1) + datetime.timedelta(days=day)).isoformat()).write_text("x\n")
    ninja_files(bench.scratch / "current-ninja", count)
    say("  first look at 100,000 files")
    workspace.databuild("build", "files")
    ours, theirs = [], []
    for _ in range(bench.runs):
        wall, cpu, _ = with_server(workspace, ["build", "files"])
        ours.append((wall, cpu))
        theirs.append(run(["ninja", "-n"], cwd=bench.scratch / "current-ninja")[:2])
    workspace.stop()
    bench.table.add("100,000 current files asked for again", ours, theirs, "ninja -n, as many files", "≤ 1")


def look(bench):
    """A look at 1,000,000 files, of which none was touched."""
    count, folders = 1_000_000, 1000
    dims = [static("part", [f"p{n}" for n in range(folders)]), days(count // folders)]
    workspace = Workspace(bench.scratch / "look", bench.program, [dataset("files", dims, external=True)], [])
    say("  making 1,000,000 files")
    dates = [(datetime.date(1900, 1, 1) + datetime.timedelta(days=n)).isoformat() for n in range(count // folders)]
    paths = []
    for part in range(folders):
        folder = workspace.path / "out/files" / f"p{part}"
        folder.mkdir(parents=True)
        for date in dates:
            path = folder / date
            path.touch()
            paths.append(str(path))
    listing = bench.scratch / "look.paths"
    listing.write_text("\n".join(paths) + "\n")
    say("  first look at 1,000,000 files")
    workspace.databuild("build", "files")
    ours, theirs = [], []
    for _ in range(bench.runs):
        ours.append(with_server(workspace, ["build", "files"])[:2])
        command = f"exec {bench.yardstick('stat_loop')} {os.cpu_count()} < {listing}"
        theirs.append(run(["sh", "-c", command])[:2])
    workspace.stop()
    bench.table.add("look at 1,000,000 files", ours, theirs, "a loop of statx, as many threads", "≤ 2", "client included")


def plan(bench):
    """Planning 11k partitions and 29k edges; then a million partitions."""
    small, targets = layered(bench.scratch / "plan", bench.program, 365)
    large, _ = layered(bench.scratch / "plan-large", bench.program, 33_334)
    ninja_layered(bench.scratch / "plan-ninja", 365)
    for workspace in (small, large):
        workspace.databuild("plan", *targets)
    ours, big, theirs = [], [], []
    for _ in range(bench.runs):
        ours.append(with_server(small, ["plan", *targets])[:2])
        big.append(with_server(large, ["plan", *targets])[:2])
        theirs.append(run(["ninja", "-n"], cwd=bench.scratch / "plan-ninja")[:2])
    small.stop()
    large.stop()
    bench.table.add("plan of 10,950 partitions, 29k edges", ours, theirs, "ninja -n, same graph", "≤ 1", "client included")
    bench.table.add("plan of 1,000,020 partitions", big, theirs, "ninja -n, 10,950 nodes", "≤ 1", "client included")


def growth(bench):
    """Plans of 10^3 to 10^7 partitions: 3 layers x 10 datasets, each with as many parts and days as it takes."""
    sizes = [(10**3, 1, 33), (10**4, 1, 333), (10**5, 1, 3_333), (10**6, 1, 33_333), (10**7, 10, 33_333)]
    ninja_layered(bench.scratch / "growth-ninja", 3_333)
    times = []
    for size, parts, keys in sizes:
        workspace, targets = layered(bench.scratch / f"growth-{size}", bench.program, keys, parts)
        workspace.databuild("plan", *targets)
        ours = [with_server(workspace, ["plan", *targets])[:2] for _ in range(bench.runs)]
        times.append((size, ours))
        if size == 10**7:
            theirs = [run(["ninja", "-n"], cwd=bench.scratch / "growth-ninja")[:2] for _ in range(bench.runs)]
            bench.table.add("plan of 9,999,900 partitions", ours, theirs, "ninja -n, 99,990 nodes", "≤ 1", "client included")
        workspace.stop()
    bench.table.add_growth("plan, client included", times)


def code_change(bench):
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
    workspace = Workspace(bench.scratch / "code-change", bench.program, datasets, jobs, script=QUICK_JOB)
    workspace.databuild("deploy", "--yes")
    empty = workspace.memory()
    say("  making 4,000,000 partitions")
    workspace.databuild("build", names[-1])
    # As it is in the long run: read from a checkpoint, not just built.
    workspace.stop()
    workspace.databuild("status")
    full = workspace.memory()
    bench.table.partition_bytes = (full - empty) * 1024 * 1024 / 4_000_000
    say(f"  {empty:.1f} MiB without, {full:.1f} MiB with partitions: {bench.table.partition_bytes:.1f} bytes for each")
    ninja_layered(bench.scratch / "code-change-ninja", 365)
    ours, theirs = [], []
    for number in range(bench.runs):
        workspace.graph["jobs"][0].update(workspace.code(f"job{number}", f"{QUICK_JOB}# {number}\n"))
        workspace.write_graph()
        wall, cpu, done = with_server(workspace, ["plan", names[-1], "--json"])
        ours.append((wall, cpu))
        theirs.append(run(["ninja", "-n"], cwd=bench.scratch / "code-change-ninja")[:2])
        planned = json.loads(done.stdout)
        if (planned["certain"], planned["if_changed"]) != (1_000_000, 3_000_000):
            raise SystemExit(f"{planned['certain']} and {planned['if_changed']} partitions are planned")
    workspace.stop()
    bench.table.add("code change, 1,000,000 partitions and 3 layers of as many", ours, theirs, "ninja -n, 10,950 nodes",
              "≤ 1", "graph registered and planned, client included")


def diff(bench):
    """Comparing two graph files with 2,000 jobs, every tenth of which has other code."""
    dims = [static("part", ["p0", "p1"]), days(365)]
    rules = [{"kind": "same", "of": "part"}, SAME]
    datasets = [dataset(f"d{n:04}", dims) for n in range(2000)]
    jobs = [job(f"j{n:04}", f"d{n:04}", [reads(f"d{n - 1:04}", dims, rules)] if n else []) for n in range(2000)]
    workspace = Workspace(bench.scratch / "diff", bench.program, datasets, jobs)
    graph = json.loads((workspace.folder / "bin" / "databuild.graph.json").read_text())
    base, head = bench.scratch / "diff" / "base.json", bench.scratch / "diff" / "head.json"
    # Indented, as the rules write it.
    base.write_text(json.dumps(graph, indent=2))
    for entry in graph["jobs"][::10]:
        entry["program"]["code"] = "0" * 64
    head.write_text(json.dumps(graph, indent=2))
    ours, theirs = [], []
    for _ in range(bench.runs):
        ours.append(run([bench.program, "diff", "--base", base, "--head", head], cwd=bench.scratch)[:2])
        theirs.append(run(["git", "diff", "--no-index", "--stat", base, head], cwd=bench.scratch, good=(1,))[:2])
    bench.table.add("diff of two graphs with 2,000 jobs", ours, theirs, "git diff --stat of the two files", "≤ 1")
