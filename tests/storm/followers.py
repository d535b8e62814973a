"""Those who follow the event log while it storms: each comes again after what it was told last, and is told nothing twice."""

from __future__ import annotations

import http.client
import json
import threading
import time

from pipeline import Pipeline


class Follower(threading.Thread):
    """Follows until it is told up to which event, and has been told that."""

    def __init__(self, pipeline: Pipeline):
        super().__init__(daemon=True)
        self.pipeline = pipeline
        self.seen: list = []
        self.last = 0
        self.connections = 0
        self.until = None

    def is_done(self) -> bool:
        return self.until is not None and self.last >= self.until

    def run(self):
        while not self.is_done():
            try:
                self.follow()
            except (OSError, http.client.HTTPException):
                # The server was killed, or there is none.
                time.sleep(0.05)

    def follow(self) -> None:
        info = self.pipeline.server()
        if not info:
            time.sleep(0.05)
            return
        # One that froze is left alone after this time.
        connection = http.client.HTTPConnection(info["address"], timeout=2)
        try:
            headers = {"Authorization": f"Bearer {info['token']}", "Last-Event-ID": str(self.last)}
            connection.request("GET", "/api/v1/events/stream", headers=headers)
            response = connection.getresponse()
            if response.status != 200:
                time.sleep(0.05)
                return
            self.connections += 1
            self.read(response)
        finally:
            connection.close()

    def read(self, response) -> None:
        """Takes whole events alone: of one that was cut off nothing is known."""
        event: dict = {}
        while not self.is_done():
            line = response.readline().decode()
            if not line:
                return
            if line != "\n":
                name, _, value = line.rstrip("\n").partition(": ")
                event[name] = value
                continue
            if event.get("event") == "event":
                self.seen.append(json.loads(event["data"])["seq"])
            elif event.get("event") == "lost":
                lost = json.loads(event["data"])
                self.seen += range(lost["from"], lost["to"] + 1)
            if "id" in event:
                self.last = int(event["id"])
            event = {}


class Followers:
    """Many of them, of one pipeline."""

    def __init__(self, pipeline: Pipeline, count: int):
        self.all = [Follower(pipeline) for _ in range(count)]

    def start(self) -> None:
        for follower in self.all:
            follower.start()

    def end(self, last: int, patience: float = 60) -> list:
        """Waits until each was told the event `last`; what is wrong with what they were told over all their connections."""
        end = time.monotonic() + patience
        for follower in self.all:
            follower.until = last
        for follower in self.all:
            follower.join(max(0.0, end - time.monotonic()))
        wrong = []
        for number, follower in enumerate(self.all):
            seen = follower.seen
            if follower.is_alive():
                wrong.append(f"follower {number} was told {follower.last} of {last} events, {patience:.0f} s after the storm")
            elif seen != list(range(1, len(seen) + 1)):
                at = next(at for at, seq in enumerate(seen) if seq != at + 1)
                wrong.append(f"follower {number} was told {seen[at]} after {seen[:at][-3:]}")
        return wrong

    def connections(self) -> int:
        return sum(follower.connections for follower in self.all)
