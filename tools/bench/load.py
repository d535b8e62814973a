"""Servers with long histories, and what asks them: wrk, and one request at a time."""

import datetime
import gzip
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import time

from graphs import QUICK_JOB
from handmade import Workspace, dataset, days, job, static
from measure import process_cpu, run, say

# For how long each load lasts, and one in which few answers come.
SECONDS, LONGER = 1, 5
FEW = 50
# Exit code of a command that has no server.
NO_SERVER = 4
FIRST = datetime.date(1900, 1, 1)
# One of so many runs has a check.
CHECKED = 10
# Keys of the first dimension.
PARTS = 25


def has_wrk():
    """Whether there is wrk; says so if not."""
    if shutil.which("wrk"):
        return True
    say("  wrk is not in PATH (Debian's package wrk): its rows are left out")
    return False


def day(number):
    """The key of a day, counted from the first one."""
    return (FIRST + datetime.timedelta(days=number)).isoformat()


def ran(label, of, partitions, attempts=1, failed=False, check=None):
    """A run, as fill_log reads it."""
    line = {"job": label, "set": of, "partitions": partitions, "attempts": attempts, "failed": failed, "check": check}
    return json.dumps(line) + "\n"


class Server:
    """A server of a workspace."""

    def __init__(self, bench, workspace):
        self.bench = bench
        self.workspace = workspace
        self.log = workspace.path / ".databuild/bel.sqlite"

    def fill(self, lines):
        """Fills its log; it is stopped meanwhile, and was never asked to build anything."""
        self.workspace.databuild("deploy", "--yes")
        self.workspace.stop()
        began = time.perf_counter()
        command = [str(self.bench.yardstick("fill_log")), str(self.log)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as filling:
            count = 0
            for count, line in enumerate(lines, 1):
                filling.stdin.write(line)
            filling.stdin.close()
        if filling.returncode != 0:
            raise SystemExit("fill_log failed")
        say(f"  filled a log with {count:,} runs in {time.perf_counter() - began:.0f} s, {self.log.stat().st_size / 1e6:,.0f} MB")

    def start(self):
        """Starts it, if it does not run; returns how many seconds that took."""
        began = time.perf_counter()
        # A command waits for 30 s, and a server that folds a long log may take longer.
        while run(self.workspace.command("status"), self.workspace.path, self.workspace.env, good=(0, NO_SERVER))[2].returncode:
            pass
        took = time.perf_counter() - began
        self.info = json.loads((self.workspace.path / ".databuild/server.json").read_text())
        self.url = f"http://{self.info['address']}"
        return took

    def kill(self):
        """Kills it and nothing else, and waits until it is gone."""
        pid = self.workspace.server()
        handle = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        select.select([handle], [], [])
        os.close(handle)

    def ids_of_wants(self):
        """The ids of all wants that it tells of."""
        found, cursor = set(), ""
        while cursor is not None:
            answer = self.ask("GET", f"/api/v1/wants?limit=1000{cursor and '&cursor=' + cursor}").json()
            found.update(row["id"] for row in answer["data"])
            cursor = answer["next"]
        return found

    def forget_checkpoints(self):
        """So that the next start folds the whole log. It is not running."""
        with sqlite3.connect(self.log) as log:
            log.execute("DELETE FROM checkpoints")
        log.close()

    def ask(self, method, path, body=None, packed=False):
        """One request on a connection of its own: status, headers, bytes as they came, and seconds."""
        connection = http.client.HTTPConnection(self.info["address"], timeout=60)
        headers = {"Authorization": f"Bearer {self.info['token']}", "Content-Type": "application/json"}
        if packed:
            headers["Accept-Encoding"] = "gzip"
        began = time.perf_counter()
        connection.request(method, path, body and json.dumps(body), headers)
        response = connection.getresponse()
        said = response.read()
        took = time.perf_counter() - began
        connection.close()
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {response.status} {said.decode(errors='replace')[:500]}")
        return Answer(response, said, took)

    def script(self, name, makes, packed=False, more=""):
        """A script for wrk: `makes` sets `path`, and `method` and `body` if they are not GET and none."""
        path = self.workspace.folder / f"{name}.lua"
        path.write_text(
            f'wrk.headers["Authorization"] = "Bearer {self.info["token"]}"\n'
            'wrk.headers["Content-Type"] = "application/json"\n'
            + ('wrk.headers["Accept-Encoding"] = "gzip"\n' if packed else "")
            + "request = function()\n"
            f"  local method, path, body\n  {makes}\n"
            "  return wrk.format(method, path, nil, body)\n"
            "end\n" + more
        )
        return path

    def any_of(self, name, paths, packed=False):
        """A script that asks for one of the paths, at random."""
        choices = self.workspace.folder / f"{name}.paths"
        choices.write_text("\n".join(paths) + "\n")
        path = self.script(name, "path = choices[math.random(#choices)]", packed)
        path.write_text(f'choices = {{}}\nfor line in io.lines("{choices}") do choices[#choices + 1] = line end\n' + path.read_text())
        return path

    def settle(self):
        """Waits until it does nothing: it may still work on what nobody waits for any more."""
        settle(self.workspace.server())

    def memory(self):
        """Its resident memory, in bytes."""
        status = pathlib.Path(f"/proc/{self.workspace.server()}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024

    def stop(self):
        """Stops it."""
        self.workspace.stop()


class Answer:
    """What came of a request."""

    def __init__(self, response, said, took):
        self.headers = response.headers
        self.size = len(said)
        self.took = took
        self.bytes = gzip.decompress(said) if response.headers.get("Content-Encoding") == "gzip" else said

    def json(self):
        """It, read."""
        return json.loads(self.bytes)


class Long(Server):
    """One whose log has so many runs of one partition each."""

    def __init__(self, bench, name, runs):
        dims = [static("part", [f"p{n}" for n in range(PARTS)]), days(runs // PARTS)]
        many = dict(dataset("many", dims), path=None)
        super().__init__(bench, Workspace(bench.scratch / name, bench.program, [many], [job("make_many", "many", args=())],
                                          script=QUICK_JOB))
        texts = (f"many/part=p{part}/date={day(number)}" for number in range(runs // PARTS) for part in range(PARTS))
        self.fill(ran("//:make_many", text, [text], check="//:sane" if run % CHECKED == 0 else None) for run, text in enumerate(texts))
        self.start()


class Load:
    """What wrk measured."""

    def __init__(self, said):
        # One that gives no answer at all in that time is told as a slow one.
        self.rate = max(number(said, r"Requests/sec:\s+"), 1 / LONGER)
        self.p99 = seconds(said, r"99%\s+")


def wrk_command(url, script, connections, lasts):
    """A command line of wrk."""
    return ["wrk", "-t1", f"-c{connections}", f"-d{lasts}s", "--timeout", "60s", "--latency", "-s", str(script), url]


def wrk(url, script, connections=16, lasts=SECONDS):
    """Asks for what a script makes, over and over."""
    said = run(wrk_command(url, script, connections, lasts))[2].stdout.decode()
    if "Non-2xx" in said:
        raise SystemExit(f"errors of {url}, asked by {script}:\n{said}")
    load = Load(said)
    return wrk(url, script, connections, LONGER) if load.rate * lasts < FEW and lasts < LONGER else load


def number(said, before):
    """The number behind a pattern in what wrk said."""
    return float(re.search(rf"{before}([\d.]+)", said)[1])


def seconds(said, before):
    """The same, of a time."""
    value, unit = re.search(rf"{before}([\d.]+)(us|ms|s|m)", said).groups()
    return float(value) * {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}[unit]


class Empty:
    """The yardstick: a server that answers each request with nothing."""

    def __init__(self, bench):
        self.process = subprocess.Popen([str(bench.yardstick("empty_http"))], stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{self.process.stdout.readline().strip()}"

    def settle(self):
        """Waits until it does nothing."""
        settle(self.process.pid)

    def stop(self):
        """Ends it."""
        self.process.kill()
        self.process.wait()


def settle(pid):
    """Waits until a process takes hardly any CPU time, for a minute at most."""
    end = time.perf_counter() + 60
    before = process_cpu(pid)
    while time.perf_counter() < end:
        time.sleep(0.05)
        now = process_cpu(pid)
        if now - before < 0.02:
            return
        before = now


def flushes(path):
    """How often a second a little more of a file gets to the disk."""
    count, end = 0, time.perf_counter() + 1
    with open(path, "ab", buffering=0) as file:
        while time.perf_counter() < end:
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            count += 1
    return count
