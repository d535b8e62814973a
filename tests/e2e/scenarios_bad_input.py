"""Mistakes and misfortunes of users: one clear message, the right exit code, nothing half-done."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess

from harness import Workspace, newer_log, read, run, whole_log, write
from scenario import Scenario


def digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Mounts:
    """A mount namespace in which something is mounted over a folder of a workspace."""

    def __init__(self, ws: Workspace, script: str):
        self.ws = ws
        as_user = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
        self.holder = subprocess.Popen(
            ["unshare", *as_user, "--mount", "--propagation", "private", "sh", "-ec", script + "\necho mounted\nread _"],
            cwd=ws.path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if self.holder.stdout.readline() != "mounted\n":
            raise AssertionError(f"cannot mount: {script}")
        inside = [] if os.getuid() == 0 else ["--user", "--preserve-credentials"]
        # Relative paths must be those inside, so the folder is entered there.
        enter = ("sh", "-c", 'cd "$0" && exec "$@"', ws.path)
        self.around = ("nsenter", "--target", str(self.holder.pid), *inside, "--mount", "--", *enter)

    def cli(self, *args: str):
        return self.ws.cli(*args, around=self.around)

    def run(self, *command: str):
        return run([*self.around, *command], self.ws.path)

    def close(self) -> None:
        self.cli("stop", "--jobs")
        self.holder.communicate("\n")


class BadInput(Scenario):
    deployed = True

    def test_explain(self):
        """every error code is explained, by the command and in the API, and a wrong one is refused"""
        self.ws.cli("status").expect(0)
        said = self.ws.cli("explain", "error[unknown_dataset]:").expect(0)
        self.assertSays(said, "unknown_dataset: ", "What to do: ", "Kind: invalid (exit code 2, HTTP status 422)")
        codes = self.ws.cli("explain", "--json").expect(0).json()
        self.assertEqual([entry for entry in codes if entry["code"] == "unknown_dataset"], [self.ws.cli("explain", "unknown_dataset", "--json").json()])
        self.assertEqual(self.ws.api("GET", "/api/v1/errors"), (200, codes))
        self.assertEqual(self.ws.api("GET", "/api/v1/errors/nothing")[1]["error"], "unknown_error_code")
        self.assertSays(self.ws.cli("explain", "unknown_datset").expect(2), "error[unknown_error_code]", "did you mean unknown_dataset")

    def test_references(self):
        """references to what is not there are refused by name, with exit code 2 and nothing recorded"""
        before = self.ws.events()
        wrong = {
            "nothing": ["nothing"],
            "readings/country=eu": ["country", "city"],
            "readings/city=asia": ["asia", "city"],
            "readings/date=2024-02-30": ["2024-02-30"],
            "readings/date=2023-12-31": ["2023-12-31", "2024-02-26"],
            "readings/date=2024-03-01..2024-02-27": ["2024-03-01"],
            "readings/city=eu/city=us": ["city"],
            "readings/city=": ["city"],
            "": [],
        }
        for reference, parts in wrong.items():
            for command in ("build", "plan"):
                with self.subTest(reference=reference, command=command):
                    refused = self.ws.cli(command, reference).expect(2)
                    self.assertIn("error[", refused.err)
                    for part in parts:
                        self.assertIn(part, refused.err)
                    self.assertEqual(refused.out, "")
        self.assertSays(self.ws.cli("why", "readings").expect(2), "readings")
        self.assertSays(self.ws.cli("build", "total", "--as-of", "yesterday").expect(2), "yesterday")
        self.assertSays(self.ws.cli("runs", "r9999").expect(2), "r9999")
        self.assertSays(self.ws.cli("logs", "r9999").expect(2), "r9999")
        self.assertSays(self.ws.cli("cancel", "x9").expect(2), "x9")
        self.ws.cli("build").expect(2)
        self.ws.cli("biuld", "total").expect(2)
        self.assertEqual(self.ws.events(), before)
        refused = self.ws.cli("build", "nothing", "--json").expect(2)
        self.assertEqual(refused.json()["error"], self.ws.api("POST", "/api/v1/wants", {"targets": ["nothing"]})[1]["error"])

    def test_no_workspace(self):
        """outside of any workspace, and in one that does not exist: exit code 3"""
        refused = run(self.ws.command("status"), self.world.folder).expect(3)
        self.assertSays(refused, "MODULE.bazel", "workspace")
        self.assertSays(self.ws.cli("--workspace", "/nowhere/at/all", "status").expect(3), "/nowhere/at/all")

    def test_state_folder(self):
        """a state folder that is a file, or cannot be written: exit code 3, naming it"""
        other = self.world.copy("unwritable")
        write(other.at(".databuild"), "a file\n")
        self.assertSays(other.cli("status").expect(3), other.at(".databuild"))
        self.assertEqual(read(other.at(".databuild")), "a file\n")
        os.unlink(other.at(".databuild"))
        mounts = Mounts(other, f"mount --bind '{other.path}' '{other.path}'; mount -o remount,bind,ro '{other.path}'")
        try:
            self.assertSays(mounts.cli("build", "total").expect(3), ".databuild", "ead-only")
        finally:
            mounts.close()

    def test_logs(self):
        """a damaged event log and one of a newer program are refused and left as they are: exit code 3"""
        other = self.world.copy("log")
        other.cli("build", "sums/city=eu").expect(0)
        other.stop()
        log = other.at(".databuild", "bel.sqlite")
        whole_log(log)
        shutil.copy(log, log + ".good")
        size = os.path.getsize(log)
        damages = {
            "its end is gone": lambda file: file.truncate(size // 2),
            "zeros in the middle": lambda file: (file.seek(4096 * 3), file.write(b"\0" * 4096 * 4)),
            "not a database": lambda file: (file.seek(0), file.write(b"something else altogether")),
            "empty": lambda file: file.truncate(0),
        }
        for what, damage in damages.items():
            with self.subTest(what):
                shutil.copy(log + ".good", log)
                with open(log, "r+b") as file:
                    damage(file)
                before = digest(log)
                self.assertSays(other.cli("build", "total").expect(3), log, "damaged")
                self.assertEqual(digest(log), before)
                self.assertFalse(os.path.exists(other.at(".databuild", "server.json")))
        shutil.copy(log + ".good", log)
        newer_log(log)
        before = digest(log)
        self.assertSays(other.cli("status").expect(3), log, "999", "newer")
        self.assertEqual(digest(log), before)
        shutil.copy(log + ".good", log)
        self.assertSays(other.cli("build", "sums/city=eu").expect(0), "nothing to build")
        other.stop()

    def test_port(self):
        """a port in use is named: exit code 3"""
        other = self.world.copy("port")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            self.assertSays(other.cli("serve", "--foreground", "--port", port).expect(3), port, "choose another port")
        other.stop()

    def test_full_disk(self):
        """a full disk under outputs fails the job; under the log it refuses work: exit code 3; both recover"""
        other = self.world.copy("full")
        os.makedirs(other.at("out"))
        os.makedirs(other.at("control"))
        write(other.at("control", "big"), "")
        mounts = Mounts(other, "mount -t tmpfs -o size=1m tmpfs out\nmkdir -m 700 .databuild\nmount -t tmpfs -o size=24m,mode=700 tmpfs .databuild")
        try:
            failed = mounts.cli("build", "probe/case/case=good").expect(1)
            self.assertSays(failed, "probe/case/case=good", "o space left")
            self.assertNotIn("good.txt", mounts.run("find", "out").out)
            os.unlink(other.at("control", "big"))
            mounts.cli("build", "probe/case/case=good").expect(0)
            seq = mounts.cli("status", "--json").expect(0).json()["seq"]
            mounts.run("dd", "if=/dev/zero", "bs=64k", "of=" + other.at(".databuild", "filler"), "count=1000").expect(1)
            for _ in range(2000):
                refused = mounts.cli("build", "readings", "--detach")
                if refused.code:
                    break
            self.assertSays(refused.expect(3), "disk_full", "space")
            mounts.run("rm", other.at(".databuild", "filler")).expect(0)
            self.assertGreaterEqual(mounts.cli("status", "--json").expect(0).json()["seq"], seq)
            mounts.cli("build", "total").expect(0)
        finally:
            mounts.close()

    def test_lost_snapshot(self):
        """code that is gone from the cache: the run fails and says what to do, which helps"""
        other = self.world.copy("cache")
        env = {"XDG_CACHE_HOME": os.path.join(self.world.folder, "other-cache")}
        os.makedirs(env["XDG_CACHE_HOME"])
        other.cli("build", "total", env=env).expect(0)
        shutil.rmtree(os.path.join(env["XDG_CACHE_HOME"], "databuild", "snap"))
        # As the shim would: no graph beside the program.
        alone = Workspace(other.path, os.path.join(self.world.folder, "alone"), other.enter)
        shutil.copy(other.program, alone.program)
        failed = alone.cli("build", "total", "--refresh", "all", env=env).expect(1)
        self.assertSays(failed, "//:join", "snapshot", "bazel run")
        other.cli("deploy", "--yes", env=env).expect(0)
        other.cli("build", "total", "--refresh", "all", env=env).expect(0)
        run(other.command("stop", "--jobs"), other.path, env).expect(0)

    def test_broken_build(self):
        """a graph file that is damaged and runfiles that are missing: exit code 3, naming file or job"""
        env = {"XDG_CACHE_HOME": os.path.join(self.world.folder, "broken-cache")}
        folder = os.path.join(self.world.folder, "broken")
        shutil.copytree(os.path.dirname(self.world.program()), folder)
        broken = Workspace(self.world.copy("broken-ws").path, os.path.join(folder, "databuild"), self.ws.enter)
        graph = os.path.join(folder, "databuild.graph.json")
        content = read(graph)
        os.chmod(graph, 0o644)
        for damage in (content[:1000], content.replace('"format": 2', '"format": 99', 1), "\0" * 100):
            write(graph, damage)
            self.assertSays(broken.cli("build", "total", env=env).expect(3), graph)
        write(graph, content)
        program = os.path.join(folder, "databuild.runfiles", "_main", "jobs", "sum")
        write(program, read(program) + "# Changed since.\n")
        self.assertSays(broken.cli("build", "total", env=env).expect(3), "//:sum", "jobs/sum", "build")
        os.unlink(program)
        self.assertSays(broken.cli("build", "total", env=env).expect(3), "//:sum", "jobs/sum", "build")
        broken.stop()
