"""Workspaces with a graph file made by hand, as Bazel would have built it: for measurements, for storms and for the web UI.

Nothing here calls Bazel. A job is a script; its code manifest is made as the rules would make it.
"""

import datetime
import hashlib
import json
import os
import pathlib
import sqlite3

from measure import run

JOB = "#!/bin/sh\necho x > \"$1\"\n"


class Workspace:
    """A scratch workspace with a graph file made by hand, as Bazel would have built it."""

    def __init__(self, folder, program, datasets, jobs, script=JOB, checks=()):
        """`jobs` and `checks` are entries of the graph file that may leave out what has a usual value. Whatever says
        nothing of its own code runs `script`."""
        self.folder = folder
        self.path = folder / "ws"
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / "MODULE.bazel").write_text("")
        runfiles = folder / "bin" / "databuild.runfiles" / "_main"
        runfiles.mkdir(parents=True)
        self.runfiles = runfiles
        code = self.code("job", script)
        usual = {"args": [], "env": {}, "env_inherit": [], "grace_ms": 5000, **code}
        of_jobs = {
            "inputs": [], "retries": 0, "backoff_ms": 1000, "backoff_max_ms": 60000, "timeout_ms": None,
            "on_code_change": "stale",
        }
        jobs = [{**usual, **of_jobs, **entry} for entry in jobs]
        self.graph = {"format": 2, "label": "//:databuild", "datasets": datasets, "jobs": jobs}
        if checks:
            del usual["sources"]
            self.graph["checks"] = [{**usual, "timeout_ms": 60000, **entry} for entry in checks]
        self.write_graph()
        (folder / "bin" / "databuild").symlink_to(program)
        self.env = dict(os.environ, XDG_CACHE_HOME=str(folder / "cache"), XDG_RUNTIME_DIR="")
        self.env.pop("BUILD_WORKSPACE_DIRECTORY", None)

    def code(self, name, script):
        """Writes a script as Bazel's outputs would have it; returns what a job says of it."""
        job = self.runfiles / name
        job.write_text(script)
        job.chmod(0o755)
        digest = hashlib.sha256(script.encode()).hexdigest()
        manifest = f"databuild-code-manifest 1\nF {digest} {len(script)} x _main/{name}\n"
        (self.runfiles / f"{name}.manifest").write_text(manifest)
        (self.runfiles / f"{name}.sources").write_text('{"format":1,"label":"//:job","files":[],"edges":[]}')
        return {
            "executable": f"_main/{name}", "manifest": f"_main/{name}.manifest", "sources": f"_main/{name}.sources",
            "code": hashlib.sha256(manifest.encode()).hexdigest(),
        }

    def write_graph(self):
        """Writes the graph file."""
        file = {name: [_nested(entry) for entry in part] if name in ("jobs", "checks") else part for name, part in self.graph.items()}
        (self.folder / "bin" / "databuild.graph.json").write_text(json.dumps(file))

    def command(self, *args):
        """A command line of this workspace's databuild."""
        return [str(self.folder / "bin" / "databuild"), "--workspace", str(self.path), "--color", "never", *args]

    def databuild(self, *args):
        """Runs it."""
        return run(self.command(*args), cwd=self.path, env=self.env)

    def server(self):
        """Process id of the server."""
        return json.loads((self.path / ".databuild/server.json").read_text())["pid"]

    def memory(self):
        """The server's resident memory, in MiB."""
        status = pathlib.Path(f"/proc/{self.server()}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def events(self):
        """Events in the log."""
        with sqlite3.connect(f"file:{self.path}/.databuild/bel.sqlite?mode=ro", uri=True) as log:
            return log.execute("SELECT max(seq) FROM events").fetchone()[0]

    def stop(self):
        """Stops the server."""
        self.databuild("stop", "--jobs")


def _nested(entry):
    """A job or check as the graph file has it, with what is run in a record of its own."""
    names = ("executable", "args", "env", "env_inherit", "timeout_ms", "grace_ms", "manifest", "code")
    rest = {name: value for name, value in entry.items() if name not in names}
    return {**rest, "program": {name: entry[name] for name in names if name in entry}}


def static(name, keys):
    return {"name": name, "keys": {"kind": "static", "keys": keys}}


def days(count):
    """So many days that are all over: a key exists once its period has ended."""
    first = datetime.date(1900, 1, 1)
    last = first + datetime.timedelta(days=count - 1)
    return {
        "name": "date",
        "keys": {
            "kind": "time", "granularity": "day", "start": first.isoformat(), "end": last.isoformat(), "timezone": "UTC",
        },
    }


def dataset(name, dims, external=False):
    path = f"out/{name}/" + "/".join("{%s}" % dim["name"] for dim in dims)
    return {"name": name, "label": f"//:{name}", "external": external, "dims": dims, "path": path}


def job(name, output, inputs=(), args=("{path}",)):
    return {"label": f"//:{name}", "args": list(args), "inputs": list(inputs), "outputs": [output]}


def reads(name, dims, rules, before="fail"):
    return {
        "name": name, "dataset": name, "before_start": before, "after_end": "fail",
        "dims": [{"dim": dim["name"], "rule": rule} for dim, rule in zip(dims, rules)],
    }


SAME = {"kind": "same", "of": "date"}
WEEK = {"kind": "window", "of": "date", "count": 7}
