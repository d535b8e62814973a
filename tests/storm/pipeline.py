"""The pipeline that storms build: each way of making data, in a few layers."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import NamedTuple, Optional

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools/lib"))
sys.path.insert(0, str(HERE.parent / "e2e"))
from handmade import Workspace, dataset, days, static  # noqa: E402
from harness import kill_all, processes_about  # noqa: E402, F401 (others take them from here)

PARTS = ["a", "b", "c"]
DAYS = 6
# One want: `gathered` reads all keys that runs for `found` find.
TARGETS = ["total", "batch", "found", "gathered"]
# No command takes so long unless it hangs.
PATIENCE = 120


class Said(NamedTuple):
    """What a command came to; the code is None if it did not end in time."""

    args: tuple
    code: Optional[int]
    out: str
    err: str

    def __str__(self):
        return f"databuild {' '.join(self.args)}: exit code {self.code}\n{self.out[-3000:]}{self.err[-3000:]}"


class Pipeline:
    """A workspace with the pipeline, and the folder that its jobs write their ledger to."""

    def __init__(self, folder: pathlib.Path, program: str, parts=PARTS, day_count=DAYS):
        self.folder = folder
        self.parts = parts
        self.notes = folder / "notes"
        (self.notes / "locks").mkdir(parents=True)
        (self.notes / "ledger").write_text("")
        script = f"#!{sys.executable} -IS\n" + (HERE / "job.py").read_text()
        self.workspace = Workspace(folder, program, *self.graph(day_count), script=script, checks=self.checks())
        self.path = self.workspace.path
        self.state = self.path / ".databuild"

    def graph(self, day_count):
        part, date = static("part", self.parts), days(day_count)
        thing = {"name": "thing", "keys": {"kind": "dynamic", "name": "things"}}
        of = {
            "given": [part], "raw": [part, date], "tree": [part, date], "twin_a": [part, date], "twin_b": [part, date],
            "maybe": [part, date], "batch": [part, date], "sum": [part], "total": [], "found": [part],
            "thing": [thing], "gathered": [],
        }
        datasets = [dict(dataset(name, of[name], external=name == "given")) for name in sorted(of)]
        for entry in datasets:
            entry["path"] = entry["path"].rstrip("/")

        def job(kind, outputs, inputs, **more):
            home = {dim["name"] for dim in of[outputs[0]]}
            entries = [
                {
                    "name": name, "dataset": name, "before_start": "fail", "after_end": "fail",
                    "dims": [
                        {"dim": dim["name"], "rule": {"kind": "same", "of": dim["name"]} if dim["name"] in home else {"kind": "all"}}
                        for dim in of[name]
                    ],
                }
                for name in sorted(inputs)
            ]
            return {
                "label": f"//:{kind}", "args": [str(self.notes), kind], "inputs": entries, "outputs": outputs,
                # So many that kills alone never fail a run.
                "retries": 1000, "backoff_ms": 10, "backoff_max_ms": 50, **more,
            }

        jobs = [
            job("batch", ["batch"], ["twin_a"], batch={"dim": "date", "max": 3}),
            job("find", ["found"], ["raw"], adds_keys=["things"]),
            job("gather", ["gathered"], ["thing"]),
            job("maybe", ["maybe"], ["tree"]),
            job("raw", ["raw"], ["given"]),
            job("sum", ["sum"], ["maybe", "twin_b"]),
            job("thing", ["thing"], ["found"]),
            job("total", ["total"], ["sum"]),
            job("tree", ["tree"], ["raw"]),
            job("twin", ["twin_a", "twin_b"], ["raw"]),
        ]
        return datasets, jobs

    def checks(self):
        return [
            {"label": f"//:{name}", "dataset": of, "blocking": name == "hold", "args": [str(self.notes), name]}
            for name, of in [("hold", "tree"), ("warn", "batch")]
        ]

    def give(self, version: int) -> None:
        """Writes the external files, all other than those of another version."""
        folder = self.path / "out/given"
        folder.mkdir(parents=True, exist_ok=True)
        for part in self.parts:
            (folder / f"{part}.new").write_text(f"version {version} of {part}\n")
            os.rename(folder / f"{part}.new", folder / part)

    def run(self, *args: str, patience: float = PATIENCE) -> Said:
        """Runs a command to its end, or kills it."""
        process = subprocess.Popen(
            self.workspace.command(*args), cwd=self.path, env=self.workspace.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=patience)
            code = process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            code = None
        return Said(args, code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))

    def build_all(self) -> list:
        """Builds everything undisturbed; returns what was wrong."""
        said = self.run("build", "--json", "--jobs", "4", *TARGETS)
        return [] if said.code == 0 else [f"an undisturbed build fails: {said}"]

    def server(self) -> Optional[dict]:
        """What the server says of itself in its file, if there is one."""
        try:
            return json.loads((self.state / "server.json").read_text())
        except (OSError, ValueError):
            return None

    def runner_pid(self) -> Optional[int]:
        """The runner's process, if it left its record."""
        try:
            return json.loads((self.state / "spool/runner.json").read_text())["pid"]
        except (OSError, ValueError, KeyError):
            return None

    def ledger(self) -> list:
        """Lines of the ledger: word, attempt, partition, pid, time, number of lines printed."""
        lines = []
        for line in (self.notes / "ledger").read_text().splitlines():
            word, attempt, partition, pid, at, printed = line.split(" ")
            lines.append((word, attempt, partition, int(pid), int(at), int(printed)))
        return lines


def tree(folder: pathlib.Path) -> dict:
    """All files and folders below a folder, with what they hold."""
    found = {}
    for at, folders, names in os.walk(folder):
        for name in folders:
            found[os.path.relpath(os.path.join(at, name), folder)] = None
        for name in names:
            path = os.path.join(at, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found
