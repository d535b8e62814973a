"""Wants of much work: batches, what goes first, and steering a want as one thing."""

from __future__ import annotations

import os
import signal
import time

from harness import alive, edit, read, wait_until, write
from scenario import Scenario


def days(*numbers: int) -> list:
    return [f"2024-01-{number:02}" for number in numbers]


class Backfills(Scenario):
    deployed = True

    def setUp(self):
        """Each scenario has its jobs and their notes to itself."""
        os.makedirs(self.ws.at("control"), exist_ok=True)
        for name in os.listdir(self.ws.at("control")):
            os.unlink(self.ws.at("control", name))

    def made(self) -> list:
        """The days of each attempt, in the order in which they began."""
        path = self.ws.at("control", "made")
        return [line.split() for line in read(path).splitlines()] if os.path.exists(path) else []

    def hold(self, slots: int) -> None:
        self.ws.cli("pools", "set", "backfill/hold", str(slots)).expect(0)

    def kill_server(self) -> None:
        """Kills the server with no warning; the next command starts another."""
        old = self.ws.server_pid()
        os.kill(old, signal.SIGKILL)
        wait_until("the server is gone", lambda: not alive(old))
        self.ws.cli("status").expect(0)

    def test_batches(self):
        """a backfill is made in batches of the declared size, newest first, and each partition once"""
        self.ws.cli("build", "backfill/day", "--class", "backfill", "--refresh", "all").expect(0)
        made = self.made()
        self.assertEqual([len(batch) for batch in made], [4, 4, 2])
        self.assertEqual(sorted(made[0]), days(7, 8, 9, 10))
        self.assertEqual(sorted(day for batch in made for day in batch), days(*range(1, 11)))

    def test_partial(self):
        """of a batch that fails in part, what is done is kept, and only the rest is tried again, by the run and by hand"""
        for day in days(1, 2, 3, 4):
            if os.path.exists(self.ws.at("out", "backfill", f"{day}.txt")):
                os.unlink(self.ws.at("out", "backfill", f"{day}.txt"))
        write(self.ws.at("control", "failing"), "2024-01-03\n")
        failed = self.ws.cli("build", "backfill/day/date=2024-01-01..2024-01-04").expect(1)
        self.assertSays(failed, "1 of 4 partitions failed", "no data of 2024-01-03")
        self.assertEqual(self.made(), [days(1, 2, 3, 4), days(3)])
        self.assertEqual(read(self.ws.at("out", "backfill", "2024-01-04.txt")), "attempt 1\n")
        self.assertEqual(self.ws.states("backfill/day/date=2024-01-01..2024-01-04"), {"current": 3, "failed": 1})
        (last, *_) = self.ws.runs("--partition", "backfill/day/date=2024-01-03")
        self.assertEqual((last["state"], last["partitions"]), ("failed", 4))
        self.assertIn(last, self.ws.runs("--partition", "backfill/day/date=2024-01-04..2024-01-06"))
        self.assertNotIn(last, self.ws.runs("--partition", "backfill/day/date=2024-01-05..2024-01-06"))
        os.unlink(self.ws.at("control", "failing"))
        self.ws.cli("build", "backfill/day/date=2024-01-01..2024-01-04").expect(0)
        self.assertEqual(self.made()[2:], [days(3)])

    def test_fresh_first(self):
        """what is asked for now goes before a backfill that was asked for earlier, and so does a backfill made interactive"""
        self.hold(0)
        old = self.ws.detach("backfill/day/date=2024-01-01", "--class", "backfill", "--refresh", "all", "--jobs", "4")
        older = self.ws.detach("backfill/day/date=2024-01-02", "--class", "backfill", "--refresh", "all")
        fresh = self.ws.detach("backfill/day/date=2024-01-03", "--refresh", "all")
        self.ws.cli("want", "priority", older, "interactive").expect(0)
        self.assertEqual(self.ws.want(older)["class"], "interactive")
        self.hold(1)
        for want in (old, older, fresh):
            self.ws.wait_want(want, "satisfied")
        self.assertEqual(self.made()[-1], days(1))

    def test_pause(self):
        """a paused want begins nothing, also after kill -9, and ends nothing; resumed it goes on, canceled it keeps what is built"""
        # A pool, since short jobs are handed out ahead of places.
        self.ws.cli("pools", "set", "probe/gate", "1").expect(0)
        want = self.ws.detach("probe/ticks/case=a+b", "--refresh", "all", "--jobs", "4")
        first = "a" if wait_until("one runs", lambda: self.ws.pids("a") or self.ws.pids("b")) == self.ws.pids("a") else "b"
        second = "b" if first == "a" else "a"
        self.ws.cli("want", "pause", want).expect(0)
        self.kill_server()
        self.assertTrue(alive(self.ws.pids(first)[0][0]))
        self.ws.release(first)
        wait_until("it is built", lambda: self.ws.states(f"probe/ticks/case={first}") == {"current": 1})
        # Nothing else is held up.
        self.ws.cli("build", "probe/tree", "--refresh", "all").expect(0)
        self.assertEqual(self.ws.pids(second), [])
        self.assertEqual(self.ws.cli("why", want, "--json").expect(0).json()["kind"], "paused")
        self.ws.cli("want", "resume", want).expect(0)
        process, _ = self.ws.ticking(second)
        self.ws.cli("want", "cancel", want).expect(0)
        wait_until("it is gone", lambda: not alive(process))
        self.assertEqual(self.ws.want(want)["state"], "canceled")
        self.assertEqual(self.ws.states(f"probe/ticks/case={first}"), {"current": 1})
        self.assertEqual(read(self.ws.at("out", "ticks", f"{first}.txt")), "released\n")

    def test_refresh(self):
        """--refresh missing leaves stale partitions as they are, which the default does not"""
        self.ws.cli("build", "readings/city=eu").expect(0)
        edit(self.ws.at("data", "eu.csv"), "2024-02-26,1.01", "2024-02-26,7.01")
        os.unlink(self.ws.at("out", "readings", "city=eu", "date=2024-02-27.txt"))
        missing = self.ws.cli("build", "readings/city=eu", "--refresh", "missing").expect(0)
        self.assertSays(missing, "1 partition built", "readings/city=eu/date=2024-02-27")
        self.assertEqual(read(self.ws.at("out", "readings", "city=eu", "date=2024-02-26.txt")), "1.0\n")
        self.assertSays(self.ws.cli("build", "readings/city=eu", "--refresh", "stale").expect(0), "5 partitions built")
        self.assertEqual(read(self.ws.at("out", "readings", "city=eu", "date=2024-02-26.txt")), "7.0\n")

    def test_join(self):
        """a second want for what is being made starts no second run, and both are satisfied by it"""
        write(self.ws.at("control", "source.txt"), "one\n")
        first = self.ws.detach("backfill/copy", "--refresh", "all")
        self.ws.ticking("copy")
        second = self.ws.detach("backfill/copy")
        self.assertEqual(self.ws.cli("why", second, "--json").expect(0).json()["kind"], "running")
        self.ws.release("copy")
        for want in (first, second):
            self.ws.wait_want(want, "satisfied")
        self.assertEqual(len(self.ws.pids("copy")), 1)

    def test_superseded(self):
        """a want for newer inputs than those of the run under way waits for that, and gets a run of its own"""
        write(self.ws.at("control", "source.txt"), "two\n")
        first = self.ws.detach("backfill/copy", "--refresh", "all", "--jobs", "4")
        process, _ = self.ws.ticking("copy")
        write(self.ws.at("control", "source.txt"), "three\n")
        second = self.ws.detach("backfill/copy")
        self.assertEqual(len(self.ws.pids("copy")), 1)
        self.assertTrue(alive(process))
        self.ws.release("copy")
        self.ws.wait_want(second, "satisfied")
        self.ws.wait_want(first, "satisfied")
        self.assertEqual(len(self.ws.pids("copy")), 2)
        self.assertSays(self.ws.cli("build", "backfill/copy").expect(0), "nothing to build")

    def test_large(self):
        """a want of 100,000 partitions is one thing wherever it is shown, also after kill -9, and ends by one command"""
        self.hold(0)
        want = self.ws.detach("backfill/hour", "--class", "backfill", "--comment", "all of it")
        self.assertEqual(self.ws.want(want)["progress"]["total"], 100_000)
        self.kill_server()
        for command in (("want", "list"), ("want", "get", want), ("status",), ("why", want), ("partitions",)):
            for args in (command, (*command, "--json")):
                with self.subTest(command=args):
                    began = time.monotonic()
                    shown = self.ws.cli(*args).expect(0)
                    self.assertLess(time.monotonic() - began, 5)
                    self.assertLess(len(shown.out), 20_000)
        self.assertSays(self.ws.cli("want", "list").expect(0), want, "backfill/hour")
        self.ws.cli("want", "pause", want).expect(0)
        self.ws.cli("want", "resume", want).expect(0)
        self.ws.cli("want", "cancel", want).expect(0)
        self.assertEqual(self.ws.want(want)["state"], "canceled")
        self.assertEqual(self.made(), [])
        self.ws.cli("pools", "reset", "backfill/hold").expect(0)
