"""Changes of data: external files, outputs that are taken away or altered."""

from __future__ import annotations

import os
import shutil

from harness import edit, read, write
from scenario import Scenario


class Data(Scenario):
    steps = True

    def built(self, result) -> list:
        """The partitions that a build with --json built."""
        lines = result.json_lines()
        self.assertEqual(lines[-1]["graph"], self.ws.api("GET", "/api/v1/graph/id")[1]["graph"], "also when all was current")
        events = [line["event"] for line in lines if "event" in line]
        return sorted(event["partition"] for event in events if event["what"] in ("built", "empty"))

    def test_all(self):
        """plan shows what a build would do, runs nothing, and with --no-save records nothing"""
        self.ws.cli("deploy", "--yes").expect(0)
        before = self.ws.events()
        plan = self.ws.cli("plan", "total", "--no-save", "--json").expect(0).json()
        self.assertEqual((plan["id"], self.ws.events()), (None, before))
        self.assertEqual(plan["certain"], 25)
        self.assertEqual({group["reason"] for group in plan["groups"]}, {"missing"})
        self.assertEqual(self.ws.runs(), [])
        self.ws.cli("build", "total").expect(0)

    def test_invisible_edit(self):
        """an external file whose change rounds away: its readers run, theirs do not"""
        edit(self.ws.at("data", "eu.csv"), "2024-02-29,4.04", "2024-02-29,4.01")
        plan = self.ws.cli("plan", "total", "--json").expect(0).json()
        self.assertEqual((plan["certain"], plan["if_changed"]), (6, 7))
        self.assertIn("raw/city=eu changed", self.ws.cli("why", "readings/city=eu/date=2024-03-01").expect(0).out)
        built = self.built(self.ws.cli("build", "total", "--json").expect(0))
        self.assertEqual(len(built), 6)
        self.assertTrue(all(partition.startswith("readings/city=eu/") for partition in built), built)

    def test_visible_edit(self):
        """an external file with another value: exactly what depends on it is built"""
        edit(self.ws.at("data", "eu.csv"), "2024-02-26,1.01", "2024-02-26,2.01")
        built = self.built(self.ws.cli("build", "total", "--json").expect(0))
        self.assertEqual(
            [partition for partition in built if not partition.startswith("readings/")],
            [f"sums/city=eu/date=2024-02-{day}" for day in (26, 27, 28)] + ["total"],
        )
        self.assertEqual(len(built), 10)
        self.assertEqual(read(self.ws.at("out", "sums", "city=eu", "date=2024-02-28.txt")), "7.0\n")

    def test_missing_external(self):
        """an external file that is gone: what was made from it stays, what needs it now cannot be built, by name"""
        os.rename(self.ws.at("data", "us.csv"), self.ws.at("data", "us.away"))
        self.assertSays(self.ws.cli("build", "sums/city=us").expect(0), "nothing to build")
        os.unlink(self.ws.at("out", "readings", "city=us", "date=2024-03-02.txt"))
        refused = self.ws.cli("build", "sums/city=us").expect(1)
        self.assertSays(refused, "raw/city=us", "data/us.csv")
        os.rename(self.ws.at("data", "us.away"), self.ws.at("data", "us.csv"))
        self.assertEqual(self.built(self.ws.cli("build", "total", "--json").expect(0)), ["readings/city=us/date=2024-03-02"])

    def test_deleted_output(self):
        """an output that was deleted is missing, with that reason, and is built again"""
        path = self.ws.at("out", "sums", "city=us", "date=2024-02-29.txt")
        before = read(path)
        os.unlink(path)
        (group, *_) = self.ws.cli("plan", "total", "--json").expect(0).json()["groups"]
        self.assertEqual((group["job"], group["count"], group["partitions"]), ("//:sum", 1, ["sums/city=us/date=2024-02-29"]))
        self.assertIn("gone", group["message"])
        self.assertEqual(self.built(self.ws.cli("build", "total", "--json").expect(0)), ["sums/city=us/date=2024-02-29"])
        self.assertEqual(read(path), before)

    def test_altered_output(self):
        """an output that was altered is stale, with that reason, and is built again"""
        path = self.ws.at("out", "sums", "city=us", "date=2024-02-28.txt")
        before = read(path)
        write(path, "not what the job wrote\n")
        (group, *_) = self.ws.cli("plan", "total", "--json").expect(0).json()["groups"]
        self.assertEqual((group["job"], group["count"]), ("//:sum", 1))
        self.assertIn("altered", group["message"])
        built = self.built(self.ws.cli("build", "total", "--json").expect(0))
        self.assertEqual(built[0], "sums/city=us/date=2024-02-28")
        self.assertEqual(read(path), before)
        self.assertSays(self.ws.cli("build", "total").expect(0), "nothing to build")

    def test_folder(self):
        """a folder is published whole; a file lost from it is noticed"""
        self.ws.cli("build", "probe/tree").expect(0)
        leaf = self.ws.at("out", "tree", "branch", "leaf.txt")
        self.assertEqual(read(leaf), "leaf\n")
        self.assertSays(self.ws.cli("build", "probe/tree").expect(0), "nothing to build")
        os.unlink(leaf)
        self.assertEqual(self.built(self.ws.cli("build", "probe/tree", "--json").expect(0)), ["probe/tree"])
        self.assertEqual(read(leaf), "leaf\n")
        shutil.rmtree(self.ws.at("out", "tree"))
        self.ws.cli("build", "probe/tree").expect(0)
        self.assertEqual(read(leaf), "leaf\n")

    def test_refresh_all(self):
        """--refresh all builds the named partitions whatever their state, and only those"""
        built = self.built(self.ws.cli("build", "sums/city=eu/date=2024-02-27..2024-02-28", "--refresh", "all", "--json").expect(0))
        self.assertEqual(built, ["sums/city=eu/date=2024-02-27", "sums/city=eu/date=2024-02-28"])

    def test_vanished_input(self):
        """an input that is deleted while its reader waits for a place is made anew, and the reader does not fail"""
        self.ws.cli("build", "probe/case/case=good").expect(0)
        busy = self.ws.detach("probe/ticks/case=a", "--jobs", "1")
        self.ws.ticking("a")
        reader = self.ws.detach("probe/after/case=good")
        os.unlink(self.ws.at("out", "case", "good.txt"))
        self.ws.release("a")
        self.ws.wait_want(busy, "satisfied")
        self.ws.wait_want(reader, "satisfied")
        self.assertEqual(read(self.ws.at("out", "after", "good.txt")), "good\n")
        outcomes = [attempt["outcome"] for attempt in self.ws.run_of("probe/after/case=good")["attempts"]]
        self.assertEqual((outcomes[0], outcomes[-1]), ("inputs_moved", "success"))
