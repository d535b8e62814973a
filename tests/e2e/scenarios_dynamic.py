"""Keys that come while the system runs, and inputs that jobs find."""

from __future__ import annotations

import os

from harness import read, write
from scenario import Scenario


class Dynamic(Scenario):
    steps = True
    deployed = True

    def count(self) -> str:
        self.ws.cli("build", "dynamic/accounts").expect(0)
        return read(self.ws.at("out", "dynamic", "accounts.txt")).strip()

    def test_a_keys(self):
        """keys are previewed, added, listed and retired, and what is made from all of them follows"""
        preview = self.ws.cli("keys", "add", "customers", "acme", "bolt", "--dry-run").expect(0)
        self.assertSays(preview, "customers: 2 new", "nothing was done")
        self.assertEqual(self.ws.cli("keys", "list", "customers", "--json").expect(0).json()["data"], [])
        self.ws.cli("keys", "add", "customers", "acme", "bolt").expect(0)
        self.assertEqual(self.count(), "2")
        write(self.ws.at("keys.txt"), "acme\ncore\n")
        added = self.ws.cli("keys", "add", "customers", "--file", "keys.txt", "--json").expect(0).json()
        self.assertEqual((added["new"], added["unchanged"]), (1, 1))
        self.assertEqual(self.count(), "3")
        self.ws.cli("keys", "retire", "customers", "bolt").expect(0)
        self.assertEqual(self.count(), "2")
        self.assertSays(self.ws.cli("keys", "list", "customers", "--retired").expect(0), "acme", "bolt (retired)")
        self.assertSays(self.ws.cli("keys", "list").expect(0), "customers", "dynamic/account/customer")

    def test_b_retired(self):
        """a retired key is wanted by nobody, can be read, and comes back with its data"""
        self.assertSays(self.ws.cli("build", "dynamic/account/customer=bolt").expect(2), "retired_key", "keys add customers bolt")
        self.assertEqual(self.ws.states("dynamic/account/customer=bolt"), {"current": 1})
        self.assertSays(self.ws.cli("keys", "add", "customers", "bolt").expect(0), "1 back from retirement")
        self.assertSays(self.ws.cli("build", "dynamic/account").expect(0), "nothing to build")

    def test_c_hostile(self):
        """hostile keys are refused, escaped, and none of their company is added"""
        for key in ("../../etc", "a b", "a+b", "a=b", "new\nline", "k" * 10240):
            refused = self.ws.cli("keys", "add", "customers", "fine", "--", key).expect(2)
            self.assertSays(refused, "bad_key", "cannot be a key")
            self.assertLess(len(refused.err), 1000)
        with open(self.ws.at("keys.txt"), "wb") as file:
            file.write(b"\xff\xfe\n")
        self.assertSays(self.ws.cli("keys", "add", "customers", "--file", "keys.txt").expect(2), "line 1", "not UTF-8")
        self.assertSays(self.ws.cli("keys", "add", "costumers", "x").expect(2), "did you mean `customers`?")
        self.assertNotIn("fine", self.ws.cli("keys", "list", "customers").expect(0).out)

    def test_d_reported(self):
        """a run adds the keys that it finds"""
        os.makedirs(self.ws.at("control"), exist_ok=True)
        write(self.ws.at("control", "customers"), "dune\nevil\n")
        self.ws.cli("build", "dynamic/listing").expect(0)
        self.assertSays(self.ws.cli("keys", "list", "customers").expect(0), "dune", "evil")
        status, page = self.ws.api("GET", "/api/v1/keys/customers")
        self.assertEqual((status, len(page["data"])), (200, 5))

    def test_e_found(self):
        """a run that finds that it needs more waits for that, and goes on"""
        self.ws.cli("keys", "add", "customers", "child", "parent").expect(0)
        write(self.ws.at("control", "parent-child"), "parent")
        self.ws.cli("build", "dynamic/account/customer=child").expect(0)
        self.assertEqual(read(self.ws.at("out", "dynamic", "account", "child.txt")), "child\nparent\n")
        run = self.ws.run_of("dynamic/account/customer=child")
        self.assertEqual([attempt["outcome"] for attempt in run["attempts"]], ["missing_input", "success"])

    def test_f_circle(self):
        """runs that wait for each other fail and are named; a survey of the server's health follows"""
        self.ws.cli("keys", "add", "customers", "hen", "egg").expect(0)
        write(self.ws.at("control", "parent-hen"), "egg")
        write(self.ws.at("control", "parent-egg"), "hen")
        failed = self.ws.cli("build", "dynamic/account/customer=hen+egg").expect(1)
        self.assertSays(failed, "runs wait for each other", "customer=hen", "customer=egg")
        self.ws.cli("status").expect(0)
