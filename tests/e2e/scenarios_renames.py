"""Renames, through Bazel: what was moved in BUILD files is what it was."""

from __future__ import annotations

from harness import edit, read, write
from scenario import Scenario

OLD = "sums/city=eu/date=2024-02-28"
NEW = "moving_sums/city=eu/day=2024-02-28"


class Renames(Scenario):
    steps = True

    @classmethod
    def setUpClass(cls):
        cls.ws = cls.world.bazel_workspace
        cls.ws.program = cls.ws.at("bazel-bin", "databuild_", "databuild")
        cls.before = read(cls.ws.at("BUILD.bazel"))

    @classmethod
    def tearDownClass(cls):
        # Others may build this workspace after this.
        write(cls.ws.at("BUILD.bazel"), cls.before)
        super().tearDownClass()

    def rename(self, moved: str) -> None:
        """`sums`, its dimension `date` and its job `sum` get other names."""
        path = self.ws.at("BUILD.bazel")
        write(path, self.before)
        edit(path, '    "keys",\n', '    "keys",\n    "moved",\n')
        dims = '    dims = {\n        "city": CITIES,\n        "date": DAYS,\n    },\n    path = "out/%s/city={city}/date={%s}.txt"'
        edit(path, 'name = "sums",\n' + dims % ("sums", "date"), 'name = "moving_sums",\n' + (dims % ("sums", "day")).replace('"date":', '"day":'))
        edit(path, 'name = "sum",', 'name = "add_up",')
        edit(path, "            days = 3,\n", '            days = 3,\n            dim = "day",\n')
        edit(path, 'outputs = [":sums"]', 'outputs = [":moving_sums"]')
        edit(path, '":sums",\n        city = keys.all(),\n        date = keys.all()', '":moving_sums",\n        city = keys.all(),\n        day = keys.all()')
        edit(path, '        ":sum",\n', '        ":add_up",\n')
        edit(path, '        "//probe:try",\n    ],\n', f'        "//probe:try",\n    ],\n    moved = [{moved}],\n')

    def test_a_built(self):
        """a workspace with all built, under the old names"""
        self.world.bazel_run("build", "total").expect(0)
        type(self).first_run = self.ws.run_of(OLD)["id"]
        type(self).runs_before = len(self.ws.runs())
        # Whoever used this workspace before made runs too.
        ids = lambda *args: [row["id"] for row in self.ws.runs(*args)]
        type(self).before_by = {of: ids(*args) for of, args in {"partition": ("--partition", OLD), "dataset": ("--partition", "sums"), "job": ("--job", "//:sum")}.items()}

    def test_b_contradiction(self):
        """renames that contradict each other are one clear message of the build"""
        self.rename('moved.dataset("sums", to = ":moving_sums"), moved.dataset("sums", to = ":total")')
        failed = self.world.bazel("build", "//:databuild").expect(1)
        message = "error[bad_moved]: moved: dataset `sums` is moved twice, to `moving_sums` and to `total` (//:databuild)"
        self.assertSays(failed, message)
        self.assertEqual((failed.out + failed.err).count("error[bad_moved]"), 1)

    def test_c_current(self):
        """a dataset, its dimension and its job are renamed, and nothing is to be built"""
        self.rename(
            'moved.dataset("sums", to = ":moving_sums"), '
            'moved.dimension(":moving_sums", "date", to = "day"), '
            'moved.job("//:sum", to = ":add_up")'
        )
        self.world.bazel("build", "//:databuild").expect(0)
        diff = self.ws.cli("diff", "--json").expect(0).json()
        self.assertEqual([(job["change"], job["from"], job["job"], job["what"]) for job in diff["jobs"]], [("moved", "//:sum", "//:add_up", [])])
        self.assertEqual([(found["change"], found["from"], found["dataset"]) for found in diff["datasets"]], [("moved", "sums", "moving_sums")])
        self.assertEqual(diff["stale"]["partitions"], 0)
        self.assertSays(self.ws.cli("diff").expect(0), "moved    //:add_up from //:sum", "moved    dataset moving_sums from sums  moved_dims", "added    moved dimension moving_sums: date -> day")
        self.assertSays(self.ws.cli("build", "total", "moving_sums").expect(0), "nothing to build")
        self.assertEqual(self.ws.states("moving_sums"), {"current": 12})
        self.assertEqual(len(self.ws.runs()), self.runs_before)

    def test_d_history(self):
        """runs and why show the history under the new name, and old runs stay as they were"""
        rows = self.ws.runs("--partition", NEW)
        self.assertEqual([row["id"] for row in rows], self.before_by["partition"])
        self.assertEqual({(row["partition"], row["job"]) for row in rows}, {(OLD, "//:sum")})
        self.assertEqual([row["id"] for row in self.ws.runs("--partition", "moving_sums")], self.before_by["dataset"])
        self.assertEqual([row["id"] for row in self.ws.runs("--job", "//:add_up")], self.before_by["job"])
        self.assertEqual([row["id"] for row in self.ws.runs("--job", "add_up")], self.before_by["job"])
        self.assertEqual([row["id"] for row in self.ws.runs("--job", "//:sum")], self.before_by["job"])
        self.assertSays(self.ws.cli("runs", "--job", "nope").expect(2), "error[unknown_job]: there is no job `nope`")
        self.assertEqual(self.ws.cli("runs", self.first_run, "--json").expect(0).json()["partition"], OLD)
        why = self.ws.cli("why", NEW, "--json").expect(0).json()
        self.assertEqual((why["state"], why["run"], why["job"]), ("current", self.first_run, "//:add_up"))
        self.assertTrue(why["version"].startswith("sha256:"))
        total = self.ws.cli("why", "total", "--json").expect(0).json()
        self.assertEqual({used["then"] == used["now"] is not None for used in total["inputs"]}, {True})
        self.ws.cli("logs", self.first_run).expect(0)
        self.assertSays(self.ws.cli("build", "sums").expect(2), "`sums` was moved to `moving_sums`; name that")

    def test_e_goes_on(self):
        """changed code is blamed across the rename, and what is built has the new name"""
        path = self.ws.at("jobs", "sum.sh")
        write(path, read(path) + "# Renamed.\n")
        self.world.bazel_run("deploy", "--yes").expect(0)
        why = self.ws.cli("why", NEW, "--json").expect(0).json()
        self.assertEqual([file["path"] for file in why["causes"][0]["files"]], ["jobs/sum.sh"])
        plan = self.ws.cli("plan", NEW, "--json").expect(0).json()
        self.assertEqual(plan["estimate"]["unknown_jobs"], [])
        self.ws.cli("build", NEW).expect(0)
        rows = self.ws.runs("--partition", NEW)
        self.assertEqual([row["partition"] for row in rows], [NEW] + [OLD] * len(self.before_by["partition"]))
        self.ws.cli("stop").expect(0)
        self.assertEqual(self.ws.states("moving_sums/city=eu/day=2024-02-28"), {"current": 1})
