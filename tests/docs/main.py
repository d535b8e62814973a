"""Follows the documents for newcomers, each from its first step to its last, in folders outside of the clone."""

from __future__ import annotations

import argparse
import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import time
from typing import NamedTuple, Optional

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

from document import Command, Step, Unclear, not_shown, steps, write_file  # noqa: E402
from harness import BAZEL_PATIENCE, BAZELW, LIBRARY, REPOSITORY, Result, Workspace, kill_all, run, use_prebuilt  # noqa: E402

sys.path.insert(0, LIBRARY)
from filters import chosen, refuse_unknown  # noqa: E402

# The name of the clone in all documents, and ours for the workspace of the README, which has none there.
CLONE, OWN = "databuild", "orders"

# The section of the README in which the workspace is made where how-tos begin.
ORIGIN = "Use it in your own workspace"


class Document(NamedTuple):
    """A text for newcomers, and the folder in which its reader begins."""

    path: str
    section: Optional[str]
    begins: str

    def title(self) -> str:
        name = os.path.relpath(self.path, REPOSITORY)
        return f"{name}, {self.section}" if self.section else name


def documents() -> list:
    """All documents, in the order in which they are followed. A how-to begins in the workspace of the README."""
    readme = os.path.join(REPOSITORY, "README.md")
    return [
        Document(readme, "Quick start", CLONE),
        Document(readme, ORIGIN, OWN),
        *(Document(path, None, OWN) for path in sorted(glob.glob(os.path.join(REPOSITORY, "docs", "howto", "*.md")))),
    ]


class Wrong(Exception):
    """A document that does not go as it says: the place, and what happened instead."""


class Desk:
    """The folder in which documents are followed: a copy of the clone, and workspaces beside it. Its place lasts, so that
    Bazel's output bases stay warm."""

    def __init__(self, programs: Optional[str]):
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        self.folder = os.path.join(cache, "databuild", "docs", hashlib.sha256(REPOSITORY.encode()).hexdigest()[:8])
        os.makedirs(self.folder, exist_ok=True)
        # Closed by the system, whatever becomes of the tests.
        self.lock = open(os.path.join(self.folder, "lock"), "w", encoding="utf-8")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.enter = run([BAZELW, "--yes", "--with-tools", "sh", "-c", 'printf %s "${DATABUILD_ENTER:-}"'], HERE, patience=BAZEL_PATIENCE).expect(0).out
        self.clear()
        self.programs = programs and self.copied(programs)
        self.clone()

    def at(self, *names: str) -> str:
        return os.path.join(self.folder, *names)

    def clear(self) -> None:
        """Removes all but the lock."""
        kill_all(self.folder)
        for entry in os.scandir(self.folder):
            if entry.is_dir():
                shutil.rmtree(entry.path)
            elif entry.name != "lock":
                os.unlink(entry.path)

    def copied(self, programs: str) -> str:
        """A folder of ours with both programs, as they are named for `databuild.prebuilt`; `programs` may be one of Bazel's."""
        folder = self.at("programs")
        os.makedirs(folder, exist_ok=True)
        shutil.copy(os.path.join(programs, "databuild"), folder)
        named = os.path.join(programs, "databuild-graphtool")
        built = os.path.join(programs, "graphtool", "graphtool")
        shutil.copy(named if os.path.exists(named) else built, os.path.join(folder, "databuild-graphtool"))
        return folder

    def clone(self) -> None:
        """Copies the files of the repository that Git tracks or would."""
        listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(listing, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE).stdout.decode().split("\0")
        for name in filter(None, names):
            source, target = os.path.join(REPOSITORY, name), self.at(CLONE, name)
            if os.path.lexists(source):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
        for module in glob.glob(self.at(CLONE, "examples", "*", "MODULE.bazel")):
            self.with_programs(module)

    def with_programs(self, module: str) -> None:
        if self.programs:
            use_prebuilt(os.path.dirname(module), self.programs)

    def follow(self, document: Document) -> int:
        """Does all that a document says; returns the number of steps."""
        here = self.at(document.begins)
        os.makedirs(here, exist_ok=True)
        try:
            todo = steps(document.path, document.section)
            for step in todo:
                here = self.take(step, here)
        except Unclear as error:
            raise Wrong(f"{document.path}: {error}") from None
        except AssertionError as error:
            raise Wrong(f"{document.path}:{step.line}: {error}") from None
        finally:
            self.leave(here)
        return len(todo)

    def take(self, step: Step, here: str) -> str:
        """Does one step in a folder; returns the folder in which the next is to be done."""
        if isinstance(step, Command):
            return self.command(step, here)
        path = write_file(here, step)
        if step.name == "MODULE.bazel" and not step.append:
            self.with_programs(path)
        return here

    def command(self, step: Command, here: str) -> str:
        """Runs commands in a folder; returns the folder in which they ended."""
        ended = self.at("folder")
        script = f"{step.text}\npwd >{ended}\n"
        result = run(["bash", "-eu", "-o", "pipefail", "-c", script], here, self.environment(), BAZEL_PATIENCE)
        result = Result(f"{step.text.rstrip()}\n(in {here})", *result[1:]).expect(0)
        # In a document, as on a terminal, both streams are one. Talk comes before data, as it does with `databuild`.
        missing = not_shown(step.shown, result.err + result.out)
        if missing is not None:
            raise AssertionError(f"`{missing.strip()}` is not what one sees, of: {result}")
        with open(ended, encoding="utf-8") as file:
            return file.read().rstrip("\n")

    def environment(self) -> dict:
        """What a reader has beside what every command has: settings of pip, and a name for Git."""
        mine = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        for who in ("AUTHOR", "COMMITTER"):
            mine.update({f"GIT_{who}_NAME": "Reader", f"GIT_{who}_EMAIL": "reader@example.com"})
        return mine

    def leave(self, workspace: str) -> None:
        """Ends the servers of a workspace, DataBuild's and Bazel's."""
        program = os.path.join(workspace, "bazel-bin", "databuild_", "databuild")
        if os.path.exists(os.path.join(workspace, ".databuild")) and os.path.exists(program):
            Workspace(workspace, program, [self.enter] if self.enter else []).stop()
        if os.path.exists(os.path.join(workspace, "MODULE.bazel")):
            run([BAZELW, "--yes", "shutdown"], workspace, patience=BAZEL_PATIENCE)


def built_programs() -> str:
    """The folder of the programs of this clone, built if they are not."""
    words = [BAZELW, "--yes", "build", "--ui_event_filters=-info", "--noshow_progress", "//databuild:databuild", "//databuild/graphtool:graphtool"]
    subprocess.run(words, cwd=REPOSITORY, check=True)
    return os.path.join(REPOSITORY, "bazel-bin", "databuild")


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/docs/run")
    programs = parser.add_mutually_exclusive_group()
    programs.add_argument("--programs", help="folder with the programs, instead of those that Bazel has built in this clone")
    programs.add_argument("--from-source", action="store_true", help="build the programs in each workspace")
    parser.add_argument("--keep", action="store_true", help="leave the folders")
    parser.add_argument("filters", nargs="*", metavar="FILTER")
    arguments = parser.parse_args()
    refuse_unknown(arguments.filters, [document.title() for document in documents()])
    programs = None if arguments.from_source else os.path.realpath(arguments.programs or built_programs())
    desk = Desk(programs)
    failed = 0
    for document in documents():
        if not chosen(document.title(), arguments.filters) and document.section != ORIGIN:
            continue
        began = time.monotonic()
        try:
            told = f"ok     {document.title()} ({desk.follow(document)} steps, {time.monotonic() - began:.0f} s)"
        except Wrong as error:
            failed += 1
            told = f"FAILED {document.title()}\n{error}"
        print(told, flush=True)
        if failed and document.section == ORIGIN:
            print("the how-tos begin there, so they are left out", flush=True)
            break
    if not arguments.keep:
        desk.clear()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
