"""Runs storms: rounds of kills, then a server that is killed under followers, then full disks. Each has its own seed and workspace."""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

import examine
from disk import DiskStorm, can_mount, in_own_mounts
from followers import Followers
from kills import Kills
from pipeline import TARGETS, Pipeline, kill_all, tree
from weather import Weather

# Exit codes that a command may have while servers are killed: done, work failed, no server.
FAIR = (0, 1, 4)


def say(text: str) -> None:
    print(text, flush=True)


class Round:
    """One workspace, built in two phases while it storms: the second with other external files."""

    def __init__(self, folder: pathlib.Path, program: str, seed: int, acts: int, followers: int):
        self.pipeline = Pipeline(folder, program)
        self.seed = seed
        self.acts = acts
        self.followers = Followers(self.pipeline, followers)
        self.random = random.Random(seed)
        self.wants: list = []
        self.wrong: list = []
        self.told: list = []
        self.began = time.monotonic()
        self.slowest = (0.0, "")

    def command(self, *args: str, fair: tuple = FAIR):
        asked = time.monotonic() - self.began
        said = self.pipeline.run(*args)
        took = time.monotonic() - self.began - asked
        self.slowest = max(self.slowest, (took, " ".join(args)))
        self.told.append((asked, f"databuild {' '.join(args)}: {said.code} ({took:.1f} s)"))
        if said.code is None:
            self.wrong.append(f"a command hangs: {said}")
        elif said.code not in fair:
            self.wrong.append(f"a command fails while it storms: {said}")
        return said

    def use(self) -> None:
        """Does what users do."""
        targets = self.random.choice([TARGETS, ["total"], ["found"], ["tree", "batch"], ["sum/part=a"], ["gathered"]])
        what = self.random.choices(["detach", "build", "again", "cancel", "look", "scan", "stop", "stop_jobs"], [25, 15, 35, 7, 8, 4, 4, 2])[0]
        if what in ("detach", "again", "cancel"):
            more = ["--refresh", "all"] if what == "again" else []
            said = self.command("build", "--detach", "--json", "--jobs", "4", *more, *targets)
            if said.code == 0:
                want = json.loads(said.out)["id"]
                self.wants.append(want)
                if what == "cancel":
                    # It may have ended.
                    self.command("cancel", want, fair=(*FAIR, 2))
        elif what == "build":
            said = self.command("build", "--json", "--jobs", "4", *targets)
            if said.code in (0, 1) and said.out:
                last = json.loads(said.out.splitlines()[-1])
                if "want" in last:
                    self.wants.append(last["want"]["id"])
        elif what == "look":
            self.command(*self.random.choice([["status"], ["plan", *targets], ["partitions", "tree"], ["runs"], ["why", "total"]]))
        elif what == "scan":
            self.command("scan", "--deep")
        else:
            self.command("stop", *(["--jobs"] if what == "stop_jobs" else []))

    def phase(self, version: int, expected: dict) -> None:
        self.pipeline.give(version)
        weather = Weather(self.pipeline, self.seed * 10 + version, self.acts, self.began)
        self.command("build", "--detach", "--json", "--jobs", "4", *TARGETS)
        weather.start()
        while weather.is_alive() and not self.wrong:
            self.use()
        weather.end.set()
        weather.join()
        self.told += weather.told
        self.wrong += weather.panics
        self.wrong += examine.wants_end(self.pipeline, self.wants)
        self.wrong += self.pipeline.build_all()
        if not self.wrong:
            self.wrong += examine.everything(self.pipeline, expected)
        weather.look_for_panics()
        self.wrong += [panic for panic in weather.panics if panic not in self.wrong]

    def run(self, expected: dict) -> list:
        self.followers.start()
        for version in sorted(expected):
            if not self.wrong:
                self.phase(version, expected[version])
        # Nothing more happens from here on.
        last = 0 if self.wrong else examine.ask(self.pipeline, "/api/v1/events?limit=1")["seq"]
        self.wrong += self.followers.end(last)
        self.wrong += examine.stops(self.pipeline)
        return self.wrong


def undisturbed(folder: pathlib.Path, program: str, **size) -> dict:
    """What each phase makes when nothing happens."""
    pipeline = Pipeline(folder, program, **size)
    expected = {}
    for version in (1, 2):
        pipeline.give(version)
        wrong = pipeline.build_all()
        if wrong:
            raise SystemExit("\n".join(wrong))
        expected[version] = tree(pipeline.path / "out")
    wrong = examine.everything(pipeline, expected[2]) + examine.stops(pipeline)
    if wrong:
        raise SystemExit("without any storm:\n" + "\n".join(wrong))
    shutil.rmtree(folder, ignore_errors=True)
    return expected


def failed(what: str, folder: pathlib.Path, wrong: list, told: list) -> None:
    """Tells all of a failed round; its folder stays."""
    say(f"FAILED {what}, kept in {folder}:")
    for text in wrong[:20]:
        say(f"  {text}")
    if len(wrong) > 20:
        say(f"  and {len(wrong) - 20} more")
    say("--- what happened")
    for at, text in sorted(told)[-100:]:
        say(f"  {at:7.3f} {text}")
    for log in (folder / "ws/.databuild/server.log", folder / "ws/.databuild/spool/runner.log"):
        if log.exists():
            say(f"--- end of {log}\n{log.read_text(errors='replace')[-4000:]}")


def full_disks(folder: pathlib.Path, program: str, seed: int, times: int, expected: dict) -> int:
    """Fills a disk so often; returns how many rounds failed."""
    began = time.monotonic()
    storm = DiskStorm(folder, program, seed, times)
    try:
        wrong = storm.run(expected)
        kill_all(str(folder))
        if wrong:
            storm.keep()
            failed(f"disk with --seed {seed}", folder, wrong, storm.told)
        else:
            say(f"ok     {times} times a full disk, seed {seed}: {storm.refused} commands were refused ({time.monotonic() - began:.1f} s)")
        return 1 if wrong else 0
    finally:
        kill_all(str(folder))
        storm.close()


def kills(folder: pathlib.Path, program: str, seed: int, times: int, followers: int, expected: dict) -> int:
    """Kills the server so often under so many followers; returns how many rounds failed."""
    began = time.monotonic()
    storm = Kills(folder, program, seed, times, followers)
    wrong = storm.run(expected)
    kill_all(str(folder))
    if wrong:
        failed(f"kills under followers with --seed {seed}", folder, wrong, storm.told)
        return 1
    of = storm.followers
    say(f"ok     {times} kills under {followers} followers, seed {seed}: {storm.events} events, {of.connections()} connections, {of.fetched()} events lost and asked for ({time.monotonic() - began:.1f} s)")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/storm/run")
    parser.add_argument("--programs", required=True, help="folder with databuild, instead of building it")
    parser.add_argument("--rounds", type=int, default=2, help="rounds of kills")
    parser.add_argument("--kills", type=int, default=5, help="how often the server is killed under followers")
    parser.add_argument("--disk", type=int, default=3, help="how often the disk is filled")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first round; the next has the next one")
    parser.add_argument("--acts", type=int, default=12, help="acts against processes in each of a round's two phases")
    parser.add_argument("--followers", type=int, default=20, help="how many follow the event log meanwhile")
    parser.add_argument("--keep", action="store_true", help="leave the folders of rounds that passed, too")
    arguments = parser.parse_args()
    program = os.path.join(os.path.realpath(arguments.programs), "databuild")
    if arguments.disk:
        in_own_mounts()
    # Whoever stops this stops what it started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    base = pathlib.Path(os.path.realpath(tempfile.mkdtemp(prefix="databuild-storm.")))
    bad = 0
    try:
        expected = undisturbed(base / "undisturbed", program)
        for seed in range(arguments.seed, arguments.seed + arguments.rounds):
            began = time.monotonic()
            folder = base / f"round-{seed}"
            storm = Round(folder, program, seed, arguments.acts, arguments.followers)
            wrong = storm.run(expected)
            kill_all(str(folder))
            if wrong:
                bad += 1
                failed(f"round with --seed {seed}", folder, wrong, storm.told)
            else:
                took, what = storm.slowest
                say(f"ok     round with seed {seed}: {len(storm.wants)} wants, {storm.followers.connections()} connections of followers ({time.monotonic() - began:.1f} s; slowest: {took:.1f} s, {what})")
                if not arguments.keep:
                    shutil.rmtree(folder)
        if arguments.kills:
            bad += kills(base / "kills", program, arguments.seed, arguments.kills, arguments.followers, expected[1])
        if arguments.disk and not can_mount():
            say("left out: full disks. This user may mount nothing: run as root, or allow user namespaces")
        elif arguments.disk:
            bad += full_disks(base / "disk", program, arguments.seed, arguments.disk, expected[1])
    finally:
        kill_all(str(base))
        if not bad and not arguments.keep:
            shutil.rmtree(base, ignore_errors=True)
    say(f"{bad} rounds failed" if bad else "all passed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
