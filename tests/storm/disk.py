"""A disk that is full again and again while a pipeline is built: server and runner live on, say so, and go on."""

from __future__ import annotations

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

import examine
from pipeline import TARGETS, Pipeline
from weather import belongs

MARK = "DATABUILD_STORM_MOUNTS"
SIZE = 64 << 20


def in_own_mounts() -> None:
    """Goes on in a mount namespace of its own, if this user may make one. Mounts go with its last process."""
    if MARK in os.environ:
        return
    for extra in ([], ["--user", "--map-root-user"]):
        enter = ["unshare", "--mount", *extra]
        if shutil.which("unshare") and subprocess.run([*enter, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode == 0:
            os.environ[MARK] = "1"
            os.execvp(enter[0], [*enter, sys.executable, *sys.argv])


def can_mount() -> bool:
    return MARK in os.environ


class DiskStorm:
    """One workspace on a small disk of its own."""

    def __init__(self, folder: pathlib.Path, program: str, seed: int, times: int):
        self.folder = folder
        self.times = times
        self.random = random.Random(seed)
        (folder / "ws").mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "none", str(folder / "ws")], check=True)
        self.pipeline = Pipeline(folder, program)
        self.balloon = self.pipeline.path / "balloon"
        self.wants: list = []
        self.wrong: list = []
        self.told: list = []
        self.refused = 0
        self.began = time.monotonic()

    def tell(self, text: str) -> None:
        self.told.append((time.monotonic() - self.began, text))

    def fill(self) -> None:
        """Takes all space, or nearly all."""
        spare = self.random.choice([0, 0, 0, 4096, 65536])
        with open(self.balloon, "wb", buffering=0) as file:
            piece = 1 << 20
            while piece >= 1:
                try:
                    file.write(b"\0" * piece)
                except OSError:
                    piece //= 2
            if spare:
                file.truncate(max(0, file.tell() - spare))

    def command(self, *args: str):
        said = self.pipeline.run(*args)
        self.tell(f"databuild {' '.join(args)}: {said.code} {said.err.strip()[-200:]}")
        if said.code is None:
            self.wrong.append(f"a command hangs: {said}")
        elif "[disk_full]" in said.err or '"disk_full"' in said.out:
            self.refused += 1
        elif said.code not in (0, 1):
            self.wrong.append(f"a command fails, and does not say that the disk is full: {said}")
        return said

    def want(self, *more: str) -> None:
        targets = self.random.choice([TARGETS, ["total"], ["tree", "batch"]])
        said = self.command("build", "--detach", "--json", "--jobs", "4", *more, *targets)
        if said.code == 0:
            self.wants.append(json.loads(said.out)["id"])

    def once(self, number: int) -> None:
        """The disk is full for a while."""
        self.want(*(["--refresh", "all"] if number else []))
        time.sleep(self.random.uniform(0, 0.6))
        server, runner = self.pipeline.server(), self.pipeline.runner_pid()
        self.fill()
        self.tell(f"fill {number}: full")
        end = time.monotonic() + self.random.uniform(0.2, 1.5)
        while time.monotonic() < end and not self.wrong:
            self.random.choice([self.want, lambda: self.command("status"), lambda: self.command("why", "total"), lambda: self.command("scan", "--deep")])()
        self.balloon.unlink()
        self.tell(f"fill {number}: space again")
        after = self.pipeline.server()
        if server and (after is None or after["pid"] != server["pid"] or not belongs(after["pid"], str(self.folder))):
            self.wrong.append(f"the server did not live on: {server['pid']}, then {after and after['pid']}")
        if runner and (self.pipeline.runner_pid() != runner or not belongs(runner, str(self.folder))):
            self.wrong.append(f"the runner did not live on: {runner}, then {self.pipeline.runner_pid()}")

    def run(self, expected: dict) -> list:
        self.pipeline.give(1)
        self.command("status")
        for number in range(self.times):
            if not self.wrong:
                self.once(number)
        self.wrong += examine.wants_end(self.pipeline, self.wants)
        self.wrong += self.pipeline.build_all()
        if not self.wrong:
            self.wrong += examine.everything(self.pipeline, expected)
        log = self.pipeline.state / "server.log"
        if "panicked" in log.read_text(errors="replace"):
            self.wrong.append("the server panicked")
        if not self.refused:
            self.wrong.append("nobody was told that the disk was full")
        self.wrong += examine.stops(self.pipeline)
        return self.wrong

    def keep(self) -> None:
        """Copies what is on the small disk beside it: the mount is seen by nobody else."""
        shutil.copytree(self.pipeline.path, self.folder / "kept", symlinks=True, dirs_exist_ok=True)

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.pipeline.path)], check=False)
