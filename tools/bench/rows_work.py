"""Rows about work: small jobs, chains, wants side by side, cancelling."""

import json

from graphs import SLOW_JOB, with_server
from handmade import Workspace, dataset, days, job, reads, static
from measure import run


def jobs(bench):
    """1,000 jobs that only write a small file, 2 at a time, every event durable."""
    count = 1000
    ours, theirs = [], []
    for number in range(bench.runs):
        workspace = Workspace(
            bench.scratch / f"jobs-{number}", bench.program, [dataset("small", [days(count)])], [job("make_small", "small")]
        )
        workspace.databuild("deploy", "--yes")
        ours.append(with_server(workspace, ["build", "small", "--jobs", "2"])[:2])
        workspace.stop()
        folder = bench.scratch / f"loop-{number}"
        folder.mkdir()
        script = workspace.folder / "bin/databuild.runfiles/_main/job"
        theirs.append(run([str(bench.yardstick("spawn_loop")), str(script), str(folder), str(count), "2"])[:2])
    bench.table.add("1,000 small jobs, 2 at a time, durable", ours, theirs, "bare posix_spawn loop", "≤ 1.4",
              "CPU without the runner's and the jobs' own")


def chain(bench):
    """200 small jobs, each of which reads what the one before it made."""
    count = 200
    dims = [static("part", ["p"])]
    rules = [{"kind": "same", "of": "part"}]
    # All in one folder, as the loop has them.
    datasets = [dict(dataset(f"d{n:03}", dims), path=f"out/d{n:03}-{{part}}") for n in range(count)]
    steps = [job(f"j{n:03}", f"d{n:03}", [reads(f"d{n - 1:03}", dims, rules)] if n else []) for n in range(count)]
    ours, theirs = [], []
    for number in range(bench.runs):
        workspace = Workspace(bench.scratch / f"chain-{number}", bench.program, datasets, [dict(step) for step in steps])
        workspace.databuild("deploy", "--yes")
        ours.append(with_server(workspace, ["build", datasets[-1]["name"]])[:2])
        workspace.stop()
        folder = bench.scratch / f"chain-loop-{number}"
        folder.mkdir()
        script = workspace.folder / "bin/databuild.runfiles/_main/job"
        theirs.append(run([str(bench.yardstick("chain_loop")), str(script), str(folder), str(count)])[:2])
    bench.table.add("a chain of 200 small jobs", ours, theirs, "loop: spawn, sync of the output, 2 SQLite commits", "≤ 1.5",
                    "CPU without the runner's and the jobs' own")


def two_wants(bench):
    """Two wants for 500 small jobs each, watched at once, beside one want for 1,000."""
    count = 1000
    ours, theirs = [], []
    for number in range(bench.runs):
        parts = [static("part", ["a", "b"]), days(count // 2)]
        workspace = Workspace(bench.scratch / f"two-{number}", bench.program, [dataset("small", parts)], [job("make_small", "small")])
        workspace.databuild("deploy", "--yes")
        one = with_server(workspace, ["build", "small", "--jobs", "2"])[:2]
        workspace.stop()
        workspace = Workspace(bench.scratch / f"two-at-once-{number}", bench.program, [dataset("small", parts)], [job("make_small", "small")])
        workspace.databuild("deploy", "--yes")
        both = " & ".join(" ".join(workspace.command("build", f"small/part={part}", "--jobs", "2")) for part in "ab")
        ours.append(run(["sh", "-c", f"{both} & wait"], cwd=workspace.path, env=workspace.env)[:2])
        workspace.stop()
        theirs.append(one)
    bench.table.add("two wants for 500 small jobs at once", ours, theirs, "one want for 1,000", "≤ 1", "CPU of the clients alone, and with the server")


def cancel(bench):
    """Cancelling a want with 50,000 runs queued, and one with 10, each behind a job that does not end."""
    # Days alone would reach into the future, and what has not ended yet is not built.
    sizes = {"many": 50_000, "few": 10}
    dims = {"many": [static("part", [f"p{n}" for n in range(50)]), days(1000)], "few": [days(10)]}
    datasets = [dataset(name, dims[name]) for name in sizes]
    jobs = [job(f"make_{name}", name) for name in sizes]
    workspace = Workspace(bench.scratch / "cancel", bench.program, datasets, jobs, script=SLOW_JOB)
    workspace.databuild("deploy", "--yes")
    took = {name: [] for name in sizes}
    for _ in range(max(bench.runs, 10)):
        for name, count in sizes.items():
            done = workspace.databuild("build", name, "--class", "backfill", "--jobs", "1", "--detach", "--json")[2]
            want = json.loads(done.stdout)
            if want["progress"]["total"] != count:
                raise SystemExit(f"{want['progress']['total']} runs are queued, not {count}")
            took[name].append(with_server(workspace, ["cancel", want["id"]])[:2])
    workspace.stop()
    bench.table.add("cancel with 50,000 runs queued", took["many"], took["few"], "the same with 10", "≤ 1", "client included")
