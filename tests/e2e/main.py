"""Runs the scenarios: one line each, failures told in full at the end."""

from __future__ import annotations

import argparse
import os
import sys
import time
import unittest

import scenario
from harness import LIBRARY, World, processes_about
from scenarios_backfills import Backfills
from scenarios_bad_input import BadInput
from scenarios_checks import Checks
from scenarios_data import Data
from scenarios_dynamic import Dynamic
from scenarios_failures import Failures
from scenarios_http import Http
from scenarios_judgements import Acceptance, Files, Judgements
from scenarios_limits import Limits
from scenarios_observers import Observers, ObserversOfPages
from scenarios_outcomes import Outcomes
from scenarios_pipeline import Pipeline, Prebuilt
from scenarios_plans import Blame, Plans
from scenarios_renames import Renames
from scenarios_retention import Retention
from scenarios_server import Server
from scenarios_survival import Survival
from scenarios_trials import Invoke, Repeats, Trials

sys.path.insert(0, LIBRARY)
from filters import chosen, refuse_unknown  # noqa: E402

# Bazel's first: the others use what it built.
CASES = [Pipeline, Acceptance, Renames, Trials, Data, Dynamic, Plans, Blame, Failures, Outcomes, Judgements, Files, Limits, Backfills, Observers, ObserversOfPages, Invoke, Repeats, Checks, Retention, Survival, Server, BadInput, Http, Prebuilt]


class Lines(unittest.TestResult):
    """Tells of each scenario as it ends."""

    def __init__(self):
        super().__init__()
        self.began = 0.0

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def _line(self, word: str, test) -> None:
        took = time.monotonic() - self.began
        print(f"{word:<6} {scenario.title(test)} ({took:.1f} s)", flush=True)

    def addSuccess(self, test):
        self._line("ok", test)

    def _failed(self, test, error, to):
        to(test, error)
        print(f"FAILED {scenario.title(test)} ({time.monotonic() - self.began:.1f} s)", flush=True)

    def addFailure(self, test, err):
        self._failed(test, err, super().addFailure)

    def addError(self, test, err):
        self._failed(test, err, super().addError)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            print(f"FAILED {scenario.title(test)}: {subtest._subDescription()}", flush=True)


def scenarios(case) -> list:
    """Those of a class, in the order in which they are written."""
    return [case(name) for name in vars(case) if name.startswith("test_")]


def selected(case, filters: list) -> list:
    """Scenarios that the filters choose; steps build on those before them."""
    tests = scenarios(case)
    hits = [index for index, test in enumerate(tests) if chosen(scenario.title(test), filters)]
    if not hits:
        return []
    return tests[: hits[-1] + 1] if case.steps else [tests[index] for index in hits]


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/e2e/run")
    parser.add_argument("--programs", help="folder with databuild and databuild-graphtool, instead of building them")
    parser.add_argument("--keep", action="store_true", help="leave the copies of the workspace")
    parser.add_argument("filters", nargs="*", metavar="FILTER")
    arguments = parser.parse_args()
    refuse_unknown(arguments.filters, [scenario.title(test) for case in CASES for test in scenarios(case)])
    began = time.monotonic()
    tests = unittest.TestSuite(test for case in CASES for test in selected(case, arguments.filters))
    programs = arguments.programs and os.path.realpath(arguments.programs)
    world = scenario.Scenario.world = World(programs, arguments.keep)
    result = Lines()
    try:
        tests.run(result)
        left = list(processes_about(world.folder))
    finally:
        world.close()
    for test, trace in result.failures + result.errors:
        title = scenario.title(test) if hasattr(test, "_testMethodName") else str(test)
        print(f"\n=== {title}\n{trace}", file=sys.stderr)
    for pid, command in left:
        print(f"FAILED left behind: process {pid}: {command}", file=sys.stderr)
    good = result.wasSuccessful() and not left
    took = time.monotonic() - began
    print(f"{'all passed' if good else 'failed'}: {result.testsRun} scenarios in {took:.0f} s", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
