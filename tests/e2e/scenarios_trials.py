"""Jobs invoked by hand, and work repeated to compare what comes of it."""

from __future__ import annotations

import os
import signal

from harness import alive, edit, read, wait_until, write
from scenario import Scenario


class Invoke(Scenario):
    """One job by hand, with parameters."""

    steps = True

    def test_a_defaults(self):
        """a job gets the defaults of its parameters, and by hand it runs whatever the state"""
        self.ws.cli("build", "probe/given").expect(0)
        self.assertEqual(read(self.ws.at("out", "given", "1.txt")), "plain\n")
        self.assertSays(self.ws.cli("invoke", "give", "probe/given/n=1").expect(0), "1 partition built")
        self.assertSays(self.ws.cli("build", "probe/given").expect(0), "nothing to build")

    def test_b_values(self):
        """other values are other arguments: the request has them, and what they made is stale"""
        self.ws.cli("invoke", "//probe:give", "probe/given/n=1", "--param", "text=by=hand").expect(0)
        self.assertEqual(read(self.ws.at("out", "given", "1.txt")), "by=hand\n")
        run = self.ws.cli("runs", "--job", "//probe:give", "--limit", "1", "--json").expect(0).json()["data"][0]["id"]
        self.assertEqual(self.ws.cli("runs", run, "--json").expect(0).json()["params"], {"text": "by=hand"})
        why = self.ws.cli("why", "probe/given/n=1").expect(0)
        self.assertSays(why, "stale because somebody invoked its job with text=by=hand")
        self.assertEqual(self.ws.states("probe/given"), {"current": 1, "stale": 1})
        self.ws.cli("accept", "probe/given/n=1", "--reason", "wanted").expect(0)
        self.assertEqual(self.ws.states("probe/given"), {"current": 2})

    def test_c_want(self):
        """a detached invocation is a want that tells its values"""
        want = self.ws.cli("invoke", "give", "probe/given", "--param", "text=x", "--detach", "--json").expect(0).json()["id"]
        self.ws.wait_want(want, "satisfied")
        self.assertEqual(self.ws.cli("want", "get", want, "--json").expect(0).json()["params"], {"text": "x"})

    def test_d_refusals(self):
        """what cannot be invoked is refused, with what there is"""
        for arguments, code, says in [
            (["sum", "probe/given"], "ambiguous_job", "//:sum or //dynamic:sum"),
            (["nothing", "probe/given"], "unknown_job", "no job `nothing`"),
            (["give", "total"], "not_of_job", "not made by //probe:give"),
            (["give", "probe/given", "--param", "size=1"], "unknown_param", "it has text"),
            (["give", "probe/given", "--param", "text=" + "x" * 5000], "bad_param", "5000 bytes"),
        ]:
            refused = self.ws.cli("invoke", *arguments).expect(2)
            self.assertSays(refused, code)
            self.assertSays(refused, says)
        self.ws.cli("invoke", "give", "probe/given", "--param", "text").expect(2)


class Trials(Scenario):
    """Changes of code, so through Bazel."""

    steps = True
    run_then = ""

    @classmethod
    def setUpClass(cls):
        cls.ws = cls.world.bazel_workspace
        # What Bazel builds there, whatever program scenarios before used: each has a graph beside it.
        cls.ws.program = cls.ws.at("bazel-bin", "databuild_", "databuild")

    def trial(self, *arguments: str, code: int = 0) -> dict:
        return self.ws.cli(*arguments, "--json").expect(code).json()

    def test_a_built(self):
        """a workspace with all built, by this code"""
        self.world.bazel_run("build", "total").expect(0)
        self.assertSays(self.ws.cli("compare", "//:sum").expect(2), "nothing_to_compare", "`databuild verify`")
        Trials.run_then = self.ws.run_of("sums/city=eu/date=2024-02-28")["id"]

    def test_b_verify(self):
        """a job whose output is not the same twice is found out"""
        found = self.trial("verify", "//:sum", "--sample", "2")
        self.assertEqual((found["state"], found["runs"], len(found["results"])), ("equal", 4, 2))
        self.ws.cli("build", "probe/drawn").expect(0)
        self.assertSays(self.ws.cli("verify", "probe/drawn").expect(1), "not deterministic", "differs  probe/drawn")
        self.assertSays(self.ws.cli("build", "probe/drawn", "total").expect(0), "nothing to build")

    def test_c_equal(self):
        """a harmless edit compares as equal, and that is evidence to accept it"""
        path = self.ws.at("lib", "adding.sh")
        write(path, read(path) + "# Harmless.\n")
        self.world.bazel_run("deploy", "--yes").expect(0)
        before = self.ws.runs()[0]["id"]
        shown = self.ws.cli("compare", "//:sum", "sums", "--sample", "3").expect(0)
        trial = self.ws.cli("trials", "--json").expect(0).json()["data"][0]
        self.assertSays(shown, "equal; 3 outputs", f"databuild accept --job //:sum --reason TEXT --evidence {trial['id']}")
        self.assertEqual((trial["kind"], trial["state"], trial["runs"]), ("compare", "equal", 6))
        runs = self.ws.runs()[:6]
        self.assertEqual({run["trial"] for run in runs}, {trial["id"]})
        self.assertGreater(int(runs[-1]["id"][1:]), int(before[1:]))
        self.assertEqual(self.ws.states("sums"), {"stale": 12})
        self.assertEqual(self.staged(), [])
        self.ws.cli("accept", "--job", "//:sum", "--reason", "a comment", "--evidence", "t999").expect(2)
        ambiguous = self.ws.cli("accept", "--job", "sum", "--reason", "a comment", "--evidence", trial["id"]).expect(2)
        self.assertSays(ambiguous, "`sum` may mean //:sum or //dynamic:sum; write the label")
        self.ws.cli("accept", "--job", "//:sum", "--reason", "a comment", "--evidence", trial["id"]).expect(0)
        self.assertSays(self.ws.cli("build", "total").expect(0), "nothing to build")

    def staged(self) -> list:
        """Folders of attempts that are not cleared away."""
        return [name for name in os.listdir(self.ws.at(".databuild", "staging", "...")) if not name.startswith("spare-")]

    def test_d_differs(self):
        """an edit that changes bytes compares as different, and is no evidence"""
        edit(self.ws.at("lib", "adding.sh"), "%.1f", "%.3f")
        self.world.bazel_run("deploy", "--yes").expect(0)
        found = self.trial("compare", "//:sum", "--sample", "2", code=1)
        self.assertEqual(found["state"], "differs")
        self.assertEqual([result["verdict"] for result in found["results"]], ["differs"] * 2)
        self.assertTrue(all(result["now_bytes"] == result["then_bytes"] + 2 for result in found["results"]))
        refused = self.ws.cli("accept", "--job", "//:sum", "--reason", "x", "--evidence", found["id"]).expect(2)
        self.assertSays(refused, "no_evidence", "outputs that differ")

    def test_e_rerun(self):
        """a run comes out as it did, though its code has changed since"""
        self.assertSays(self.ws.cli("rerun", self.run_then).expect(2), "not_exact", "--exact")
        kept = self.ws.at("kept")
        shown = self.ws.cli("rerun", self.run_then, "--exact", "--keep", kept).expect(0)
        self.assertSays(shown, "equal; 1 output", f"outputs are in {kept}")
        path = os.path.join("out", "sums", "city=eu", "date=2024-02-28.txt")
        self.assertEqual(read(os.path.join(kept, path)), read(self.ws.at(path)))
        self.assertSays(self.ws.cli("rerun", self.run_then, "--exact", "--keep", kept).expect(2), "bad_folder")
        self.assertSays(self.ws.cli("rerun", "r99999", "--exact").expect(2), "run_not_found")

    def test_f_other_inputs(self):
        """with other inputs than those of then, that is said"""
        self.ws.cli("build", "total").expect(0)
        path = self.ws.at("data", "eu.csv")
        content = read(path)
        write(path, content.replace("2024-02-27,", "2024-02-27,9"))
        self.assertNotEqual(read(path), content)
        self.ws.cli("build", "readings/city=eu").expect(0)
        found = self.trial("rerun", self.run_then, "--exact", code=1)
        self.assertEqual((found["state"], found["results"][0]["verdict"]), ("unknown", "inputs_changed"))
        self.assertEqual(found["changed_inputs"], ["readings/city=eu/date=2024-02-27"])
        write(path, content)
        self.ws.cli("build", "total").expect(0)


class Repeats(Scenario):
    """Trials under way."""

    deployed = True

    def running(self, case: str) -> tuple:
        """A trial of a job that runs until it is released; its id and the processes of its first run."""
        trial = self.ws.cli("verify", f"probe/ticks/case={case}", "--detach", "--json").expect(0).json()["id"]
        return trial, self.ws.ticking(case)

    def state(self, trial: str) -> str:
        return self.ws.cli("trials", trial, "--json").expect(0).json()["state"]

    def test_cancel(self):
        """a canceled trial stops its processes and changes nothing"""
        trial, pids = self.running("a")
        self.assertSays(self.ws.cli("cancel", trial).expect(0), f"{trial} is canceled")
        wait_until("its processes end", lambda: not any(alive(pid) for pid in pids))
        self.assertEqual(self.state(trial), "canceled")
        self.assertSays(self.ws.cli("cancel", trial).expect(0), f"{trial} is over already: canceled")
        self.assertEqual(self.ws.states("probe/ticks/case=a"), {"missing": 1})

    def test_killed(self):
        """a trial goes on when its server was killed, with the same processes"""
        trial, pids = self.running("b")
        old = self.ws.server_pid()
        os.kill(old, signal.SIGKILL)
        wait_until("the server is gone", lambda: not alive(old))
        self.assertEqual(self.state(trial), "running")
        self.assertTrue(all(alive(pid) for pid in pids))
        self.ws.release("b")
        wait_until(f"{trial} ends", lambda: self.state(trial) != "running")
        self.assertEqual(self.state(trial), "equal")
        self.assertEqual(len(self.ws.pids("b")), 2)
        self.assertEqual(self.ws.states("probe/ticks/case=b"), {"missing": 1})

    def test_refusals(self):
        """what cannot be repeated is refused"""
        for arguments, code in [
            (["compare", "//probe:tick"], "nothing_to_compare"),
            (["compare", "//probe:nothing"], "unknown_job"),
            (["verify", "raw"], "not_repeatable"),
            (["verify", "total", "--sample", "0"], "bad_sample"),
            (["verify", "//probe:tick", "total"], "not_of_job"),
            (["trials", "t9999"], "trial_not_found"),
        ]:
            self.assertSays(self.ws.cli(*arguments).expect(2), code)
