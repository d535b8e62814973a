"""What survives which death: the server's, the runner's, an upgrade's. A run is never done twice for it."""

from __future__ import annotations

import fcntl
import json
import os
import signal

from harness import alive, read, wait_until
from scenario import Scenario


class Survival(Scenario):
    def setUp(self):
        """Each scenario has its jobs to itself."""
        for case in "abc":
            for name in (f"pids-{case}", f"release-{case}"):
                if os.path.exists(self.ws.at("control", name)):
                    os.unlink(self.ws.at("control", name))

    def begin(self, *cases: str) -> tuple:
        """Wants ticks and waits until the first case runs: the want, its process and its run."""
        want = self.ws.detach(f"probe/ticks/case={'+'.join(cases)}", "--refresh", "all", "--jobs", "2")
        process, _ = self.ws.ticking(cases[0])
        return want, process, self.ws.run_of(f"probe/ticks/case={cases[0]}")["id"]

    def attempts(self, run: str) -> list:
        return [attempt["outcome"] for attempt in self.ws.cli("runs", run, "--json").expect(0).json()["attempts"]]

    def test_server_killed(self):
        """kill -9 of the server in mid-run: the same process goes on, its log too, the result is published once"""
        want, process, run = self.begin("a")
        old = self.ws.server_pid()
        os.kill(old, signal.SIGKILL)
        wait_until("the server is gone", lambda: not alive(old))
        self.assertSays(self.ws.cli("status").expect(0), "started the server")
        self.assertTrue(alive(process))
        size = self.ws.log_size(run)
        wait_until("its log goes on", lambda: self.ws.log_size(run) > size)
        self.ws.release("a")
        self.ws.wait_want(want, "satisfied")
        self.assertEqual([pid for pid, _ in self.ws.pids("a")], [process])
        self.assertEqual(self.attempts(run), ["success"])
        events = self.ws.api("GET", "/api/v1/events?limit=1000")[1]["data"]
        about = [event for event in events if event["kind"] == "materialized" and run in event["text"]]
        self.assertEqual(len(about), 1, events)
        self.assertEqual(read(self.ws.at("out", "ticks", "a.txt")), "released\n")

    def test_ended_meanwhile(self):
        """a job that ends while no server lives is published by the next one"""
        want, process, run = self.begin("a")
        os.kill(self.ws.server_pid(), signal.SIGKILL)
        self.ws.release("a")
        wait_until("the job has ended", lambda: not alive(process))
        self.ws.cli("status").expect(0)
        self.ws.wait_want(want, "satisfied")
        self.assertEqual(self.attempts(run), ["success"])
        self.assertEqual(len(self.ws.pids("a")), 1)

    def test_stopped(self):
        """stop and SIGTERM leave jobs running; the next server takes them up"""
        want, process, run = self.begin("a")
        old = self.ws.server_pid()
        self.ws.cli("stop").expect(0)
        self.assertFalse(alive(old))
        self.assertTrue(alive(process))
        self.assertFalse(os.path.exists(self.ws.at(".databuild", "server.json")))
        self.ws.cli("status").expect(0)
        old = self.ws.server_pid()
        os.kill(old, signal.SIGTERM)
        wait_until("the server has gone", lambda: not alive(old))
        self.assertTrue(alive(process))
        self.ws.cli("status").expect(0)
        self.ws.release("a")
        self.ws.wait_want(want, "satisfied")
        self.assertEqual(self.attempts(run), ["success"])

    def test_watched_server_killed(self):
        """a command that waits goes on with another server when its own is killed, and says so when it is stopped"""
        build = self.ws.start("build", "probe/ticks/case=a", "--refresh", "all", "--jobs", "2")
        process, _ = self.ws.ticking("a")
        os.kill(self.ws.server_pid(), signal.SIGKILL)
        verify = self.ws.start("verify", "probe/ticks/case=b")
        self.ws.ticking("b")
        # It names its trial once it knows of that; a command that has no answer yet can only fail.
        # Either command may be the one that starts the next server, and says so first.
        self.assertTrue(any("0 of 2 runs are over" in line for line in iter(verify.stderr.readline, "")))
        os.kill(self.ws.server_pid(), signal.SIGKILL)
        for case in "ab":
            self.ws.release(case)
        for watcher, said in (build, "1 partition built"), (verify, "deterministic"):
            out, err = watcher.communicate(timeout=60)
            self.assertEqual(watcher.returncode, 0, err)
            self.assertIn(said, out)
            self.assertIn("goes on with another one", err)
        self.assertEqual([pid for pid, _ in self.ws.pids("a")], [process])

        build = self.ws.start("build", "probe/ticks/case=c", "--refresh", "all", "--jobs", "2")
        process, _ = self.ws.ticking("c")
        self.ws.cli("stop").expect(0)
        _, err = build.communicate(timeout=60)
        self.assertEqual(build.returncode, 4, err)
        self.assertRegex(err, r"error\[server_stopped\]: the server was stopped; w\d+ goes on when a server is started")
        self.assertFalse(os.path.exists(self.ws.at(".databuild", "server.json")))
        self.ws.release("c")
        self.ws.cli("status").expect(0)
        wait_until("it is built", lambda: self.ws.states("probe/ticks/case=c") == {"current": 1})
        self.assertEqual([pid for pid, _ in self.ws.pids("c")], [process])

    def test_two_watchers(self):
        """of two builds at once each tells of its own partitions, in lines, in JSON and in what it counts"""
        first = self.ws.start("build", "probe/ticks/case=a", "--refresh", "all", "--jobs", "2", "--json")
        self.ws.ticking("a")
        second = self.ws.cli("build", "probe/case/case=failing", "probe/case/case=good", "--refresh", "all").expect(1)
        self.assertNotIn("probe/ticks", second.out + second.err)
        self.assertSays(second, "probe/case/case=good", "1 partition built, 1 partition failed")
        self.ws.release("a")
        out, err = first.communicate(timeout=60)
        self.assertEqual(first.returncode, 0, err)
        *lines, last = [json.loads(line) for line in out.splitlines()]
        told = [line["event"] for line in lines if "event" in line]
        self.assertEqual([(line["what"], line["partition"]) for line in told], [(what, "probe/ticks/case=a") for what in ("started", "built")])
        self.assertEqual((last["built"], last["want"]["state"]), (1, "satisfied"))

    def test_no_runner(self):
        """while no runner can be started nothing begins and why says so; once one can, work goes on, with the same server"""
        want, process, run = self.begin("a")
        server, runner = self.ws.server_pid(), self.ws.runner_pid()
        with open(self.ws.at(".databuild", "spool", "runner.lock"), "a", encoding="utf-8") as lock:
            os.kill(server, signal.SIGSTOP)
            os.kill(runner, signal.SIGKILL)
            wait_until("the runner and its job are gone", lambda: not alive(runner) and not alive(process))
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.kill(server, signal.SIGCONT)
            wait_until("it is noticed", lambda: "the runner cannot be started" in self.ws.cli("why", want).out)
            self.assertEqual(self.attempts(run), ["lost"])
        self.ws.release("a")
        self.ws.wait_want(want, "satisfied")
        self.assertEqual(self.attempts(run), ["lost", "success"])
        self.assertEqual(self.ws.server_pid(), server)

    def test_runner_killed(self):
        """kill -9 of the runner: its job dies with it, the attempt is lost, the run is repeated"""
        want, process, run = self.begin("b")
        os.kill(self.ws.runner_pid(), signal.SIGKILL)
        again, _ = self.ws.ticking("b", attempts=2)
        self.assertFalse(alive(process))
        self.assertTrue(alive(again))
        self.ws.release("b")
        self.ws.wait_want(want, "satisfied")
        self.assertEqual(self.attempts(run), ["lost", "success"])
        self.assertEqual(len(self.ws.pids("b")), 2)

    def test_both_killed(self):
        """kill -9 of server and runner: nothing of the old attempt is left when the run is repeated"""
        want, process, run = self.begin("c")
        child = self.ws.pids("c")[0][1]
        os.kill(self.ws.server_pid(), signal.SIGKILL)
        os.kill(self.ws.runner_pid(), signal.SIGKILL)
        self.ws.cli("status").expect(0)
        self.ws.ticking("c", attempts=2)
        self.assertFalse(alive(process))
        wait_until("the old child is gone", lambda: not alive(child))
        self.ws.release("c")
        self.ws.wait_want(want, "satisfied")
        self.assertEqual(self.attempts(run), ["lost", "success"])

    def test_other_binary(self):
        """another build of DataBuild: its server takes over while a job runs"""
        want, process, run = self.begin("a")
        old = self.ws.server()
        first, self.ws.program = self.ws.program, self.world.another_program()
        try:
            self.assertSays(self.ws.cli("status").expect(0), "restarted the server")
            new = self.ws.server()
            self.assertNotEqual(new["pid"], old["pid"])
            self.assertNotEqual(new["binary_sha256"], old["binary_sha256"])
            self.assertFalse(alive(old["pid"]))
            self.assertTrue(alive(process))
            self.ws.release("a")
            self.ws.wait_want(want, "satisfied")
            self.assertEqual(self.attempts(run), ["success"])
        finally:
            self.ws.program = first
            self.ws.cli("status").expect(0)

    def test_many_kills(self):
        """a server that is killed again and again still runs every job once"""
        self.ws.cli("status").expect(0)
        before = {run["id"] for run in self.ws.runs()}
        want = self.ws.detach("total")
        for _ in range(5):
            os.kill(self.ws.server_pid(), signal.SIGKILL)
            self.ws.cli("status").expect(0)
        self.ws.wait_want(want, "satisfied")
        runs = [run for run in self.ws.runs() if run["id"] not in before]
        self.assertEqual(sorted({run["state"] for run in runs}), ["completed"])
        self.assertEqual(len(runs), 25)
        for run in runs:
            *lost, last = self.ws.cli("runs", run["id"], "--json").expect(0).json()["attempts"]
            self.assertEqual(last["outcome"], "success")
            # Leased, and the server died before it told the runner: it never ran.
            self.assertEqual([(attempt["outcome"], attempt["pid"]) for attempt in lost], [("lost", None)] * len(lost))
        self.assertEqual(self.ws.states("sums"), {"current": 12})

    def test_stop_jobs(self):
        """stop --jobs ends the jobs as well, whoever follows a log; the want goes on with the next server, and no attempt is lost"""
        want, _, run = self.begin("a")
        stops = 5
        for attempt in range(1, stops + 1):
            process, _ = self.ws.ticking("a", attempts=attempt)
            followed = self.ws.request("GET", f"/api/v1/runs/{run}/logs/stdout?follow=true")
            follower = self.ws.start("logs", "-f", run)
            follower.stdout.readline()
            self.ws.cli("stop", "--jobs").expect(0)
            # The stream ends; it is not cut off.
            followed.read()
            out, err = follower.communicate()
            self.assertIn("server_stopped", out + err)
            wait_until("the job is gone", lambda pid=process: not alive(pid))
            self.ws.cli("status").expect(0)
            self.assertEqual(self.ws.want(want)["state"], "open")
        self.ws.ticking("a", attempts=stops + 1)
        self.ws.release("a")
        self.ws.wait_want(want, "satisfied")
        self.assertEqual(self.attempts(run), ["canceled"] * stops + ["success"])

    def test_stop_jobs_alone(self):
        """stop --jobs ends the jobs of a server that is dead, too"""
        want, process, _ = self.begin("c")
        runner = self.ws.runner_pid()
        old = self.ws.server_pid()
        os.kill(old, signal.SIGKILL)
        wait_until("the server is gone", lambda: not alive(old))
        self.ws.cli("stop", "--jobs").expect(0)
        for pid in (process, runner):
            wait_until(f"{pid} is gone", lambda pid=pid: not alive(pid))
        self.ws.cli("want", "cancel", want).expect(0)
        self.assertEqual(self.ws.want(want)["state"], "canceled")
