"""The job contract, as far as the jobs of this workspace need it: a request to read, a report to write."""

from __future__ import annotations

import json
import os
import sys
from typing import Callable


def run(job: Callable[[dict, Callable], None], permanent: type = ()) -> None:
    """Calls `job` with the request and a function that reports a line. Errors of the class `permanent` end the run for good."""
    with open(os.environ["DATABUILD_REQUEST"], encoding="utf-8") as file:
        request = json.load(file)
    try:
        job(request, report)
    except permanent as problem:
        report(type="failed", message=str(problem), permanent=True)
        sys.exit(str(problem))


def report(**line: object) -> None:
    """Tells DataBuild something of this attempt."""
    with open(os.environ["DATABUILD_REPORT"], "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
