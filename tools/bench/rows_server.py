"""Rows about the server's life: start, memory."""

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
    workspace.databuild("status")
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

