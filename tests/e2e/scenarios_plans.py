"""Plans that are kept: applied as they were shown, or refused with what changed."""

from __future__ import annotations

import os

from harness import edit, wait_until
from scenario import Scenario


class Plans(Scenario):
    steps = True

    def plan(self, *args: str) -> dict:
        """A plan that was made and kept."""
        plan = self.ws.cli("plan", *args, "--json").expect(0).json()
        self.assertIsNotNone(plan["id"])
        return plan

    def test_apply(self):
        """a plan says its id and how to apply it, and applying it does just that"""
        shown = self.ws.cli("plan", "total").expect(0)
        self.assertSays(shown, "p1: 25 partitions to build; 0 are current", "no estimate yet", "databuild apply p1")
        self.assertEqual(self.ws.runs(), [])
        self.assertSays(self.ws.cli("plans").expect(0), "p1", "open", "total")
        self.assertSays(self.ws.cli("plans", "p1").expect(0), "25 partitions to build", "//:read")
        applied = self.ws.cli("apply", "p1").expect(0)
        self.assertSays(applied, "w1 satisfied", "25 partitions built")
        self.assertEqual(self.ws.cli("want", "get", "w1", "--json").expect(0).json()["plan"], "p1")

    def test_nothing(self):
        """a plan with nothing to do is not kept"""
        plan = self.ws.cli("plan", "total", "--json").expect(0).json()
        self.assertEqual((plan["id"], plan["certain"]), (None, 0))

    def test_outdated(self):
        """a plan that does not hold any more is refused, by what changed; one made anew is applied"""
        self.assertSays(self.ws.cli("apply", "p1").expect(3), "plan_outdated", "total")
        edit(self.ws.at("data", "eu.csv"), "2024-02-26,1.01", "2024-02-26,2.01")
        plan = self.plan("total")
        self.assertEqual(plan["estimate"]["unknown_jobs"], [])
        self.assertGreater(plan["estimate"]["low_ms"], 0)
        self.assertGreater(plan["estimate"]["high_ms"], plan["estimate"]["low_ms"])
        # Nobody but the look at the files before applying can know of this.
        edit(self.ws.at("data", "us.csv"), "2024-02-26", "2024-02-26")
        os.utime(self.ws.at("data", "us.csv"))
        edit(self.ws.at("data", "eu.csv"), "2024-02-26,2.01", "2024-02-26,3.01")
        refused = self.ws.cli("apply", plan["id"], "--json").expect(3)
        self.assertEqual(refused.json()["error"], "plan_outdated")
        self.assertIn("`raw/city=eu` is not as it was", refused.json()["message"])
        self.assertNotIn("raw/city=us", refused.json()["message"])
        self.assertSays(self.ws.cli("apply", self.plan("total")["id"]).expect(0), "satisfied")

    def test_expired(self):
        """a plan expires; an id that never was is another error"""
        os.unlink(self.ws.at("out", "total.txt"))
        plan = self.plan("total", "--expires", "1s")["id"]
        self.ws.cli("plan", "total", "--expires", "soon").expect(2)
        wait_until("it expires", lambda: self.ws.cli("plans", "--json").json()["data"][0]["state"] == "expired")
        self.assertSays(self.ws.cli("apply", plan).expect(2), "plan_expired")
        self.assertSays(self.ws.cli("apply", "p9999").expect(2), "plan_not_found")
        self.assertSays(self.ws.cli("apply", "total").expect(2), "plan_not_found")
        self.assertSays(self.ws.cli("plans", "p9999").expect(2), "plan_not_found")

    def test_restart(self):
        """a plan survives the server; applying can be left alone"""
        plan = self.plan("total")["id"]
        self.ws.cli("stop").expect(0)
        want = self.ws.cli("apply", plan, "--detach", "--json").expect(0).json()
        self.assertEqual(want["plan"], plan)
        self.ws.wait_want(want["id"], "satisfied")

    def test_http(self):
        """plans over HTTP"""
        os.unlink(self.ws.at("out", "total.txt"))
        status, plan = self.ws.api("POST", "/api/v1/plans", {"targets": ["total"]})
        self.assertEqual((status, plan["certain"]), (201, 1))
        path = f"/api/v1/plans/{plan['id']}"
        self.assertEqual(self.ws.api("GET", path)[1]["groups"], plan["groups"])
        status, want = self.ws.api("POST", f"{path}/apply", {"class": "backfill"})
        self.assertEqual((status, want["class"], want["plan"]), (201, "backfill", plan["id"]))
        self.ws.wait_want(want["id"], "satisfied")
        status, error = self.ws.api("POST", f"{path}/apply", {})
        self.assertEqual((status, error["error"]), (409, "plan_outdated"))
        self.assertIn("total", error["details"]["changes"])
        status, error = self.ws.api("POST", "/api/v1/plans", {"targets": ["total"], "expires_seconds": 0})
        self.assertEqual((status, error["error"]), (422, "bad_expiry"))


class Blame(Scenario):
    def test_upstream(self):
        """why follows what is not current up to the first cause, with both data versions"""
        self.ws.cli("build", "total").expect(0)
        edit(self.ws.at("data", "eu.csv"), "2024-02-26,1.01", "2024-02-26,2.01")
        why = self.ws.cli("why", "total", "--json").expect(0).json()
        self.assertEqual(why["state"], "behind")
        self.assertIn("readings/city=eu/date=2024-02-26", why["summary"])
        self.assertEqual([step["job"] for step in why["upstream"]], ["//:sum", "//:read"])
        self.assertEqual([step["cause"]["reason"] for step in why["upstream"]], ["upstream_built", "inputs_changed"])
        (changed,) = why["upstream"][-1]["cause"]["inputs"]
        self.assertEqual(changed["partition"], "raw/city=eu")
        self.assertNotEqual(changed["then"], changed["now"])
        said = self.ws.cli("why", "total").expect(0)
        self.assertSays(said, "total is out of date upstream: ", f"raw/city=eu: {changed['then'][:19]} then")
        why = self.ws.cli("why", "readings/city=eu/date=2024-02-26", "--json").expect(0).json()
        self.assertEqual((why["state"], why["upstream"]), ("stale", []))

    def test_wants_and_runs(self):
        """why of a want or a run names the one thing it waits for, and who is in the way"""
        first = self.ws.detach("probe/ticks/case=a", "--jobs", "1")
        self.ws.ticking("a")
        running = self.ws.cli("why", first, "--json").expect(0).json()
        self.assertEqual((running["kind"], running["state"]), ("running", "open"))
        self.assertEqual(running["partition"], "probe/ticks/case=a")
        self.assertSays(self.ws.cli("why", running["run"]).expect(0), "is running: ", "probe/ticks/case=a")
        second = self.ws.detach("probe/ticks/case=b+c")
        waiting = self.ws.cli("why", second, "--json").expect(0).json()
        holder = {"run": running["run"], "partition": "probe/ticks/case=a", "wants": [first], "amount": 1}
        self.assertEqual((waiting["kind"], waiting["holders"]), ("slots", [holder]))
        self.assertSays(self.ws.cli("why", second).expect(0), "the only place is taken by", running["run"], "2 partitions are ready")
        self.ws.cli("cancel", second).expect(0)
        self.assertSays(self.ws.cli("why", second).expect(0), f"{second} canceled")
        self.ws.release("a")
        self.ws.wait_want(first, "satisfied")
        self.assertEqual(self.ws.cli("why", running["run"], "--json").expect(0).json()["kind"], "completed")
        self.ws.cli("build", "probe/after/case=failing").expect(1)
        failed = self.ws.cli("want", "list", "--limit", "1", "--json").expect(0).json()["data"][0]["id"]
        why = self.ws.cli("why", failed, "--json").expect(0).json()
        self.assertEqual(why["kind"], "failed")
        self.assertIn("probe/case/case=failing failed", why["causes"][0])
        self.assertSays(self.ws.cli("why", "w9999").expect(2), "want_not_found")
        self.assertSays(self.ws.cli("why", "r9999").expect(2), "run_not_found")

    def test_logs(self):
        """logs tells both streams, each to its own when followed, or as JSON"""
        self.ws.cli("build", "probe/case/case=failing").expect(1)
        run = self.ws.run_of("probe/case/case=failing")["id"]
        followed = self.ws.cli("logs", "-f", run).expect(0)
        self.assertIn("complaint 30", followed.err)
        self.assertNotIn("complaint", followed.out)
        self.assertIn("complaint 30", self.ws.cli("logs", "-f", run, "--stderr").expect(0).out)
        said = self.ws.cli("logs", run, "--json").expect(0).json()
        self.assertEqual((said["run"], said["attempt"]), (run, 1))
        self.assertIn("complaint 30", said["stderr"])
        pieces = self.ws.cli("logs", "-f", run, "--json").expect(0).json_lines()
        self.assertEqual("".join(piece["text"] for piece in pieces if piece["stream"] == "stderr"), said["stderr"])
