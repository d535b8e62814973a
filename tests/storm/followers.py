"""Those who follow the event log while it storms: each comes again after what it was told last, and is told nothing twice.

What a follower keeps is what it was told and, if the stream said that it lost some, what it then asked for.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time

import examine
from pipeline import Pipeline


class Follower(threading.Thread):
    """Follows until it is told up to which event, and has been told that."""

    def __init__(self, pipeline: Pipeline):
        super().__init__(daemon=True)
        self.pipeline = pipeline
        # Number and text of each event, in the order in which they came.
        self.seen: list = []
        self.last = 0
        self.fetched = 0
        self.connections = 0
        self.until = None

    def is_done(self) -> bool:
        return self.until is not None and self.last >= self.until

    def run(self):
        while not self.is_done():
            try:
                self.follow()
            except (OSError, http.client.HTTPException, examine.Refused):
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
                # All followers are told the same texts, so they share one copy.
                self.seen.append((int(event["id"]), sys.intern(event["data"])))
            elif event.get("event") == "lost":
                lost = json.loads(event["data"])
                # If the server is killed meanwhile, this one comes again from where it was.
                found = [examine.ask(self.pipeline, f"/api/v1/events/{seq}") for seq in range(lost["from"], lost["to"] + 1)]
                self.seen += [(row["seq"], sys.intern(json.dumps(row))) for row in found]
                self.fetched += len(found)
            if "id" in event:
                self.last = int(event["id"])
            event = {}


class Followers:
    """Many of them, of one pipeline."""

    def __init__(self, pipeline: Pipeline, count: int):
        self.pipeline = pipeline
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
        wrong = [
            f"follower {number} was told {follower.last} of {last} events, {patience:.0f} s after the storm"
            for number, follower in enumerate(self.all) if follower.is_alive()
        ]
        return wrong or self.compare(last)

    def compare(self, last: int) -> list:
        """What of the events that each was told is not as it is in the log, or not once."""
        log = {row["seq"]: row for row in examine.log(self.pipeline)}
        if list(log) != list(range(1, last + 1)):
            return [f"the log has {len(log)} events, and the last one is {last}"]
        wrong, same = [], set()
        for number, follower in enumerate(self.all):
            told = [seq for seq, _ in follower.seen]
            if told != list(log):
                at = next((at for at, seq in enumerate(told) if seq != at + 1), len(told))
                wrong.append(f"follower {number} was told {told[at:at + 1]} after {told[:at][-3:]}, and {last} events are in the log")
            for seq, text in follower.seen:
                if (seq, text) not in same and json.loads(text) != log.get(seq):
                    wrong.append(f"follower {number} was told {text[:500]}, and in the log it is {json.dumps(log.get(seq))[:500]}")
                same.add((seq, text))
        return wrong

    def connections(self) -> int:
        return sum(follower.connections for follower in self.all)

    def fetched(self) -> int:
        """Events that were told as lost and asked for by their number."""
        return sum(follower.fetched for follower in self.all)
