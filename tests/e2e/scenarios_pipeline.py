"""The user's day, through Bazel: build, edit, look, take back; and what Bazel does to outputs meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import signal

from harness import alive, edit, processes_about, read, run, wait_until, write
from scenario import Scenario

TOTAL = "1.0\n10.0\n12.0\n120.0\n15.0\n150.0\n3.0\n30.0\n6.0\n60.0\n9.0\n90.0\n"


class Pipeline(Scenario):
    steps = True

    @classmethod
    def setUpClass(cls):
        cls.ws = cls.world.bazel_workspace

    def test_first_run(self):
        """the first bazel run starts a server and builds everything"""
        built = self.world.bazel_run("build", "total").expect(0)
        self.assertSays(built, "started the server", "25 partitions built", "w1 satisfied")
        self.assertIn("w1 satisfied", built.out)
        self.assertEqual(read(self.ws.at("out", "total.txt")), TOTAL)
        self.world.keep_program()
        info = self.ws.server()
        self.assertTrue(alive(info["pid"]))
        self.assertEqual(os.stat(self.ws.at(".databuild", "server.json")).st_mode & 0o777, 0o600)
        self.assertEqual(len(self.ws.runs()), 25)

    def test_nothing_to_do(self):
        """the second run finds the server and everything current, and runs nothing"""
        pid = self.ws.server_pid()
        again = self.world.bazel_run("build", "total").expect(0)
        self.assertSays(again, "nothing to build")
        self.assertNotIn("started the server", again.err)
        self.assertEqual(self.ws.server_pid(), pid)
        self.assertEqual(len(self.ws.runs()), 25)

    def test_state_is_no_package(self):
        """bazel build //... does not see the state folder, nor a BUILD file in an output that is staged there"""
        staged = self.ws.at(".databuild", "staging", "...", "r0-1", "tree", "sub")
        os.makedirs(staged)
        for name in ("BUILD", "BUILD.bazel"):
            with open(os.path.join(staged, name), "w") as file:
                file.write("this is data (")
        listed = self.world.bazel("query", "//...").expect(0)
        self.assertNotIn(".databuild", listed.out)
        # Nobody who runs a command should have to read warnings about options that are not theirs.
        self.assertNotIn("deprecated", listed.err)

    def test_library_edit(self):
        """an edit of a library makes its consumers stale, and why blames that file with the way to it"""
        edit(self.ws.at("lib", "rounding.py"), "DIGITS = 1", "DIGITS = 2")
        self.world.bazel("build", "//:databuild").expect(0)
        self.diff_of_the_edit()
        plan = self.ws.cli("plan", "total", "--json").expect(0).json()
        self.assertEqual([(g["job"], g["reason"], g["count"]) for g in plan["groups"]][0], ("//:read", "code_changed", 12))
        self.assertEqual(plan["certain"], 12)
        self.assertEqual(self.ws.states("readings"), {"stale": 12})
        self.assertEqual(self.ws.states("sums"), {"behind": 12})
        why = self.ws.cli("why", "readings/city=eu/date=2024-02-28").expect(0)
        self.assertSays(why, "stale", "lib/rounding.py changed", "//jobs:read -> //lib:rounding")
        (cause,) = self.ws.cli("why", "readings/city=eu/date=2024-02-28", "--json").expect(0).json()["causes"]
        self.assertEqual([file["path"] for file in cause["files"]], ["lib/rounding.py"])
        self.assertSays(self.ws.cli("why", "sums/city=eu/date=2024-02-28").expect(0), "is out of date upstream", "lib/rounding.py changed")

    def diff_of_the_edit(self):
        """diff tells all that before the graph is registered, and does not register it"""
        def seen():
            return (self.ws.api("GET", "/api/v1/graph/id")[1], self.ws.api("GET", "/api/v1/server")[1]["seq"])
        before = seen()
        diff = self.ws.cli("diff", "--json").expect(0).json()
        (job,) = diff["jobs"]
        self.assertEqual((job["job"], job["change"], job["what"]), ("//:read", "changed", ["code"]))
        self.assertEqual([(file["path"], file["via"]) for file in job["files"]], [("lib/rounding.py", ["//jobs:read", "//lib:rounding"])])
        self.assertEqual(diff["stale"]["partitions"], 25)
        counts = {row["dataset"]: (row["stale"], row["downstream"]) for row in diff["stale"]["datasets"]}
        self.assertEqual(counts, {"readings": (12, 0), "sums": (0, 12), "total": (0, 1)})
        self.assertSays(self.ws.cli("diff", "--exit-code").expect(1), "lib/rounding.py", "12 partitions that are current would be stale, 13 more if upstream changes", "//jobs:read -> //lib:rounding")
        self.assertSays(self.ws.cli("diff", "--base", before[0]["graph"][:8]).expect(0), "lib/rounding.py", "12 partitions")
        self.assertSays(self.ws.cli("diff", "--base", "0000").expect(2), "graph_not_found")
        self.assertSays(self.ws.cli("diff", "--base", "no such file").expect(2), "bad_base")
        self.assertEqual(seen(), before)
        # As CI does, with two files and no server: here in a folder that is no workspace.
        folder = self.ws.at("..", "ci")
        os.makedirs(folder, exist_ok=True)
        graph = self.ws.api("GET", "/api/v1/graph")[1]
        base, head = os.path.join(folder, "base.json"), os.path.join(folder, "head.json")
        write(base, json.dumps(graph))
        for changed in graph["jobs"]:
            if changed["label"] == "//:sum":
                changed["program"]["code"], changed["retries"] = "0" * 64, 7
        write(head, json.dumps(graph))
        files = run(self.ws.command("diff", "--base", base, "--head", head, "--json"), cwd=folder).expect(0).json()
        self.assertEqual([(job["job"], job["what"], job["files"]) for job in files["jobs"]], [("//:sum", ["code", "policy"], None)])
        self.assertIsNone(files["stale"])
        same = run(self.ws.command("diff", "--base", base, "--head", base, "--exit-code"), cwd=folder).expect(0)
        self.assertSays(same, "have the same jobs, datasets, checks, schedules and pools")

    def test_unbuilt_edit(self):
        """an edit after the build is not passed off as what was built"""
        self.ws.cli("status").expect(0)
        edit(self.ws.at("lib", "adding.sh"), "# The sum", "# Built. The sum")
        self.world.bazel("build", "//:databuild").expect(0)
        edit(self.ws.at("lib", "adding.sh"), "# Built. The sum", "# Not built. The sum")
        refused = self.ws.cli("build", "total").expect(3)
        self.assertSays(refused, "//:sum", "lib/adding.sh", "build")
        edit(self.ws.at("lib", "adding.sh"), "# Not built. The sum", "# The sum")

    def test_revert(self):
        """the edit taken back, nothing is stale"""
        edit(self.ws.at("lib", "rounding.py"), "DIGITS = 2", "DIGITS = 1")
        self.world.bazel("build", "//:databuild").expect(0)
        self.assertSays(self.ws.cli("plan", "total").expect(0), "nothing to do")
        self.assertEqual(self.ws.states("readings"), {"current": 12})

    def test_same_output(self):
        """code that makes the same bytes stops there: consumers are not run"""
        edit(self.ws.at("lib", "rounding.py"), '"""How values', '"""The way in which values')
        again = self.world.bazel_run("build", "total").expect(0)
        self.assertSays(again, "12 partitions built")
        self.assertEqual({run["job"] for run in self.ws.runs()[:12]}, {"//:read"})
        self.assertSays(self.ws.cli("plan", "total").expect(0), "nothing to do")

    def test_failing_build(self):
        """a build that fails while jobs run and wait disturbs neither"""
        want = self.ws.detach("probe/ticks/case=a", "probe/ticks/case=b", "--jobs", "1")
        process, _ = self.ws.ticking("a")
        edit(self.ws.at("probe", "tick.sh"), "set -eu", "set -eu\nif then fi")
        self.world.bazel("build", "//:databuild").expect(1)
        self.assertFalse(os.path.exists(self.ws.at("bazel-bin", "probe", "tick_checked.sh")))
        self.assertTrue(alive(process))
        self.assertEqual(self.ws.pids("b"), [])
        self.ws.release("a")
        self.ws.release("b")
        self.ws.program = self.world.program()
        self.ws.wait_want(want, "satisfied")
        self.assertEqual([len(self.ws.pids("a")), len(self.ws.pids("b"))], [1, 1])
        edit(self.ws.at("probe", "tick.sh"), "set -eu\nif then fi", "set -eu")

    def test_bad_graphs(self):
        """a circle and two producers fail the build with label and reason"""
        built = self.world.bazel("build", "--keep_going", "//bad:circle", "//bad:two_producers").expect(1)
        self.assertSays(built, "error[cycle]", "//bad:hatch", "//bad:lay")
        self.assertSays(built, "error[two_producers]", "//bad:first", "//bad:second", "contested")

    def test_shim(self):
        """what shim writes works without Bazel and outside of its system, and Git ignores it"""
        run(["git", "init", "--quiet"], self.ws.path).expect(0)
        try:
            for _ in range(2):
                self.world.bazel_run("shim").expect(0)
                listed = run(["git", "status", "--porcelain", "--ignored", "--", "databuild"], self.ws.path).expect(0)
                self.assertEqual(listed.out, "!! databuild\n")
            exclude = read(self.ws.at(".git", "info", "exclude"))
            self.assertEqual(exclude.count("/databuild\n"), 1, exclude)
        finally:
            shutil.rmtree(self.ws.at(".git"))
        shown = run([self.ws.at("databuild"), "status"], self.ws.path).expect(0)
        self.assertSays(shown, "//:databuild", "readings")
        built = run([self.ws.at("databuild"), "build", "total"], self.world.folder).expect(0)
        self.assertSays(built, "nothing to build")
        # With no server there, it starts one.
        run([self.ws.at("databuild"), "stop", "--jobs"], self.ws.path).expect(0)
        built = run([self.ws.at("databuild"), "build", "total", "--refresh", "all"], self.ws.path).expect(0)
        self.assertSays(built, "started the server", "1 partition built")
        run([self.ws.at("databuild"), "stop", "--jobs"], self.ws.path).expect(0)

    def test_no_daemon(self):
        """build --no-daemon does all in one process tree, leaves nothing, and does not disturb a server"""
        self.ws.cli("status").expect(0)
        pid = self.ws.server_pid()
        self.assertSays(self.ws.cli("build", "total", "--no-daemon").expect(2), "server is running", "--no-daemon")
        self.assertEqual(self.ws.server_pid(), pid)
        self.ws.stop()
        built = self.world.bazel_run("build", "total", "--refresh", "all", "--no-daemon").expect(0)
        self.assertSays(built, "1 partition built")
        self.assertFalse(os.path.exists(self.ws.at(".databuild", "server.json")))
        wait_until("nothing is left", lambda: not list(processes_about(self.ws.path)), 10)
        failed = self.ws.cli("build", "probe/case/case=failing", "--no-daemon").expect(1)
        self.assertSays(failed, "complaint 30")
        wait_until("nothing is left", lambda: not list(processes_about(self.ws.path)), 10)

    def test_no_daemon_interrupted(self):
        """Ctrl-C on build --no-daemon stops its jobs and returns when nothing of them goes on"""
        self.ws.stop()
        for name in ("pids-b", "release-b"):
            if os.path.exists(self.ws.at("control", name)):
                os.unlink(self.ws.at("control", name))
        build = self.ws.start("build", "probe/ticks/case=b", "--refresh", "all", "--no-daemon")
        processes = self.ws.ticking("b")
        build.send_signal(signal.SIGINT)
        self.assertIn("interrupted", build.communicate()[1])
        self.assertEqual(build.returncode, 130)
        self.assertFalse([process for process in processes if alive(process)])


class Prebuilt(Scenario):
    """A workspace with prebuilt programs, so that losing its output base costs little."""

    steps = True

    @classmethod
    def setUpClass(cls):
        cls.ws = cls.world.prebuilt_workspace()

    def test_prebuilt(self):
        """prebuilt programs are used: nothing of DataBuild is compiled"""
        built = self.world.bazel_run("build", "sums/city=eu/date=2024-02-26", workspace=self.ws).expect(0)
        self.assertSays(built, "2 partitions built")
        self.assertFalse(os.path.exists(self.ws.at("bazel-bin", "external", "databuild_source~")))

    def test_expunge(self):
        """kill -9 of the server and bazel clean --expunge: the job goes on, once, with its log"""
        want = self.ws.detach("probe/ticks/case=a", "probe/ticks/case=b", "--jobs", "1")
        process, _ = self.ws.ticking("a")
        run = self.ws.run_of("probe/ticks/case=a")["id"]
        os.kill(self.ws.server_pid(), signal.SIGKILL)
        self.world.bazel("clean", "--expunge", workspace=self.ws).expect(0)
        self.assertFalse(os.path.exists(self.ws.program))
        self.assertTrue(alive(process))
        self.ws.program = self.world.program()
        self.ws.cli("status").expect(0)
        size = self.ws.log_size(run)
        wait_until("its log goes on", lambda: self.ws.log_size(run) > size)
        self.ws.release("a")
        self.ws.release("b")
        self.ws.wait_want(want, "satisfied")
        self.assertEqual([pid for pid, _ in self.ws.pids("a")], [process])
        self.assertEqual(len(self.ws.pids("b")), 1)
        self.assertEqual(read(self.ws.at("out", "ticks", "a.txt")), "released\n")
