"""Rows about the HTTP server: requests a second beside an empty handler, and who waits while others ask for long lists."""

import datetime
import http.client
import json
import os
import pathlib
import re
import selectors
import shutil
import socket
import subprocess
import threading
import time

from graphs import QUICK_JOB
from handmade import Workspace, dataset, days, job, static
from measure import run, say

# Keys of the first dimension.
PARTS = 25
SECONDS = 3
FOLLOWERS = 1_000
COMMANDS = 1_000
SCRAPES = 20
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


def requests(bench):
    """Requests a second at 100,000 runs, beside a handler that does nothing and beside the disk."""
    if not shutil.which("wrk"):
        say("  wrk is not in PATH (Debian's package wrk): its rows are left out")
        return
    runs = 100_000
    server = Server(bench, "requests", runs)
    empty = subprocess.Popen([str(bench.yardstick("empty_http"))], stdout=subprocess.PIPE, text=True)
    empty_url = f"http://127.0.0.1:{empty.stdout.readline().strip()}"
    of_run = server.script("run", f'path = "/api/v1/runs/r" .. math.random({runs})')
    of_list = server.script("list", 'path = "/api/v1/runs?cursor=r" .. math.random(1000, %d)' % runs)
    # All is current, so a want ends in the transaction that makes it.
    partition = f'"many/part=p" .. math.random(0, {PARTS - 1}) .. "/date=1900-01-0" .. math.random(1, 9)'
    body = f"body = string.format('{{\"targets\": [\"%s\"]}}', {partition})"
    of_want = server.script("want", f'method = "POST" path = "/api/v1/wants" {body}')
    nothing, found, listed, wanted, flushed = [], [], [], [], []
    for _ in range(bench.runs):
        nothing.append(wrk(empty_url, of_run)[0])
        found.append(wrk(server.url, of_run)[0])
        listed.append(wrk(server.url, of_list)[0])
        flushed.append(flushes(bench.scratch / "flushes"))
        wanted.append(wrk(server.url, of_want)[0])
    empty.kill()
    server.stop()
    bench.table.add_rate("GET /runs/ID, 100,000 runs, 16 connections", found, "an empty axum handler", nothing, "≥ 0.3")
    bench.table.add_rate("GET /runs, pages of 100", listed, "an empty axum handler", nothing, "≥ 0.05")
    bench.table.add_rate("POST /wants, durable", wanted, "fdatasync of one file", flushed, "≥ 0.3")


def lists(bench):
    """The 99th percentile of /health while nobody asks and while eight clients ask for long lists at 1,000,000 runs."""
    if not shutil.which("wrk"):
        say("  wrk is not in PATH (Debian's package wrk): its rows are left out")
        return
    server = Server(bench, "lists", 1_000_000)
    health = server.script("health", 'path = "/health"')
    choices = ", ".join(json.dumps(path) for path in LONG_LISTS)
    long = server.script("long", f"choices = {{{choices}}} path = choices[math.random(#choices)]")
    idle, busy = [], []
    for _ in range(bench.runs):
        idle.append(wrk(server.url, health, connections=1)[1])
        others = subprocess.Popen(wrk_command(server.url, long, 8, SECONDS + 2), stdout=subprocess.PIPE, text=True)
        time.sleep(1)
        busy.append(wrk(server.url, health, connections=1)[1])
        said = others.communicate()[0]
        say(f"  meanwhile: {number(said, 'Requests/sec')} lists a second")
    server.stop()
    pairs = ([(seconds, 0) for seconds in times] for times in (busy, idle))
    what = "p99 of /health while 8 clients ask for long lists, 1,000,000 runs (CPU not measured)"
    bench.table.add(what, *pairs, "while nobody asks", "≤ 5, or 25 ms")


def scrape(bench):
    """How long a scrape takes after a million runs, and after a hundred."""
    many, few = [], []
    for server, times in [(Server(bench, "scrape", 1_000_000), many), (Server(bench, "scrape-few", 4 * PARTS), few)]:
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=60)
        for _ in range(SCRAPES * bench.runs):
            began = time.perf_counter()
            connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {server.token}"})
            if b"databuild_job_runs_total" not in connection.getresponse().read():
                raise SystemExit("the metrics are not told")
            times.append((time.perf_counter() - began, 0))
        connection.close()
        server.stop()
    bench.table.add("GET /metrics, 1,000,000 runs (CPU not measured)", many, few, "100 runs", "≤ 1.5, or 10 ms")


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
    pairs = ([(seconds, seconds) for seconds in times] for times in (followed, alone))
    bench.table.add(what, *pairs, "no followers", "≤ 1.1")


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


class Server:
    """A server whose log has so many runs."""

    def __init__(self, bench, name, runs):
        dims = [static("part", [f"p{n}" for n in range(PARTS)]), days(runs // PARTS)]
        many = dict(dataset("many", dims), path=None)
        self.workspace = Workspace(bench.scratch / name, bench.program, [many], [job("make_many", "many", args=())],
                                   script=QUICK_JOB)
        self.workspace.databuild("status")
        self.workspace.stop()
        first = datetime.date(1900, 1, 1)
        texts = "".join(
            f"many/part=p{part}/date={first + datetime.timedelta(days=day)}\n"
            for day in range(runs // PARTS) for part in range(PARTS)
        )
        log = self.workspace.path / ".databuild/bel.sqlite"
        say(f"  filling a log with {runs:,} runs")
        command = [str(bench.yardstick("fill_log")), str(log), "//:make_many"]
        start = time.perf_counter()
        subprocess.run(command, input=texts, text=True, check=True)
        say(f"  {(time.perf_counter() - start) * 1e6 / runs:.1f} µs a run, {log.stat().st_size / runs:.0f} bytes")
        self.workspace.databuild("status")
        info = json.loads((self.workspace.path / ".databuild/server.json").read_text())
        self.url = f"http://{info['address']}"
        self.token = info["token"]

    def script(self, name, makes):
        """A script for wrk: `makes` sets `path`, and `method` and `body` if they are not GET and none."""
        path = self.workspace.folder / f"{name}.lua"
        path.write_text(
            f'wrk.headers["Authorization"] = "Bearer {self.token}"\n'
            'wrk.headers["Content-Type"] = "application/json"\n'
            "request = function()\n"
            f"  local method, path, body, choices\n  {makes}\n"
            "  return wrk.format(method, path, nil, body)\n"
            "end\n"
        )
        return path

    def stop(self):
        """Stops it."""
        self.workspace.stop()


def wrk_command(url, script, connections, seconds):
    return ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url]


def wrk(url, script, connections=16):
    """Requests a second, and the 99th percentile of their times in seconds."""
    said = run(wrk_command(url, script, connections, SECONDS))[2].stdout.decode()
    if "Non-2xx" in said:
        raise SystemExit(f"errors of {url}, asked by {script}:\n{said}")
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()
    return number(said, "Requests/sec"), float(value) * {"us": 1e-6, "ms": 1e-3, "s": 1}[unit]


def number(said, name):
    return float(re.search(rf"{name}:\s+([\d.]+)", said)[1])


def flushes(path):
    """How often a second a little more of a file gets to the disk."""
    count, end = 0, time.perf_counter() + 1
    with open(path, "ab", buffering=0) as file:
        while time.perf_counter() < end:
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            count += 1
    return count
