"""Rows about the HTTP server: requests a second beside an empty handler, and who waits while others ask for long lists."""

import http.client
import json
import pathlib
import selectors
import signal
import socket
import statistics
import subprocess
import threading
import time

from handmade import Workspace, dataset, job
from load import PARTS, SECONDS, Load, Long, flushes, has_wrk, number, wrk, wrk_command
from measure import say
from table import Goal, at_most

FOLLOWERS = 1_000
COMMANDS = 1_000
SCRAPES = 20
WANTS = 60_000
# Seconds after which that is given up.
LONGEST = 120
# NoETL made 920 a second, and the slowest of 100 took so long.
SLOWEST_WANT = 0.164
ENOUGH_WANTS = 1_500
# The most resident memory, by the number of runs.
MOST_MEMORY = {10_000: 35e6, 100_000: 182e6}
# One after the other; those of which nothing is found have to look longest.
LONG_LISTS = [
    "/api/v1/runs?limit=1000",
    "/api/v1/runs?partition=many&limit=1000",
    "/api/v1/runs?partition=many/part=p3",
    "/api/v1/runs?partition=man",
    "/api/v1/runs?job=//:make_many&state=canceled",
    "/api/v1/runs?state=failed",
    "/api/v1/checks?limit=1000",
    "/api/v1/checks?failed=true",
    "/api/v1/partitions?ref=many&state=missing",
    "/api/v1/events?limit=1000",
    "/api/v1/datasets",
    "/metrics",
]


def memory(bench):
    """Resident memory of a server that has started with so many runs, and again after each long list was asked for."""
    for runs, most in MOST_MEMORY.items():
        server = Long(bench, f"memory-{runs}", runs)
        idle = []
        for _ in range(bench.runs):
            server.stop()
            server.start()
            idle.append(server.memory())
        for path in LONG_LISTS:
            server.ask("GET", path)
        asked = server.memory()
        server.stop()
        what = f"Resident memory, {runs:,} runs, after a start"
        bench.table.alone(what, idle, f"< {most / 1e6:.0f} MB", statistics.median(idle) < most, "MB")
        bench.table.alone("the same after the longest lists", [asked], f"< {most / 1e6:.0f} MB", asked < most, "MB")


def wants(bench):
    """POST of 60,000 wants by 16 clients, beside the disk; the server is killed after the last answer, and has all of them."""
    if not has_wrk():
        return
    server = Long(bench, "wants", 100_000)
    # All is current, so a want ends in the transaction that makes it.
    partition = f'"many/part=p" .. math.random(0, {PARTS - 1}) .. "/date=1900-01-0" .. math.random(1, 9)'
    body = f"body = string.format('{{\"targets\": [\"%s\"]}}', {partition})"
    answers = server.workspace.folder / "answers"
    script = server.script("want", f'method = "POST" path = "/api/v1/wants" {body}', more=f"""
answers, made = io.open("{answers}", "w"), 0
response = function(status, headers, body)
  if status == 201 and made < {WANTS} then
    answers:write(body:match('"id":"(w%d+)"'), "\\n")
    made = made + 1
    if made == {WANTS} then answers:close() os.rename("{answers}", "{answers}.all") end
  end
end
""")
    flushed = [flushes(bench.scratch / "flushes") for _ in range(bench.runs)]
    # It cannot be told a number of requests: it is interrupted when it has so many answers, and says what it measured.
    asking = subprocess.Popen(wrk_command(server.url, script, 16, LONGEST), stdout=subprocess.PIPE, text=True)
    answers = answers.with_suffix(".all")
    while not answers.exists() and asking.poll() is None:
        time.sleep(0.01)
    server.kill()
    asking.send_signal(signal.SIGINT)
    load = Load(asking.communicate()[0])
    flushed += [flushes(bench.scratch / "flushes") for _ in range(bench.runs)]
    server.start()
    told = set(answers.read_text().split()) if answers.exists() else set()
    kept = server.ids_of_wants() & told
    server.stop()

    def fast(ours, theirs):
        return ours >= min(0.5 * theirs, ENOUGH_WANTS)

    bench.table.beside(f"`POST /wants`, {WANTS:,}, durable, 16 connections", [load.rate], "`fdatasync` of one file", flushed,
                       Goal(f"≥ 0.5, or {ENOUGH_WANTS:,} a second", fast), "a second")
    bench.table.alone("its p99", [load.p99], f"< {SLOWEST_WANT * 1000:.0f} ms", load.p99 < SLOWEST_WANT, "ms")
    bench.table.alone(f"of {WANTS:,} wants that were answered, kept when the server was killed after the last answer", [len(kept)],
                      f"{WANTS:,}", len(kept) == WANTS, "")


def lists(bench):
    """At 1,000,000 runs: p99 of /health while nobody asks and while eight clients ask for long lists; and scrapes, beside 100 runs."""
    if not has_wrk():
        return
    server, few = Long(bench, "lists", 1_000_000), Long(bench, "scrape-few", 4 * PARTS)
    health = server.script("health", 'path = "/health"')
    long = server.any_of("long", LONG_LISTS)
    idle, busy = [], []
    for _ in range(bench.runs):
        idle.append(wrk(server.url, health, connections=1).p99)
        others = subprocess.Popen(wrk_command(server.url, long, 8, SECONDS + 2), stdout=subprocess.PIPE, text=True)
        time.sleep(1)
        busy.append(wrk(server.url, health, connections=1).p99)
        said = others.communicate()[0]
        say(f"  meanwhile: {number(said, 'Requests/sec: *')} lists a second")
    what = "p99 of `/health` while 8 clients ask for the longest lists, 1,000,000 runs"
    bench.table.beside(what, busy, "while nobody asks", idle, at_most(5, 0.025, "25 ms"), "ms")
    times = [scrapes(bench, one) for one in (server, few)]
    bench.table.beside("`GET /metrics`, 1,000,000 runs", times[0], "100 runs", times[1], at_most(1.5, 0.010, "10 ms"), "ms")
    server.stop()
    few.stop()


def scrapes(bench, server):
    """How long each scrape takes, on one connection."""
    times = []
    connection = http.client.HTTPConnection(server.info["address"], timeout=60)
    for _ in range(SCRAPES * bench.runs):
        began = time.perf_counter()
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {server.info['token']}"})
        if b"databuild_job_runs_total" not in connection.getresponse().read():
            raise SystemExit("the metrics are not told")
        times.append(time.perf_counter() - began)
    connection.close()
    return times


def followers(bench):
    """The loop's CPU time for a thousand commands while nobody follows the event log, and while a thousand do."""
    workspace = Workspace(bench.scratch / "followers", bench.program, [dict(dataset("slow", []), path=None)], [job("make_slow", "slow", args=())],
                          script="#!/bin/sh\nexec sleep 3600\n")
    want = json.loads(workspace.databuild("build", "--detach", "--json", "slow")[2].stdout)["id"]
    info = json.loads((workspace.path / ".databuild/server.json").read_text())
    alone, followed = [], []
    for _ in range(bench.runs):
        alone.append(loop_seconds(workspace, info, want))
        crowd = Crowd(info, FOLLOWERS)
        followed.append(loop_seconds(workspace, info, want))
        say(f"  meanwhile {FOLLOWERS:,} followers read {crowd.leave() / 1e6:.1f} MB")
    workspace.stop()
    what = f"CPU time of the loop for {COMMANDS:,} commands, {FOLLOWERS:,} followers of events"
    bench.table.beside(what, followed, "no followers", alone, at_most(1.1), "ms")


def loop_seconds(workspace, info, want):
    """Seconds of CPU time that the loop takes for many commands about a want."""
    tasks = pathlib.Path(f"/proc/{workspace.server()}/task").iterdir()
    loop = next(task for task in tasks if (task / "comm").read_text().strip() == "orchestrator")

    def taken():
        return int((loop / "schedstat").read_text().split()[0]) / 1e9

    connection = http.client.HTTPConnection(info["address"], timeout=60)
    headers = {"Authorization": f"Bearer {info['token']}", "Content-Type": "application/json"}
    before = taken()
    for number in range(COMMANDS):
        body = json.dumps({"class": ["backfill", "interactive"][number % 2]})
        connection.request("POST", f"/api/v1/wants/{want}/priority", body, headers)
        response = connection.getresponse()
        said = response.read()
        if response.status != 200:
            raise SystemExit(f"{response.status}: {said.decode()}")
    connection.close()
    return taken() - before


class Crowd:
    """Many who follow the event log, and read what comes."""

    def __init__(self, info, count):
        host, port = info["address"].rsplit(":", 1)
        self.selector = selectors.DefaultSelector()
        self.read = 0
        head = f"GET /api/v1/events/stream HTTP/1.1\r\nHost: {info['address']}\r\nAuthorization: Bearer {info['token']}\r\n\r\n"
        for _ in range(count):
            client = socket.create_connection((host, int(port)), timeout=60)
            client.sendall(head.encode())
            if b" 200 " not in client.recv(4096):
                raise SystemExit("a follower is refused")
            client.setblocking(False)
            self.selector.register(client, selectors.EVENT_READ)
        self.over = threading.Event()
        self.reading = threading.Thread(target=self.drain)
        self.reading.start()

    def drain(self):
        while not self.over.is_set():
            for key, _ in self.selector.select(timeout=0.1):
                self.read += len(key.fileobj.recv(1 << 16))

    def leave(self):
        """Ends all; returns how many bytes they were told."""
        self.over.set()
        self.reading.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        return self.read
