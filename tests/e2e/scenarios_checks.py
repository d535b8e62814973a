"""Checks of data, before it is published."""

from __future__ import annotations

import os
import signal

from harness import alive, read, wait_until, write
from scenario import Scenario


class Checks(Scenario):
    def found(self, *args: str) -> list:
        """Partition, check and outcome of what `checks` lists."""
        rows = self.ws.cli("checks", "--json", *args).expect(0).json()["data"]
        return [(row["partition"], row["check"], row["outcome"]) for row in rows]

    def attempts(self, partition: str) -> list:
        return [attempt["outcome"] for attempt in self.ws.run_of(partition)["attempts"]]

    def test_passed(self):
        """what passes is published; results, and what checks print, are kept and shown"""
        item = "checked/item/case=good"
        self.ws.cli("build", item).expect(0)
        self.assertEqual(read(self.ws.at("out", "item", "good.txt")), "good\n")
        self.assertEqual(sorted(self.found(item)), [(item, "//checked:sane", "passed"), (item, "//checked:usual", "passed")])
        run = self.ws.run_of(item)
        self.assertEqual([(row["check"], row["blocking"]) for row in run["checks"]], [("//checked:sane", True), ("//checked:usual", False)])
        logs = self.ws.cli("logs", run["id"], "--stdout").expect(0).out
        self.assertEqual(logs, "[databuild: check //checked:sane]\nlooked at good\n\n[databuild: check //checked:usual]\nlooked at good\n")
        status, page = self.ws.api("GET", "/api/v1/checks?ref=checked/item/case=good&limit=1")
        self.assertEqual((status, len(page["data"]), page["data"][0]["run"]), (200, 1, run["id"]))
        self.assertEqual(len(self.ws.api("GET", f"/api/v1/checks?ref=checked/item/case=good&cursor={page['next']}")[1]["data"]), 1)

    def test_blocking(self):
        """a blocking check refuses: nothing is published, good data stays, nothing is tried again, and it is said why"""
        item = "checked/item/case=bad"
        write(self.ws.at("control", "item"), "fine\n")
        self.ws.cli("build", item).expect(0)
        os.unlink(self.ws.at("control", "item"))
        failed = self.ws.cli("build", item, "--refresh", "all").expect(1)
        said = f"check //checked:sane refuses {item}: it says bad"
        self.assertSays(failed, said, "    | it says bad")
        self.assertEqual(read(self.ws.at("out", "item", "bad.txt")), "fine\n")
        self.assertEqual(self.attempts(item), ["permanent_failure"])
        self.assertEqual(self.ws.states(item), {"current": 1})
        self.assertSays(self.ws.cli("why", item).expect(0), "is current", "failed and changed nothing", said)
        self.assertIn((item, "//checked:sane", "failed"), self.found(item, "--failed"))
        self.assertSays(self.ws.cli("checks", item, "--failed").expect(0), "it says bad", "blocking", "failed")

    def test_warning(self):
        """a check that only warns: the data is published, and everybody is told"""
        item = "checked/item/case=odd"
        built = self.ws.cli("build", item).expect(0)
        self.assertSays(built, f"warning   {item}", f"check //checked:usual warns of {item}: it says odd")
        self.assertEqual(read(self.ws.at("out", "item", "odd.txt")), "odd\n")
        (row,) = self.ws.cli("partitions", item, "--json").expect(0).json()["data"]
        self.assertEqual((row["state"], row["warnings"]), ("current", 1))
        self.assertSays(self.ws.cli("partitions", item).expect(0), "WARNINGS")
        self.assertEqual(self.found(item, "--failed"), [(item, "//checked:usual", "failed")])
        self.assertSays(self.ws.cli("runs", self.ws.run_of(item)["id"]).expect(0), "//checked:usual", "warning", "it says odd")

    def test_crash(self):
        """a check that crashes or is out of time: one clear message, its run failed, the server is well"""
        server = self.ws.cli("status", "--json").expect(0) and self.ws.server_pid()
        crashed = self.ws.cli("build", "checked/item/case=crash").expect(1)
        self.assertSays(crashed, "check //checked:sane of checked/item/case=crash did not work: killed by signal 9")
        late = self.ws.cli("build", "checked/item/case=late").expect(1)
        self.assertSays(late, "check //checked:sane of checked/item/case=late did not work: out of time: told to stop, it was gone after 1.", "raise `timeout` in the check")
        self.assertIn(("checked/item/case=late", "//checked:sane", "error"), self.found("checked/item", "--failed"))
        self.assertEqual(self.attempts("checked/item/case=late"), ["permanent_failure"])
        self.assertFalse(os.path.exists(self.ws.at("out", "item", "crash.txt")))
        self.assertEqual(self.ws.server_pid(), server)

    def test_empty(self):
        """what is empty is checked by nobody"""
        item = "checked/item/case=empty"
        self.ws.cli("build", item).expect(0)
        self.assertEqual(self.ws.states(item), {"empty": 1})
        self.assertEqual(self.found(item), [])

    def test_batch(self):
        """of a batch, what a blocking check refuses fails, and the rest is published"""
        failed = self.ws.cli("build", "checked/day").expect(1)
        self.assertSays(failed, "1 of 6 partitions failed: check //checked:no_leap_day refuses checked/day/date=2024-02-29: day 2024-02-29")
        self.assertEqual(self.ws.states("checked/day"), {"current": 5, "failed": 1})
        self.assertEqual(len(self.ws.runs("--job", "//checked:days")), 1)
        rows = self.ws.cli("checks", "checked/day", "--json").expect(0).json()["data"]
        self.assertEqual((len(rows), {row["metadata"]["bytes"] for row in rows}), (6, {11}))

    def test_server_killed(self):
        """kill -9 of the server while a check runs: it goes on, runs once, and what it says counts"""
        item = "checked/item/case=held"
        write(self.ws.at("control", "hold"), "")
        want = self.ws.detach(item)
        process, _ = self.ws.ticking("held")
        old = self.ws.server_pid()
        os.kill(old, signal.SIGKILL)
        wait_until("the server is gone", lambda: not alive(old))
        self.ws.cli("status").expect(0)
        self.assertTrue(alive(process))
        self.ws.release("held")
        self.ws.wait_want(want, "satisfied")
        self.assertEqual(len(self.ws.pids("held")), 1)
        self.assertEqual(self.attempts(item), ["success"])
        self.assertEqual({outcome for _, _, outcome in self.found(item)}, {"passed"})
