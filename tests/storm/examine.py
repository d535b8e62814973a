"""What must hold after a storm."""

from __future__ import annotations

import http.client
import json
import time
from typing import Iterator

from pipeline import TARGETS, Pipeline, processes_about, tree

# A name that keeps Bazel from looking for packages below a folder; it stays there.
NO_PACKAGE = "..."
# What the state folder may have in it while no server runs.
STATE = {
    NO_PACKAGE,
    ".gitignore", "bel.sqlite", "bel.sqlite-wal", "bel.sqlite-shm", "bel.sqlite.last", "server.log", "server.log.1", "server.log.2",
    "server.log.3", "spool", "staging", "archive", "observers", "inherited.json", "runtime_dir", "start.lock", "server.lock", "token", "port",
}


class Refused(AssertionError):
    """An answer that is no success, or no server."""


def ask(pipeline: Pipeline, path: str):
    """An HTTP request; JSON of the answer, or its text."""
    info = pipeline.server()
    if info is None:
        raise Refused(f"GET {path}: there is no server")
    connection = http.client.HTTPConnection(info["address"], timeout=60)
    connection.request("GET", path, headers={"Authorization": f"Bearer {info['token']}"})
    response = connection.getresponse()
    text = response.read().decode("utf-8", "replace")
    connection.close()
    if response.status != 200:
        raise Refused(f"GET {path}: {response.status} {text[:500]}")
    return json.loads(text) if response.getheader("Content-Type", "").startswith("application/json") else text


def wants_end(pipeline: Pipeline, wants: list, patience: float = 120) -> list:
    """Waits until all wants that were acknowledged are over; what is wrong otherwise."""
    wrong, end = [], time.monotonic() + patience
    for want in wants:
        while True:
            said = pipeline.run("want", "get", want, "--json")
            if said.code != 0:
                wrong.append(f"{want} was acknowledged and cannot be told: {said}")
                break
            if json.loads(said.out)["state"] != "open":
                break
            if time.monotonic() > end:
                wrong.append(f"{want} is open {patience:.0f} s after the storm: {pipeline.run('why', want)}")
                break
            time.sleep(0.05)
    return wrong


def data(pipeline: Pipeline, expected: dict) -> list:
    """The outputs are those of an undisturbed run, byte by byte."""
    got = tree(pipeline.path / "out")
    wrong = [f"out/{name} is missing" for name in sorted(expected.keys() - got.keys())]
    wrong += [f"out/{name} is there and should not be" for name in sorted(got.keys() - expected.keys())]
    wrong += [
        f"out/{name} has other bytes: {(got[name] or b'')[:200]!r}, not {(expected[name] or b'')[:200]!r}"
        for name in sorted(expected.keys() & got.keys()) if got[name] != expected[name]
    ]
    return wrong


def scan(pipeline: Pipeline) -> list:
    """A look at every byte finds nothing that the log does not know."""
    said = pipeline.run("scan", "--deep", "--json")
    if said.code != 0:
        return [f"scan: {said}"]
    wrong = []
    for line in said.out.splitlines():
        reply = json.loads(line)
        for what in ("missing", "altered", "changed"):
            if reply[what]["count"]:
                wrong.append(f"scan --deep: {what}: {reply[what]['partitions'][:5]}")
    return wrong


def nothing_to_do(pipeline: Pipeline) -> list:
    """What was just built is current."""
    said = pipeline.run("build", "--json", *TARGETS)
    last = json.loads(said.out.splitlines()[-1]) if said.code == 0 else {}
    return [] if last.get("built") == 0 else [f"built again, there is something to do: {said}"]


def ledger(pipeline: Pipeline) -> list:
    """No two attempts at one partition lived at once."""
    return [f"{attempt} at {partition} began while another attempt lived" for word, attempt, partition, *_ in pipeline.ledger() if word == "overlap"]


def logs(pipeline: Pipeline) -> list:
    """What a job printed can be read, of each attempt that ended by itself; and it ended as it said."""
    wrong, runs = [], {}
    told = {attempt: (word, printed) for word, attempt, _, _, _, printed in pipeline.ledger() if word in ("end", "fail")}
    for attempt, (word, printed) in told.items():
        run, number = attempt.rsplit("-", 1)
        if run not in runs:
            runs[run] = {row["number"]: row for row in ask(pipeline, f"/api/v1/runs/{run}")["attempts"]}
        row = runs[run].get(int(number))
        if row is None:
            wrong.append(f"{attempt} ran and is not in the log")
            continue
        if row["outcome"] is None:
            wrong.append(f"{attempt} ran and has no end: {row}")
        if row["outcome"] == "success" and word != "end":
            wrong.append(f"{attempt} ended with exit code 3 and counts as a success")
        if row["outcome"] not in ("success", "failure", "permanent_failure") or row["exit_code"] is None:
            continue
        for stream in ("stdout", "stderr"):
            text = ask(pipeline, f"/api/v1/runs/{run}/logs/{stream}?attempt={number}")
            missing = [line for line in [f"{attempt} line {ix}" for ix in range(printed)] if line not in text.splitlines()]
            # What a full disk has no room for is counted.
            if missing and not dropped(pipeline, attempt, stream):
                wrong.append(f"{attempt}, {row['outcome']}: {stream} lacks {len(missing)} of {printed} lines, as {missing[0]!r}; has {text[:200]!r}")
    return wrong


def dropped(pipeline: Pipeline, attempt: str, stream: str) -> int:
    """How many bytes of an attempt's output were not written."""
    record = json.loads((pipeline.state / "spool" / attempt / "exit.json").read_text())
    return record[stream]["dropped"]


def log(pipeline: Pipeline) -> Iterator[dict]:
    """All events that are in the log."""
    after = 0
    while rows := ask(pipeline, f"/api/v1/events?limit=1000&after={after}")["data"]:
        yield from rows
        after = rows[-1]["seq"]


def events(pipeline: Pipeline) -> list:
    """No run published a partition twice."""
    seen, wrong = set(), []
    for event in log(pipeline):
        if event["kind"] == "materialized":
            if event["text"] in seen:
                wrong.append(f"published twice: {event['text']}")
            seen.add(event["text"])
    return wrong


def leftovers(pipeline: Pipeline) -> list:
    """Spool and, after `gc`, staging have nothing of what is over: what a killed server or runner left there is for `gc`."""
    said = pipeline.run("gc")
    wrong = [] if said.code == 0 else [f"gc: {said}"]
    for folder in ("staging", "observers"):
        for entry in pipeline.state.glob(f"{folder}/*"):
            if entry.name != NO_PACKAGE and not entry.name.startswith("spare-"):
                wrong.append(f"{folder}/{entry.name} is left")
    for entry in (pipeline.state / "spool").iterdir():
        if entry.name == NO_PACKAGE:
            continue
        if entry.is_dir() and not entry.name.startswith(".spare-") and not (entry / "exit.json").exists():
            # An attempt whose runner was killed has no exit record; it has to be known as over.
            run, number = entry.name.rsplit("-", 1)
            rows = ask(pipeline, f"/api/v1/runs/{run}")["attempts"]
            if not any(row["number"] == int(number) and row["state"] == "ended" for row in rows):
                wrong.append(f"spool/{entry.name} is of no attempt that is over: {rows}")
        elif entry.is_file() and entry.name not in ("runner.json", "runner.lock", "runner.log"):
            wrong.append(f"spool/{entry.name} is left")
    return wrong


def stops(pipeline: Pipeline) -> list:
    """`stop --jobs` leaves no process, and a state folder with nothing unknown in it."""
    said = pipeline.run("stop", "--jobs")
    if said.code != 0:
        return [f"stop --jobs: {said}"]
    end = time.monotonic() + 10
    while left := list(processes_about(str(pipeline.folder))):
        if time.monotonic() > end:
            return [f"left behind by stop --jobs: {left}"]
        time.sleep(0.02)
    return [f".databuild/{entry.name} is left" for entry in pipeline.state.iterdir() if entry.name not in STATE]


def everything(pipeline: Pipeline, expected: dict) -> list:
    """All but `stops`, which comes last. The server runs."""
    wrong = data(pipeline, expected)
    for look in (nothing_to_do, scan, ledger, logs, events, leftovers):
        wrong += look(pipeline)
    return wrong
