"""What jobs report of each thing that they make, and who is told."""

from __future__ import annotations

import json
import os

from harness import read, write
from scenario import Scenario


class Outcomes(Scenario):
    def why(self, partition: str) -> dict:
        return self.ws.cli("why", partition, "--json").expect(0).json()

    def asked(self, day: str) -> dict:
        """The inputs in the request that the consumer got."""
        inputs = json.loads(read(self.ws.at("out", "asked", f"{day}.json")))["inputs"]
        return {name: entries[0] for name, entries in inputs.items()}

    def test_metadata(self):
        """rows, bytes and metadata of each output are kept, shown, and given to whoever reads it; so is that one is empty"""
        self.ws.cli("build", "outcomes/asked/day=clean").expect(0)
        told = {
            "accepted": {"rows": 2, "bytes": 4, "source": "probe", "range": [1, 2]},
            "rejected": {"looked_at": 2},
            "table": {"rows": 2},
        }
        given = self.asked("clean")
        for name, metadata in told.items():
            with self.subTest(output=name):
                self.assertEqual(self.why(f"outcomes/{name}/day=clean")["metadata"], metadata)
                self.assertEqual((given[name]["metadata"], given[name]["empty"]), (metadata, name == "rejected"))
        shown = self.ws.cli("why", "outcomes/accepted/day=clean").expect(0)
        self.assertSays(shown, "is current", 'reported bytes 4, range [1,2], rows 2, source "probe"')
        self.assertEqual(self.ws.states("outcomes/rejected/day=clean"), {"empty": 1})
        self.assertSays(self.ws.cli("why", "outcomes/rejected/day=clean").expect(0), "empty", "reported looked_at 2")
        self.assertFalse(os.path.exists(self.ws.at("out", "rejected", "clean.txt")))
        self.assertSays(self.ws.cli("build", "outcomes/asked/day=clean").expect(0), "nothing to build")

    def test_quiet(self):
        """a job that says nothing of its files has made them"""
        self.ws.cli("build", "outcomes/asked/day=quiet").expect(0)
        given = self.asked("quiet")
        self.assertEqual((given["rejected"]["metadata"], given["rejected"]["empty"]), ({}, False))
        self.assertNotIn("reported", self.ws.cli("why", "outcomes/rejected/day=quiet").expect(0).out)

    def test_version(self):
        """the data version of what is no file is what the job says: an equal one spares whoever reads it"""
        self.ws.cli("build", "outcomes/asked/day=quiet").expect(0)
        self.assertEqual(self.asked("quiet")["table"]["version"], self.why("outcomes/table/day=quiet")["version"])
        before = self.ws.run_of("outcomes/asked/day=quiet")["id"]
        self.ws.cli("invoke", "//outcomes:sort", "outcomes/accepted/day=quiet").expect(0)
        self.assertSays(self.ws.cli("build", "outcomes/asked/day=quiet").expect(0), "nothing to build")
        os.makedirs(self.ws.at("control"))
        write(self.ws.at("control", "table"), "two")
        self.ws.cli("invoke", "//outcomes:sort", "outcomes/accepted/day=quiet").expect(0)
        self.assertSays(self.ws.cli("why", "outcomes/asked/day=quiet").expect(0), "outcomes/table/day=quiet", "two")
        self.ws.cli("build", "outcomes/asked/day=quiet").expect(0)
        self.assertNotEqual(self.ws.run_of("outcomes/asked/day=quiet")["id"], before)
        self.assertIn("two", self.asked("quiet")["table"]["version"])

    def test_one_of_several(self):
        """if one output fails for good, none is published, and nothing is tried again"""
        failed = self.ws.cli("build", "outcomes/asked/day=mixed").expect(1)
        self.assertSays(failed, "the rejected rows cannot be told", "skipped   outcomes/asked/day=mixed")
        run = self.ws.run_of("outcomes/accepted/day=mixed")
        self.assertEqual([attempt["outcome"] for attempt in run["attempts"]], ["permanent_failure"])
        for name in ("accepted", "rejected"):
            self.assertFalse(os.path.exists(self.ws.at("out", name, "mixed.txt")))
            self.assertEqual(self.ws.states(f"outcomes/{name}/day=mixed"), {"failed": 1})
        self.assertEqual([row["id"] for row in self.ws.runs("--partition", "outcomes/rejected/day=mixed")], [run["id"]])
        self.assertSays(self.ws.cli("why", "outcomes/asked/day=mixed").expect(0), "the rejected rows cannot be told", run["id"])

    def test_retryable(self):
        """an output that may come out next time is tried again, with all of its run, as often as the job says"""
        failed = self.ws.cli("build", "outcomes/accepted/day=halfway").expect(1)
        self.assertEqual(sum(line.startswith("retry ") for line in failed.err.splitlines()), 2)
        self.assertSays(failed, "attempt 3 found no rows")
        run = self.ws.run_of("outcomes/accepted/day=halfway")
        told = [f"outcomes/rejected/day=halfway: attempt {number} found no rows" for number in (1, 2, 3)]
        self.assertEqual([attempt["message"] for attempt in run["attempts"]], told)

    def test_ambiguous(self):
        """a report that does not say which output it means fails the run for good, and says what to name"""
        failed = self.ws.cli("build", "outcomes/accepted/day=ambiguous").expect(1)
        self.assertSays(failed, "line 2 of the report does not say which output it means; name `partition`, or `dataset`")
        self.assertEqual(len(self.ws.run_of("outcomes/accepted/day=ambiguous")["attempts"]), 1)
