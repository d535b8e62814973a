"""Old events go to archives, and nothing that is current goes with them."""

from __future__ import annotations

import os
import sqlite3

from scenario import Scenario


class Retention(Scenario):
    steps = True

    def archives(self) -> list:
        return sorted(os.listdir(self.ws.at(".databuild", "archive")))

    def shown(self) -> tuple:
        """What is said of what is current, as of whichever event."""
        said = [self.ws.cli("partitions", "readings", "--json").expect(0).json(), self.ws.cli("why", "total", "--json").expect(0).json()]
        return tuple({name: value for name, value in answer.items() if name != "seq"} for answer in said)

    def test_a_history(self):
        """a workspace with some history: data made twice, and a run that failed"""
        self.ws.cli("build", "total").expect(0)
        with open(self.ws.at("data", "eu.csv"), "a", encoding="utf-8") as file:
            file.write("2024-03-03,1\n")
        self.ws.cli("build", "total").expect(0)
        self.ws.cli("build", "total", "--refresh", "all").expect(0)
        self.ws.cli("build", "probe/case/case=failing").expect(1)

    def test_b_dry_run(self):
        """a dry run only counts, and young events stay"""
        last = self.ws.events()
        said = self.ws.cli("gc", "--events-older-than", "0s", "--dry-run", "--json").expect(0).json()["archived"]
        self.assertEqual((said["first"], said["last"], said.get("file")), (1, last - 1, None))
        self.assertSays(self.ws.cli("gc", "--events-older-than", "1d").expect(0), "no event is old enough")
        self.assertFalse(os.path.exists(self.ws.at(".databuild", "archive")))

    def test_c_archive(self):
        """old events go to a file, and all that is current is told as before"""
        before, runs, last = self.shown(), len(self.ws.runs()), self.ws.events()
        self.assertSays(self.ws.cli("gc", "--events-older-than", "0s").expect(0), f"archived {last - 1} events (1 to {last - 1}")
        self.assertEqual(self.archives(), [f"events-1-{last - 1}.sqlite"])
        self.assertEqual(self.shown(), before)
        self.assertLess(len(self.ws.runs()), runs)
        self.assertSays(self.ws.cli("why", "probe/case/case=failing").expect(0), "exit code 1")
        self.assertSays(self.ws.cli("build", "total").expect(0), "nothing to build")

    def test_c_told(self):
        """what is archived is told by its id, with the archive's name, and what keeps events in the log is named"""
        (archive,) = self.archives()
        self.assertSays(self.ws.cli("want", "get", "w1").expect(0), "w1 satisfied", f"archived in {archive}")
        listed = {run["id"] for run in self.ws.runs()}
        run = next(run for number in range(1, 100) if (run := f"r{number}") not in listed)
        self.assertSays(self.ws.cli("runs", run).expect(0), f"{run} completed", "attempt 1 success", f"archived in {archive}")
        self.assertSays(self.ws.cli("why", run).expect(0), f"{run} completed")
        self.ws.cli("logs", run).expect(0)
        self.assertSays(self.ws.cli("rerun", run, "--exact").expect(2), "run_archived", archive)
        self.assertSays(self.ws.cli("runs", "r9999").expect(2), "run_not_found")
        want = self.ws.detach("probe/ticks/case=a")
        self.ws.ticking("a")
        held = self.ws.cli("gc", "--events-older-than", "0s", "--dry-run", "--json").expect(0).json()["archived"]["held_by"]
        self.assertEqual(held["id"], want)
        self.assertSays(self.ws.cli("gc", "--events-older-than", "0s", "--dry-run").expect(0), f"{want} is not over, so events from {held['seq']} on stay")
        self.ws.release("a")
        self.ws.wait_want(want, "satisfied")

    def test_d_api(self):
        """the event list says where it begins"""
        status, page = self.ws.api("GET", "/api/v1/events?limit=1")
        self.assertEqual((status, page["data"][0]["seq"]), (200, page["first_seq"]))
        status, refusal = self.ws.api("GET", "/api/v1/events?after=0")
        self.assertEqual((status, refusal["error"]), (410, "events_archived"))

    def test_e_rerun(self):
        """a run whose lease is archived is repeated exactly"""
        run = self.ws.run_of("readings/city=us/date=2024-02-27")
        self.assertSays(self.ws.cli("rerun", run["id"], "--exact").expect(0), "equal")

    def test_f_restart(self):
        """a server that has to read all events once more reads the archive, and says so if it is gone"""
        before = self.shown()
        self.ws.stop()
        log = sqlite3.connect(self.ws.at(".databuild", "bel.sqlite"))
        log.execute("DELETE FROM checkpoints")
        log.commit()
        log.close()
        archive, aside = self.ws.at(".databuild", "archive"), self.ws.at("aside")
        os.rename(archive, aside)
        self.assertSays(self.ws.cli("status").expect(3), "archive_missing", "put the archive back")
        os.rename(aside, archive)
        self.assertEqual(self.shown(), before)
