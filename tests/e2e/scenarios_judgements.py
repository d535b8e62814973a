"""What people say of data and code."""

from __future__ import annotations

from scenario import Scenario


class Judgements(Scenario):
    steps = True

    def test_a_build(self):
        """a workspace with all built"""
        self.ws.cli("build", "total").expect(0)

    def test_b_taint(self):
        """a taint makes stale what was made from it, and why tells who and why"""
        day = "readings/city=eu/date=2024-02-27"
        self.assertSays(self.ws.cli("taint", day, "--reason", "the sensor was off").expect(0), "1 partition tainted; 4 made from that")
        why = self.ws.cli("why", "total", "--json").expect(0).json()
        self.assertEqual((why["state"], why["causes"][0]["reason"]), ("stale", "made_from_tainted"))
        self.assertEqual(why["causes"][0]["taint"]["partitions"], [day])
        self.assertSays(self.ws.cli("why", day).expect(0), "the sensor was off")
        self.assertSays(self.ws.cli("untaint", day, "--json").expect(0), '"followers": 4')
        self.assertSays(self.ws.cli("build", "total").expect(0), "everything is current")

    def test_c_rebuild(self):
        """building ends a taint, and equal content cuts nothing off"""
        self.ws.cli("taint", "readings/city=eu/date=2024-02-27", "--reason", "the sensor was off").expect(0)
        plan = self.ws.cli("plan", "total", "--json").expect(0).json()
        self.assertEqual((plan["certain"], plan["if_changed"]), (5, 0))
        self.ws.cli("build", "total").expect(0)
        self.assertSays(self.ws.cli("build", "total").expect(0), "everything is current")

    def test_d_external(self):
        """nothing is built from tainted external data; new content ends the taint"""
        self.ws.cli("taint", "raw/city=us", "--reason", "a test file").expect(0)
        self.assertSays(self.ws.cli("build", "total").expect(1), "`raw/city=us` is tainted")
        with open(self.ws.at("data", "us.csv"), "a", encoding="utf-8") as file:
            file.write("2024-03-03,1\n")
        self.ws.cli("build", "total").expect(0)

    def test_e_refusals(self):
        """what cannot be tainted is refused, with what to do"""
        self.assertSays(self.ws.cli("taint", "probe/tree", "--reason", "x").expect(2), "nothing_to_taint")
        self.assertSays(self.ws.cli("untaint", "total").expect(2), "nothing_to_untaint")
        self.assertSays(self.ws.cli("taint", "total", "--reason", " ").expect(2), "no_reason")
