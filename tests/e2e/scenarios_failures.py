"""Jobs that fail, in all the ways jobs do, and being told to stop."""

from __future__ import annotations

import json
import os
import signal

from harness import alive, read, wait_until, write
from scenario import Scenario


class Failures(Scenario):
    def test_failing_job(self):
        """a failing job: the end of its stderr, exit code 1, other work goes on, what needs it is given up"""
        failed = self.ws.cli("build", "probe/after/case=failing+good").expect(1)
        self.assertSays(failed, "probe/case/case=failing", "exit code 1", "complaint 30", "complaint 11", "databuild logs")
        self.assertNotIn("complaint 10\n", failed.err)
        self.assertIn("skipped   probe/after/case=failing", failed.err)
        self.assertIn("failed", failed.out)
        self.assertEqual(read(self.ws.at("out", "after", "good.txt")), "good\n")
        self.assertFalse(os.path.exists(self.ws.at("out", "case", "failing.txt")))
        self.assertSays(self.ws.cli("why", "probe/case/case=failing").expect(0), "failed")
        self.assertEqual(self.ws.states("probe/case/case=failing"), {"failed": 1})
        # Building again tries what failed again.
        write(self.ws.at("control", "mended"), "")
        again = self.ws.cli("build", "probe/after/case=failing+good").expect(0)
        self.assertSays(again, "2 partitions built")
        self.assertEqual(read(self.ws.at("out", "after", "failing.txt")), "mended\n")

    def test_good_data_stays(self):
        """a failed run leaves what was built before as it is"""
        write(self.ws.at("control", "mended"), "")
        self.ws.cli("build", "probe/case/case=failing").expect(0)
        os.unlink(self.ws.at("control", "mended"))
        self.ws.cli("build", "probe/case/case=failing", "--refresh", "all").expect(1)
        self.assertEqual(read(self.ws.at("out", "case", "failing.txt")), "mended\n")

    def test_retry(self):
        """a job that fails twice is tried again, after a pause, and succeeds"""
        built = self.ws.cli("build", "probe/flaky/case=twice").expect(0)
        self.assertEqual(built.err.count("retry"), 2)
        run = self.ws.run_of("probe/flaky/case=twice")
        self.assertEqual([attempt["outcome"] for attempt in run["attempts"]], ["failure", "failure", "success"])
        self.assertEqual(read(self.ws.at("out", "flaky", "twice.txt")), "3\n")
        first = self.ws.cli("logs", run["id"], "--stderr", "--attempt", "1").expect(0)
        self.assertEqual(first.out, "attempt 1\n")

    def test_permanent(self):
        """a failure that the job calls permanent is not tried again, and its message is shown"""
        failed = self.ws.cli("build", "probe/flaky/case=never").expect(1)
        self.assertSays(failed, "there is no such data")
        self.assertEqual(len(self.ws.run_of("probe/flaky/case=never")["attempts"]), 1)

    def test_timeout(self):
        """a job that is out of time and deaf to TERM is killed with its children"""
        failed = self.ws.cli("build", "probe/hung").expect(1)
        self.assertSays(failed, "out of time: told to stop, it was gone after 0.", "raise `timeout` in the job")
        self.assertEqual(self.ws.run_of("probe/hung")["attempts"][0]["outcome"], "timeout")
        for pid in map(int, read(self.ws.at("control", "hung")).split()):
            wait_until(f"{pid} is gone", lambda pid=pid: not alive(pid))

    def test_bad_reports(self):
        """jobs that break their contract fail with what was wrong, and publish nothing"""
        wrong = {
            "silent": ["without writing probe/case/case=silent"],
            "killed": ["signal 9"],
            "nojson": ["line 1 of the report"],
            "unknown": ["probe/case/case=nobody", "does not make"],
            "another": ["probe/case/case=good", "does not make"],
            "million": ["report is longer than"],
        }
        failed = self.ws.cli("build", f"probe/case/case={'+'.join(wrong)}").expect(1)
        for case, parts in wrong.items():
            with self.subTest(case=case):
                (line,) = [line for line in failed.err.splitlines() if line.startswith(f"failed    probe/case/case={case} ")]
                for part in parts:
                    self.assertIn(part, line)
                self.assertFalse(os.path.exists(self.ws.at("out", "case", f"{case}.txt")))
        # Empty folders are kept for the next attempts.
        staging = self.ws.at(".databuild", "staging", "...")
        wait_until("staging is cleared", lambda: all(name.startswith("spare-") for name in os.listdir(staging)))

    def test_odd_reports(self):
        """binary garbage in logs, a report without a last newline and an empty result are no failures"""
        self.ws.cli("build", "probe/after/case=binary+nonewline+empty").expect(0)
        self.assertEqual(read(self.ws.at("out", "after", "binary.txt")), "binary\n")
        run = self.ws.run_of("probe/case/case=binary")["id"]
        response = self.ws.request("GET", f"/api/v1/runs/{run}/logs/stdout")
        self.assertEqual((response.status, len(response.read())), (200, 4096))
        self.ws.cli("logs", run).expect(0)
        lines = [json.loads(line) for line in self.ws.cli("logs", run, "--timestamps", "--json").expect(0).out.splitlines()]
        self.assertEqual([line["at"] for line in lines[:-2]], sorted(line["at"] for line in lines[:-2]))
        for stream in ("stdout", "stderr"):
            own = [bytes.fromhex(line["hex"]) if "hex" in line else line["text"].encode() for line in lines if line["stream"] == stream]
            wrote = self.ws.request("GET", f"/api/v1/runs/{run}/logs/{stream}").read()
            self.assertEqual(b"\n".join(own), wrote[:-1] if wrote.endswith(b"\n") else wrote)
        self.assertEqual(self.ws.states("probe/case/case=empty"), {"empty": 1})
        self.assertEqual(self.ws.states("probe/after/case=empty"), {"empty": 1})
        self.assertSays(self.ws.cli("build", "probe/after/case=empty").expect(0), "nothing to build")

    def test_long_log(self):
        """of 20 MiB that a job wrote not a byte is changed or lost, and its end is what build shows"""
        failed = self.ws.cli("build", "probe/case/case=long").expect(1)
        self.assertIn("the reason", failed.err)
        run = self.ws.run_of("probe/case/case=long")["id"]
        with open(self.ws.at("control", "long"), "rb") as file:
            wrote = file.read()
        for flags in ((), ("-f",)):
            self.assertEqual(self.ws.cli_bytes("logs", run, "--stderr", *flags), wrote)
        said = self.ws.cli("logs", run, "--stderr", "--json").expect(0).json()["stderr"]
        self.assertEqual(bytes.fromhex(said["hex"]), wrote)
        response = self.ws.request("GET", f"/api/v1/runs/{run}/logs/stderr?tail=11")
        self.assertEqual(response.read(), b"the reason\n")
        told = {name: response.headers[f"X-Log-{name}"] for name in ("Size", "Offset", "Ended")}
        self.assertEqual(told, {"Size": str(len(wrote)), "Offset": str(len(wrote) - 11), "Ended": "true"})

    def test_cancel_want(self):
        """canceling a want stops its job with all its children, and what waited is not started"""
        want = self.ws.detach("probe/ticks/case=a+b", "--jobs", "1")
        pids = self.ws.ticking("a")
        canceled = self.ws.cli("want", "cancel", want).expect(0)
        self.assertIn("canceled", canceled.out)
        for pid in pids:
            wait_until(f"{pid} is gone", lambda pid=pid: not alive(pid))
        self.assertEqual(self.ws.pids("b"), [])
        self.assertEqual(self.ws.want(want)["state"], "canceled")
        self.assertEqual(len(self.ws.pids("a")), 1, "a canceled run is not tried again")
        self.assertSays(self.ws.cli("want", "cancel", want).expect(0), f"{want} is over already: canceled")
        self.ws.cli("want", "cancel", "w9999").expect(2)

    def test_shared_run(self):
        """a run that two wants hold stops when the last of them leaves"""
        (os.path.exists(path := self.ws.at("control", "pids-c"))) and os.unlink(path)
        first = self.ws.detach("probe/ticks/case=c", "--jobs", "2")
        process, _ = self.ws.ticking("c")
        second = self.ws.detach("probe/ticks/case=c")
        self.ws.cli("want", "cancel", first).expect(0)
        self.assertTrue(alive(process))
        self.assertEqual(self.ws.want(second)["state"], "open")
        self.ws.cli("cancel", second).expect(0)
        wait_until("it is gone", lambda: not alive(process))
        self.assertEqual(len(self.ws.pids("c")), 1)

    def test_interrupt(self):
        """Ctrl-C detaches and says so; the work goes on"""
        build = self.ws.start("build", "probe/ticks/case=b", "--jobs", "2")
        process, _ = self.ws.ticking("b")
        os.killpg(build.pid, signal.SIGINT)
        out, err = build.communicate(timeout=60)
        self.assertEqual(build.returncode, 130, err)
        self.assertIn("detached", err)
        self.assertEqual(out, "")
        self.assertTrue(alive(process))
        self.ws.release("b")
        wait_until("it is built", lambda: self.ws.states("probe/ticks/case=b") == {"current": 1})
        self.assertEqual(len(self.ws.pids("b")), 1)
