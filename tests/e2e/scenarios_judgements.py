"""What people say of data and code."""

from __future__ import annotations

import os

from harness import read, write
from scenario import Scenario


class Judgements(Scenario):
    steps = True

    def test_a_build(self):
        """a workspace with all built"""
        self.ws.cli("build", "total").expect(0)

    def test_b_taint(self):
        """a taint makes stale what was made from it, and why tells who and why"""
        day = "readings/city=eu/date=2024-02-27"
        self.assertSays(self.ws.cli("taint", day, "--reason", "the sensor was off").expect(0), "1 partition tainted; 4 made from it")
        why = self.ws.cli("why", "total", "--json").expect(0).json()
        self.assertEqual((why["state"], why["causes"][0]["reason"]), ("stale", "made_from_tainted"))
        self.assertEqual(why["causes"][0]["taint"]["partitions"], [day])
        self.assertSays(self.ws.cli("why", day).expect(0), "the sensor was off")
        self.assertSays(self.ws.cli("untaint", day, "--json").expect(0), '"followers": 4')
        self.assertSays(self.ws.cli("build", "total").expect(0), "nothing to build")

    def test_c_rebuild(self):
        """building ends a taint, and equal content cuts nothing off"""
        self.ws.cli("taint", "readings/city=eu/date=2024-02-27", "--reason", "the sensor was off").expect(0)
        plan = self.ws.cli("plan", "total", "--json").expect(0).json()
        self.assertEqual((plan["certain"], plan["if_changed"]), (5, 0))
        self.ws.cli("build", "total").expect(0)
        self.assertSays(self.ws.cli("build", "total").expect(0), "nothing to build")

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


class Files(Scenario):
    """Files that are there already, or not any more."""

    steps = True
    deployed = True

    def test_a_adopt(self):
        """files that exist are adopted, and nothing is built for them"""
        day = "readings/city=eu/date=2024-02-27"
        os.makedirs(self.ws.at("out", "readings", "city=eu"))
        for date in ("2024-02-26", "2024-02-27"):
            write(self.ws.at("out", "readings", "city=eu", f"date={date}.txt"), "7.0\n")
        shown = self.ws.cli("adopt", "readings/city=eu", "--dry-run").expect(0)
        self.assertSays(shown, "would adopt 2 partitions; 4 have no file")
        self.assertEqual(self.ws.states("readings/city=eu"), {"missing": 6})
        adopted = self.ws.cli("adopt", "readings/city=eu", "--json").expect(0).json()
        self.assertEqual((adopted["adopted"]["count"], adopted["missing"]["count"]), (2, 4))
        (row,) = self.ws.cli("partitions", day, "--json").expect(0).json()["data"]
        self.assertEqual((row["state"], row["source"]), ("current", "adopted"))
        self.assertSays(self.ws.cli("adopt", "readings/city=eu").expect(0), "adopted 0 partitions", "2 recorded already")
        self.ws.cli("build", "total").expect(0)
        self.assertEqual(read(self.ws.at("out", "readings", "city=eu", "date=2024-02-27.txt")), "7.0\n")
        self.assertSays(self.ws.cli("adopt", "raw").expect(2), "not_adoptable")

    def test_b_scan(self):
        """a scan records what is missing and altered; a deep one sees through equal size and time"""
        self.assertSays(self.ws.cli("scan", "raw", "readings", "sums", "total").expect(0), "0 missing, 0 altered")
        os.unlink(self.ws.at("out", "sums", "city=us", "date=2024-02-29.txt"))
        path = self.ws.at("out", "readings", "city=us", "date=2024-02-29.txt")
        stat = os.stat(path)
        with open(path, "r+", encoding="utf-8") as file:
            file.write("9")
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        self.ws.cli("scan", "--deep", "readings", "sums").expect(0)
        self.assertEqual(self.ws.states("sums/city=us/date=2024-02-29"), {"missing": 1})
        self.assertEqual(self.ws.states("readings/city=us/date=2024-02-29"), {"stale": 1})
        (page,) = self.ws.cli("scan", "sums", "--json").expect(0).json_lines()
        self.assertEqual((page["looked"], page["total"], page["missing"]["count"]), (12, 12, 1))


class Acceptance(Scenario):
    """Changes of code, so through Bazel."""

    steps = True

    @classmethod
    def setUpClass(cls):
        cls.ws = cls.world.bazel_workspace
        # What Bazel builds there, whatever program scenarios before used: each has a graph beside it.
        cls.ws.program = cls.ws.at("bazel-bin", "databuild_", "databuild")

    def test_built(self):
        """a workspace with all built, by this code"""
        self.world.bazel_run("build", "total").expect(0)

    def test_accept(self):
        """an accepted change of code makes nothing stale, and says what it was"""
        path = self.ws.at("lib", "adding.sh")
        write(path, read(path) + "# The end.\n")
        self.world.bazel_run("deploy", "--yes").expect(0)
        self.assertEqual(self.ws.cli("plan", "total", "--json").expect(0).json()["certain"], 12)
        shown = self.ws.cli("accept", "sums", "--dry-run").expect(0)
        self.assertSays(shown, "//:sum", "12 partitions", "changed lib/adding.sh")
        accepted = self.ws.cli("accept", "sums", "--reason", "only a comment").expect(0)
        self.assertSays(accepted, "accepted for 12 partitions")
        self.assertSays(self.ws.cli("build", "total").expect(0), "nothing to build")
        self.assertSays(self.ws.cli("accept", "--job", "//:sum", "--reason", "again").expect(2), "nothing_to_accept")

    def test_blame_after(self):
        """after an acceptance only what changed since is to blame"""
        path = self.ws.at("jobs", "sum.sh")
        write(path, read(path) + "# The end.\n")
        self.world.bazel_run("deploy", "--yes").expect(0)
        why = self.ws.cli("why", "sums/city=eu/date=2024-02-28", "--json").expect(0).json()
        self.assertEqual([file["path"] for file in why["causes"][0]["files"]], ["jobs/sum.sh"])
