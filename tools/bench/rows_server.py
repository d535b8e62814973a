"""Rows about the server's life: start, memory."""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import time
import urllib.request

from graphs import QUICK_JOB, layered
from handmade import Workspace, dataset, days, job, static
from measure import process_cpu, run, say


def start(bench):
    """Server start to first answer, and memory when idle."""
    workspace, _ = layered(bench.scratch / "start", bench.program, 365)
    workspace.databuild("deploy", "--yes")
    ours, memory = [], []
    for _ in range(bench.runs):
        workspace.stop()
        ours.append(workspace.databuild("status")[:2])
        memory.append(workspace.memory())
    trivial = [run(["/bin/true"])[:2] for _ in range(max(bench.runs, 20))]
    status_times = [workspace.databuild("status")[:2] for _ in range(max(bench.runs, 20))]
    workspace.stop()
    bench.table.add("status, server running", status_times, trivial, "/bin/true", "≤ 15")
    luigid = shutil.which("luigid")
    if luigid:
        theirs, their_memory = [], []
        for number in range(bench.runs):
            port = 18000 + number
            start = time.perf_counter()
            process = subprocess.Popen([luigid, "--port", str(port)], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, cwd=bench.scratch)
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
        bench.table.add("server start to first answer", ours, theirs, "luigid", "< 1")
        say(f"  idle memory: {statistics.median(memory):.1f} MiB, luigid {statistics.median(their_memory):.1f} MiB")
        bench.table.memory = (statistics.median(memory), statistics.median(their_memory))
    else:
        say("  luigid is not in PATH: its row is left out")
        bench.table.memory = (statistics.median(memory), None)


def restart(bench):
    """Start of a server whose log has 1,000,000 events and whose state has 1,000,000 partitions, from a checkpoint."""
    alone, rest = 250_000, 750_000
    parts = [static("part", [f"p{n}" for n in range(25)]), days(alone // 25)]
    many = [static("part", [f"p{n}" for n in range(75)]), days(rest // 75)]
    jobs = [job("make_alone", "alone", args=()), job("make_many", "many", args=())]
    jobs[1]["batch"] = {"dim": "date", "max": rest // 75}
    datasets = [dict(dataset("alone", parts), path=None), dict(dataset("many", many), path=None)]
    workspace = Workspace(bench.scratch / "restart", bench.program, datasets, jobs, script=QUICK_JOB)
    say("  250,000 runs of one partition each, and 750,000 partitions in batches")
    workspace.databuild("build", "alone", "many", "--jobs", "2")
    workspace.stop()
    rows = bench.scratch / "restart.rows"
    run([str(bench.yardstick("read_rows")), "make", str(rows), "1000000"])
    ours, theirs = [], []
    for _ in range(bench.runs):
        ours.append(workspace.databuild("status")[:2])
        # Killed, so that the next start is from a checkpoint that lies back and not from one made at the end.
        os.kill(workspace.server(), signal.SIGKILL)
        theirs.append(run([str(bench.yardstick("read_rows")), "read", str(rows)])[:2])
    events = workspace.events()
    workspace.databuild("status")
    workspace.stop()
    bench.table.add(f"start with 1,000,000 partitions and {events:,} events", ours, theirs,
                    "reading 1,000,000 rows of 200 bytes from SQLite", "≤ 0.5", "client included, CPU of the client alone")


def sources(bench):
    """First registration of 200 jobs, each made from 5,000 source files of which 4,750 are those of all others."""
    jobs, files, own = 200, 5000, 250
    workspace = Workspace(
        bench.scratch / "sources",
        bench.program,
        [dataset(f"d{n}", [static("part", ["a"])]) for n in range(jobs)],
        [job(f"j{n}", f"d{n}", []) for n in range(jobs)],
    )

    def source(path, owner):
        return {"path": path, "owner": owner, "sha256": hashlib.sha256(path.encode()).hexdigest()}

    shared = [source(f"external/lib/p{n // 50}/f{n}.py", f"@lib//p{n // 50}:all") for n in range(files - own)]
    for n, entry in enumerate(workspace.graph["jobs"]):
        manifest = {
            "format": 1,
            "label": entry["label"],
            "files": shared + [source(f"jobs/j{n}/f{file}.py", f"//jobs/j{n}:lib") for file in range(own)],
            "edges": [[entry["label"], f"//jobs/j{n}:lib"], [f"//jobs/j{n}:lib", "@lib//p0:all"]],
        }
        # Indented, as the rules write it.
        (workspace.runfiles / f"j{n}.sources").write_text(json.dumps(manifest, indent=2) + "\n")
        entry["sources"] = f"_main/j{n}.sources"
    workspace.write_graph()
    manifests = [str(workspace.runfiles / f"j{n}.sources") for n in range(jobs)]
    ours, theirs, kept = [], [], 0
    for number in range(bench.runs):
        ours.append(workspace.databuild("deploy", "--yes")[:2])
        workspace.stop()
        state = workspace.path / ".databuild"
        kept = sum(file.stat().st_size for file in state.glob("bel.sqlite*"))
        # Deleting would make what comes after slow; see bench.py.
        state.rename(bench.scratch / "sources" / f"state-{number}")
        theirs.append(run(["sha256sum", *manifests], cwd=bench.scratch)[:2])
    size = sum(pathlib.Path(path).stat().st_size for path in manifests)
    say(f"  source manifests: {size / 1e6:.0f} MB, of which the log keeps {kept / 1e6:.1f} MB")
    what = "first registration of 200 jobs with 5,000 source files each, 95 % of them shared (server start included)"
    bench.table.add(what, ours, theirs, "sha256sum of the source manifests", "none set")
