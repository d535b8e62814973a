"""What runs share."""

from __future__ import annotations

import json
import os

from harness import read, wait_until
from scenario import Scenario


class Limits(Scenario):
    deployed = True

    def test_pool(self):
        """a pool made smaller holds work back, says who has it, and lets it go on when it is larger again"""
        self.assertSays(self.ws.cli("pools", "set", "probe/gate", "1").expect(0), "probe/gate", "(places)")
        first = self.ws.detach("probe/ticks/case=a", "--jobs", "4")
        self.ws.ticking("a")
        second = self.ws.detach("probe/ticks/case=b")
        self.ws.cli("build", "probe/tree").expect(0)
        run = self.ws.run_of("probe/ticks/case=a")["id"]
        waits = self.ws.cli("why", second, "--json").expect(0).json()
        holder = {"run": run, "partition": "probe/ticks/case=a", "wants": [first], "amount": 1}
        self.assertEqual((waits["kind"], waits["holders"]), ("pool", [holder]))
        self.assertSays(self.ws.cli("why", second).expect(0), f"pool probe/gate is full: {run} (1)")
        (pool,) = [row for row in self.ws.cli("pools", "--json").expect(0).json()["data"] if row["name"] == "probe/gate"]
        self.assertEqual((pool["name"], pool["slots"], pool["declared"], pool["used"]), ("probe/gate", 1, 3, 1))
        self.ws.cli("pools", "set", "//probe:gate", "0").expect(0)
        self.ws.release("a")
        self.ws.wait_want(first, "satisfied")
        self.assertSays(self.ws.cli("why", second).expect(0), "pool probe/gate is too small")
        self.assertSays(self.ws.cli("pools").expect(0), "pool probe/gate is too small for //probe:tick")
        self.ws.cli("stop").expect(0)
        (pool,) = [row for row in self.ws.cli("pools", "--json").expect(0).json()["data"] if row["name"] == "probe/gate"]
        self.assertEqual(pool["slots"], 0)
        self.ws.cli("pools", "reset", "probe/gate").expect(0)
        self.ws.ticking("b")
        self.ws.release("b")
        self.ws.wait_want(second, "satisfied")

    def test_memory(self):
        """a job that takes more memory than it declares is stopped where the machine lets the runner do that, and status says whether"""
        status = self.ws.cli("status", "--json").expect(0).json()
        limits, reason = status["memory_limits"], status["memory_limits_reason"]
        self.assertIn(limits, ("enforced", "accounting"))
        self.assertSays(self.ws.cli("status").expect(0), f"of memory ({limits}: {reason})")
        built = self.ws.cli("build", "probe/gorged")
        attempts = self.ws.run_of("probe/gorged")["attempts"]
        if limits == "accounting":
            built.expect(0)
            self.assertEqual([attempt["outcome"] for attempt in attempts], ["success"])
            return
        self.assertSays(built.expect(1), "used more than the 64 MiB that //probe:gorge declares", "raise `memory`")
        self.assertEqual([attempt["outcome"] for attempt in attempts], ["out_of_memory"] * 2)
        self.assertFalse(os.path.exists(self.ws.at("out", "gorged.txt")))
        runner = json.loads(read(self.ws.at(".databuild", "spool", "runner.json")))
        spool = os.stat(self.ws.at(".databuild", "spool", "runner.lock"))
        groups = f"databuild-{spool.st_dev:x}.{spool.st_ino:x}-"
        wait_until("its groups are gone", lambda: not [name for name in os.listdir(runner["cgroups"]) if name.startswith(groups)])

    def test_refusals(self):
        """a pool that is not there is named with those that are"""
        self.assertSays(self.ws.cli("pools", "set", "gate", "1").expect(2), "pool_not_found", "probe/gate")
        self.assertSays(self.ws.cli("pools", "set", "probe/gate", "-1").expect(2), "-1")
