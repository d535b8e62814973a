"""Kills of the server alone, again and again, under many who follow the event log: what each was told is the log."""

from __future__ import annotations

import pathlib
import random
import signal
import threading
import time

import examine
from followers import Followers
from pipeline import TARGETS, Pipeline
from weather import inode, panics_in_logs, send, size

# Exit codes of a build whose server was killed: done, work failed, no server.
FAIR = (0, 1, 4)
# Until a new server has told something to every follower.
PATIENCE = 60.0


class Builder(threading.Thread):
    """Builds one thing anew again and again, so that there are always events; its command also starts servers that are gone."""

    def __init__(self, pipeline: Pipeline, targets: list):
        super().__init__(daemon=True)
        self.pipeline = pipeline
        self.targets = targets
        self.over = threading.Event()
        self.wrong: list = []

    def run(self):
        while not self.over.is_set() and not self.wrong:
            said = self.pipeline.run("build", "--json", "--jobs", "4", "--refresh", "all", *self.targets)
            if said.code not in FAIR:
                self.wrong.append(f"a build fails while the server is killed: {said}")


class Kills:
    """One workspace whose server is killed so often."""

    def __init__(self, folder: pathlib.Path, program: str, seed: int, kills: int, followers: int):
        self.pipeline = Pipeline(folder, program)
        self.random = random.Random(seed)
        self.kills = kills
        self.followers = Followers(self.pipeline, followers)
        self.builders = [Builder(self.pipeline, targets) for targets in (TARGETS, ["sum/part=a"])]
        self.told: list = []
        self.wrong: list = []
        self.events = 0
        # The server that was killed last, and where each follower was then.
        self.killed = None
        self.before = [(0, 0)] * followers
        self.began = time.monotonic()

    def tell(self, text: str) -> None:
        self.told.append((time.monotonic() - self.began, text))

    def run(self, expected: dict) -> list:
        self.pipeline.give(1)
        self.wrong += self.pipeline.build_all()
        self.followers.start()
        for builder in self.builders:
            builder.start()
        for number in range(self.kills):
            if not self.wrong:
                self.kill(number)
        for builder in self.builders:
            builder.over.set()
        for builder in self.builders:
            builder.join()
            self.wrong += builder.wrong
        self.wrong += self.pipeline.build_all()
        if not self.wrong:
            self.wrong += examine.everything(self.pipeline, expected)
        # Nothing more happens from here on.
        self.events = 0 if self.wrong else examine.ask(self.pipeline, "/api/v1/events?limit=1")["seq"]
        self.wrong += self.followers.end(self.events)
        self.wrong += panics_in_logs(self.pipeline) + examine.stops(self.pipeline)
        return self.wrong

    def kill(self, number: int) -> None:
        """Kills the server that is there, at a moment of which some are mean."""
        came = self.random.random() < 0.2
        if not came and not self.all_were_told():
            self.wrong.append(f"kill {number}: {PATIENCE:.0f} s after a server was killed, not every follower was told of new events")
            return
        server = self.next_server()
        if server is None:
            self.wrong.append(f"kill {number}: {PATIENCE:.0f} s after a server was killed, there is none")
            return
        moment = "as it comes" if came else self.random.choice(["whenever", "as the log grows"])
        if moment == "as the log grows":
            # Between what is in the log and what is told of it.
            before, end = self.log_size(), time.monotonic() + 1
            while self.log_size() == before and time.monotonic() < end:
                time.sleep(0.0003)
        time.sleep(self.random.choice([0, 0.001, 0.01, self.random.uniform(0, 0.3)]))
        # Logs are turned over at each start.
        self.wrong += panics_in_logs(self.pipeline)
        done = send(server["pid"], signal.SIGKILL, str(self.pipeline.folder))
        self.tell(f"kill {number}, {moment}: server {server['pid']}{'' if done else ' was gone'}")
        self.killed, self.before = server["pid"], self.places()

    def places(self) -> list:
        """How often each follower connected, and its last event."""
        return [(follower.connections, follower.last) for follower in self.followers.all]

    def log_size(self) -> object:
        return inode(self.pipeline.state / "bel.sqlite-wal"), size(self.pipeline.state / "bel.sqlite-wal")

    def next_server(self):
        """A server other than the one that was killed last."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            server = self.pipeline.server()
            if server and server["pid"] != self.killed:
                return server
            time.sleep(0.001)
        return None

    def all_were_told(self) -> bool:
        """Whether each follower, since the last kill, comes to another server and is told an event that it did not know."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if all(now[0] > then[0] and now[1] > then[1] for then, now in zip(self.before, self.places())):
                return True
            time.sleep(0.005)
        return False
