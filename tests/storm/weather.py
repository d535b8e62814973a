"""What a storm does to processes: who is killed or frozen, and when. All choices follow from a seed; the system's own timing does not."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from typing import Callable, Optional

from pipeline import Pipeline

# How long one waits for a moment that may not come.
LONGEST_WAIT = 1.5


def belongs(pid: int, folder: str) -> bool:
    """Whether a process is about the folder: an id that was taken over by another process is left alone."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            arguments = file.read().decode("utf-8", "replace")
        at = os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return False
    return folder in arguments or at == folder or at.startswith(folder + "/")


def send(pid: Optional[int], number: int, folder: str) -> bool:
    """Sends a signal to a process of the folder, and to no other."""
    if pid is None:
        return False
    try:
        handle = os.pidfd_open(pid)
    except (ProcessLookupError, OSError):
        return False
    try:
        # Whatever the id means now, the handle means it too.
        if not belongs(pid, folder):
            return False
        signal.pidfd_send_signal(handle, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)


class Weather(threading.Thread):
    """Acts against a pipeline's processes until told to stop."""

    def __init__(self, pipeline: Pipeline, seed: int, acts: int, began: float):
        super().__init__(daemon=True)
        self.pipeline = pipeline
        self.folder = str(pipeline.folder)
        self.random = random.Random(seed)
        self.acts = acts
        self.told: list = []
        self.panics: list = []
        self.end = threading.Event()
        self.began = began

    def run(self):
        state = self.pipeline.state
        moments: list = [
            ("an attempt is staged", lambda: names(state / "staging")),
            ("an attempt's record changes", lambda: names(state / "spool", 2)),
            ("a folder of outputs is swapped", lambda: inodes(self.pipeline.path / "out/tree")),
            ("an output is placed", lambda: inodes(self.pipeline.path / "out", 2)),
            ("the log grows", lambda: size(state / "bel.sqlite-wal")),
            ("a server comes", lambda: inode(state / "server.json")),
            ("a runner comes", lambda: inode(state / "spool/runner.json")),
            ("a job begins", lambda: size(self.pipeline.notes / "ledger")),
        ]
        for _ in range(self.acts):
            if self.end.wait(self.random.uniform(0.0, 0.5)):
                break
            when = ""
            if self.random.random() < 0.65:
                when, look = self.random.choice(moments)
                self.await_change(look)
                time.sleep(self.random.choice([0, 0, 0.0005, 0.002, 0.01]))
            what = self.random.choices(
                ["server", "runner", "both", "job", "freeze", "twice"], [35, 15, 10, 15, 20, 5],
            )[0]
            self.look_for_panics()
            at = time.monotonic() - self.began
            self.told.append((at, f"  {when or 'whenever'}: {getattr(self, 'act_' + what)()}"))
        self.look_for_panics()

    def await_change(self, look: Callable[[], object]) -> None:
        before, end = look(), time.monotonic() + LONGEST_WAIT
        while time.monotonic() < end and not self.end.is_set() and look() == before:
            time.sleep(0.0003)

    def server_pid(self) -> Optional[int]:
        server = self.pipeline.server()
        return server and server.get("pid")

    def kill(self, what: str, pid: Optional[int]) -> str:
        return f"killed the {what} {pid}" if send(pid, signal.SIGKILL, self.folder) else f"no {what}"

    def act_server(self) -> str:
        return self.kill("server", self.server_pid())

    def act_runner(self) -> str:
        return self.kill("runner", self.pipeline.runner_pid())

    def act_both(self) -> str:
        first, second = self.random.sample([self.act_server, self.act_runner], 2)
        return f"{first()}, {second()}"

    def act_twice(self) -> str:
        """Two servers in a row, the second as it comes."""
        said = self.act_server()
        self.await_change(lambda: inode(self.pipeline.state / "server.json"))
        time.sleep(self.random.uniform(0, 0.02))
        return f"{said}, {self.act_server()}"

    def job(self) -> Optional[int]:
        """A process of an attempt that seems to be running."""
        live = {}
        for word, attempt, _, pid, _, _ in self.pipeline.ledger():
            if word == "start":
                live[attempt] = pid
            else:
                live.pop(attempt, None)
        live = [pid for pid in live.values() if belongs(pid, self.folder)]
        return self.random.choice(live) if live else None

    def act_job(self) -> str:
        return self.kill("job", self.job())

    def act_freeze(self) -> str:
        what = self.random.choice(["server", "runner", "job"])
        pid = {"server": self.server_pid, "runner": self.pipeline.runner_pid, "job": self.job}[what]()
        if not send(pid, signal.SIGSTOP, self.folder):
            return f"no {what}"
        try:
            also = ""
            self.end.wait(self.random.uniform(0.01, 0.8))
            if self.random.random() < 0.3:
                also = ", killed it frozen" if send(pid, signal.SIGKILL, self.folder) else ""
        finally:
            send(pid, signal.SIGCONT, self.folder)
        return f"froze the {what} {pid}{also}"

    def look_for_panics(self) -> None:
        """Logs are turned over at each start, so they are looked at before each kill."""
        self.panics += [panic for panic in panics_in_logs(self.pipeline) if panic not in self.panics]


def panics_in_logs(pipeline: Pipeline) -> list:
    """The first panic in each log of servers and the runner that is still there."""
    found = []
    for log in [*pipeline.state.glob("server.log*"), pipeline.state / "spool/runner.log"]:
        try:
            text = log.read_text(errors="replace")
        except OSError:
            continue
        at = text.find("panicked")
        if at >= 0:
            found.append(text[at:at + 300])
    return found


def inode(path) -> object:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def size(path) -> object:
    try:
        return os.stat(path).st_size
    except OSError:
        return None


def names(folder, depth: int = 1) -> frozenset:
    """Names in a folder, and in those below."""
    found = set()
    try:
        for entry in os.scandir(folder):
            found.add(entry.name)
            if depth > 1 and entry.is_dir(follow_symlinks=False):
                found.update((entry.name, name) for name in names(entry.path, depth - 1))
    except OSError:
        pass
    return frozenset(found)


def inodes(folder, depth: int = 2) -> frozenset:
    """Inodes of what is in a folder and in those below."""
    found = set()
    try:
        for entry in os.scandir(folder):
            found.add(entry.inode())
            if depth > 1 and entry.is_dir(follow_symlinks=False):
                found.update(inodes(entry.path, depth - 1))
    except OSError:
        pass
    return frozenset(found)
