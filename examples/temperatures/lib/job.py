"""The job contract, as far as the Python jobs of this workspace need it.

A job is a function that takes a `Request` and returns a `Done`. `run` reads the request that DataBuild left at
`DATABUILD_REQUEST`, calls the function, and appends what it returned to `DATABUILD_REPORT`. Input that can never become
right by trying again is raised as `BadInput`: it ends the run with one line on stderr, exit code 1, and a report that
asks for no further attempt.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from typing import Callable, NamedTuple


class BadInput(Exception):
    """What is wrong with the input, where, and what was expected."""


class Partition(NamedTuple):
    """One partition, either to read (an input) or to write (the output)."""

    reference: str
    keys: dict[str, str]
    path: str


class Request(NamedTuple):
    """What one run is to produce, and from what. Every job here writes exactly one partition."""

    output: Partition
    inputs: dict[str, list[Partition]]

    def the_input(self, name: str) -> Partition:
        """The only partition of the input `name`."""
        partitions = self.inputs[name]
        if len(partitions) != 1:
            raise BadInput(f"input {name!r}: expected 1 partition, got {len(partitions)}")
        return partitions[0]


class Done(NamedTuple):
    """A finished output: how many rows it has, and facts to keep beside it."""

    rows: int
    metadata: dict[str, object]


def parse_request(text: str) -> Request:
    """Reads the JSON document that DataBuild writes for each attempt."""
    document = json.loads(text)
    if document.get("format") != 1:
        raise BadInput(f"request has format {document.get('format')!r}, this job reads format 1")
    outputs = [_partition(entry) for entry in document["outputs"]]
    if len(outputs) != 1:
        raise BadInput(f"expected 1 output, got {len(outputs)}")
    inputs = {name: [_partition(entry) for entry in entries] for name, entries in document["inputs"].items()}
    return Request(outputs[0], inputs)


def _partition(entry: dict) -> Partition:
    return Partition(entry["partition"], entry["keys"], entry["path"])


def read_rows(path: str, columns: list[str]) -> list[dict[str, str]]:
    """Reads a CSV file that must have at least `columns`, in any order, and no ragged row."""
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        header = reader.fieldnames or []
        missing = [column for column in columns if column not in header]
        if missing:
            raise BadInput(f"{path}: no column {', '.join(missing)} in the header {','.join(header)!r}")
        rows = []
        for row in reader:
            if None in row or None in row.values():
                raise BadInput(f"{path}:{reader.line_num}: expected {len(header)} fields")
            rows.append(row)
        return rows


def write_text(path: str, text: str) -> None:
    """Writes an output: UTF-8 and bare newlines wherever the job runs."""
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def run(job: Callable[[Request], Done]) -> None:
    """Runs `job` on the request of this process, reports, and ends the process."""
    name = os.path.basename(sys.argv[0])
    if "DATABUILD_REQUEST" not in os.environ:
        sys.exit(f"{name}: DATABUILD_REQUEST is not set; this program is started by DataBuild")
    try:
        with open(os.environ["DATABUILD_REQUEST"], encoding="utf-8") as file:
            request = parse_request(file.read())
        done = job(request)
    except (BadInput, UnicodeDecodeError, csv.Error) as problem:
        _report({"type": "failed", "message": str(problem), "permanent": True})
        sys.exit(f"{name}: {problem}")
    except OSError as problem:
        # A disk that is full or a share that is away may be back for the next attempt.
        sys.exit(f"{name}: {problem}")
    _report({"type": "done", "partition": request.output.reference, "rows": done.rows, "metadata": done.metadata})


def _report(line: dict) -> None:
    with open(os.environ["DATABUILD_REPORT"], "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
