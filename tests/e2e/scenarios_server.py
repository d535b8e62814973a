"""One server for a workspace: how it comes, what it knows, when it goes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

from harness import Workspace, alive, processes_about, read, wait_until, write
from scenario import Scenario


def servers(folder: str) -> list:
    """Server processes of a workspace."""
    return [pid for pid, arguments in processes_about(folder) if " serve --workspace " + folder in arguments]


class Server(Scenario):
    def at_once(self, count: int) -> set:
        """`status` many times at once; the servers that answered."""
        with ThreadPoolExecutor(count) as pool:
            results = list(pool.map(lambda _: self.ws.cli("status", "--json"), range(count)))
        return {result.expect(0).json()["pid"] for result in results}

    def test_many_first_starts(self):
        """30 first starts at once end with one server, and so do 10 after kill -9"""
        self.assertFalse(os.path.exists(self.ws.at(".databuild")))
        (pid,) = self.at_once(30)
        self.assertEqual(servers(self.ws.path), [pid])
        os.kill(pid, signal.SIGKILL)
        (other,) = self.at_once(10)
        self.assertNotEqual(other, pid)
        self.assertEqual(servers(self.ws.path), [other])

    def test_other_cache(self):
        """a command with another cache folder than its server stores code where the server looks for it"""
        self.ws.cli("stop", "--jobs").expect(0)
        caches = [os.path.join(self.world.folder, name) for name in ("cache-1", "cache-2")]
        server = {"XDG_CACHE_HOME": caches[0]}
        self.ws.cli("build", "readings/city=eu", env=server).expect(0)
        root = self.ws.cli("status", "--json", env=server).expect(0).json()["code_store"]
        self.assertEqual(root, os.path.join(caches[0], "databuild"))
        # All code is gone, so that the next command has to store it once more.
        shutil.rmtree(os.path.join(root, "snap"))
        other = {"XDG_CACHE_HOME": caches[1]}
        self.ws.cli("build", "readings/city=us", "--refresh", "all", env=other).expect(0)
        self.assertEqual(self.ws.cli("status", "--json", env=other).expect(0).json()["code_store"], root)
        self.ws.cli("stop", "--jobs", env=other).expect(0)

    def test_nothing_inherited(self):
        """server, runner and jobs get no secret, no stray descriptor and no terminal of whoever starts them"""
        self.ws.cli("stop", "--jobs").expect(0)
        with open(self.ws.at("stray"), "w", encoding="utf-8") as stray:
            os.set_inheritable(stray.fileno(), True)
            env = {"E2E_SECRET": "do-not-tell", "E2E_INHERITED": "wanted", "DATABUILD_REQUEST": "of another run"}
            self.ws.cli("build", "probe/seen", env=env, fds=(stray.fileno(),)).expect(0)
        for pid in (self.ws.server_pid(), self.ws.runner_pid()):
            self.assertNotIn("E2E_SECRET", read(f"/proc/{pid}/environ"))
            held = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")]
            self.assertFalse([link for link in held if "stray" in link or "/dev/pts" in link], held)
            self.assertEqual(os.getsid(pid), os.getpgid(pid))
            self.assertNotIn("stray", os.readlink(f"/proc/{pid}/cwd"))
        seen = read(self.ws.at("out", "seen.txt"))
        self.assertIn("E2E_DECLARED=declared\n", seen)
        self.assertIn("E2E_INHERITED=wanted\n", seen)
        self.assertNotIn("E2E_SECRET", seen)
        self.assertNotIn("of another run", seen)
        self.assertNotIn("stray", seen)
        self.assertIn("fd 0 /dev/null\n", seen)
        for path in ("server.log", "bel.sqlite", "bel.sqlite-wal"):
            with open(self.ws.at(".databuild", path), "rb") as file:
                content = file.read()
            self.assertNotIn(b"do-not-tell", content, path)
            self.assertNotIn(self.ws.server()["token"].encode(), content, path)

    def test_inherited_value(self):
        """another value of an inherited variable, or none, makes its job's outputs stale; the same one does not"""
        self.ws.cli("build", "probe/seen", env={"E2E_INHERITED": "one"}).expect(0)
        again = self.ws.cli("build", "probe/seen", env={"E2E_INHERITED": "one"}).expect(0)
        self.assertSays(again, "nothing to build")
        changed = self.ws.cli("build", "probe/seen", env={"E2E_INHERITED": "two"}).expect(0)
        self.assertSays(changed, "1 partition built")
        self.assertIn("E2E_INHERITED=two\n", read(self.ws.at("out", "seen.txt")))
        unset = self.ws.cli("build", "probe/seen").expect(0)
        self.assertSays(unset, "1 partition built")
        self.assertNotIn("E2E_INHERITED", read(self.ws.at("out", "seen.txt")))

    def test_stale_file(self):
        """a server file that names a living process of somebody else starts a server and harms nobody"""
        self.ws.cli("status").expect(0)
        info = self.ws.server()
        os.kill(info["pid"], signal.SIGKILL)
        wait_until("it is gone", lambda: not alive(info["pid"]))
        innocent = subprocess.Popen(["sleep", "300"])
        try:
            info["pid"] = innocent.pid
            write(self.ws.at(".databuild", "server.json"), json.dumps(info))
            self.ws.cli("status").expect(0)
            self.assertNotEqual(self.ws.server_pid(), innocent.pid)
            self.assertIsNone(innocent.poll())
        finally:
            innocent.kill()
            innocent.wait()

    def test_copied(self):
        """a copy of the workspace gets a server of its own, and the first one stays"""
        self.ws.cli("build", "readings/city=us").expect(0)
        path = os.path.join(self.world.folder, "server-copy")
        shutil.copytree(self.ws.path, path, symlinks=True, ignore=lambda folder, names: [n for n in names if n.endswith(".sock")])
        copy = Workspace(path, self.ws.program, self.ws.enter)
        try:
            copy.cli("build", "sums/city=us").expect(0)
            self.assertNotEqual(copy.server_pid(), self.ws.server_pid())
            self.assertTrue(alive(self.ws.server_pid()))
            self.assertEqual(copy.cli("status", "--json").expect(0).json()["workspace"], path)
            self.assertEqual(self.ws.cli("status", "--json").expect(0).json()["workspace"], self.ws.path)
        finally:
            copy.stop()

    def test_moved(self):
        """a moved workspace gets a new server, which knows all that was built; the old one goes"""
        place = self.ws.path
        self.ws.cli("build", "readings/city=eu").expect(0)
        old = self.ws.server_pid()
        moved = Workspace(place + "-moved", self.ws.program, self.ws.enter)
        os.rename(place, moved.path)
        try:
            again = moved.cli("build", "readings/city=eu").expect(0)
            self.assertSays(again, "nothing to build")
            wait_until("the old server is gone", lambda: not alive(old))
            moved.stop()
        finally:
            os.rename(moved.path, place)

    def test_state_folder_deleted(self):
        """without its state folder the server goes within seconds, its runner and jobs too"""
        self.ws.detach("probe/ticks/case=a")
        job = self.ws.ticking("a")
        pids = (self.ws.server_pid(), self.ws.runner_pid(), *job)
        os.rename(self.ws.at(".databuild"), self.ws.at("state-away"))
        shutil.rmtree(self.ws.at("state-away"))
        for pid in pids:
            wait_until(f"{pid} is gone", lambda pid=pid: not alive(pid), 15)
        self.ws.cli("status").expect(0)

    def test_idle(self):
        """an idle server goes by itself, and its runner too, though not while a job runs"""
        self.ws.stop()
        server = self.ws.start("serve", "--foreground", "--idle-timeout", "1")
        try:
            wait_until("it listens", lambda: os.path.exists(self.ws.at(".databuild", "server.json")))
            self.ws.detach("probe/ticks/case=b")
            self.ws.ticking("b")
            run = self.ws.run_of("probe/ticks/case=b")["id"]
            # Four seconds at least, in which nobody asks anything.
            wait_until("the job has run for a while", lambda: self.ws.log_size(run) > 600)
            self.assertIsNone(server.poll())
            runner = self.ws.runner_pid()
            self.ws.release("b")
            self.assertEqual(server.wait(60), 0)
            wait_until("the runner has gone", lambda: not alive(runner))
        finally:
            server.kill()
            server.communicate()
        self.assertFalse(os.path.exists(self.ws.at(".databuild", "server.json")))
        self.assertEqual(read(self.ws.at("out", "ticks", "b.txt")), "released\n")

    def test_foreground(self):
        """serve --foreground listens on the port asked for, is found there, and ends on SIGTERM with 0"""
        self.ws.stop()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = self.ws.start("serve", "--foreground", "--port", str(port))
        try:
            wait_until("it listens", lambda: os.path.exists(self.ws.at(".databuild", "server.json")) or server.poll() is not None)
            self.assertEqual(self.ws.server()["address"], f"127.0.0.1:{port}")
            self.assertEqual(self.ws.cli("status", "--json").expect(0).json()["pid"], server.pid)
            server.send_signal(signal.SIGTERM)
            self.assertEqual(server.wait(60), 0)
        finally:
            server.kill()
            server.communicate()
