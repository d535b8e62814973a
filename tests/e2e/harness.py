"""What scenarios stand on: the Bazel workspace, copies of it, the command line, processes."""

from __future__ import annotations

import fcntl
import glob
import hashlib
import http.client
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from typing import Callable, Iterator, NamedTuple, Optional

HERE = os.path.dirname(os.path.realpath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
TEMPLATE = os.path.join(HERE, "workspace")
BAZELW = os.path.join(REPOSITORY, "bazelw")
# Modules that the scripts of the repository share.
LIBRARY = os.path.join(REPOSITORY, "tools", "lib")

# Generous: the machine may be busy. Nothing waits so long unless it fails.
PATIENCE = 60.0
BAZEL_PATIENCE = 1800.0


class Result(NamedTuple):
    """What a command came to."""

    command: str
    code: int
    out: str
    err: str

    def expect(self, code: int) -> "Result":
        """Fails, telling all, unless the command ended with `code`."""
        if self.code != code:
            raise AssertionError(f"exit code {self.code}, not {code}, of: {self}")
        return self

    def json(self):
        return json.loads(self.out)

    def json_lines(self) -> list:
        return [json.loads(line) for line in self.out.splitlines()]

    def __str__(self) -> str:
        return f"{self.command}\n--- stdout\n{self.out}--- stderr\n{self.err}---"


def environment(extra: Optional[dict] = None) -> dict:
    """What commands see: enough to run, and nothing that this machine happens to have."""
    names = ("HOME", "USER", "LOGNAME", "PATH", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "TMPDIR", "DATABUILD_BAZEL")
    # For Bazel's downloads.
    names += ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "CARGO_HOME")
    env = {name: os.environ[name] for name in names if name in os.environ}
    env.update({"LANG": "C.UTF-8", "TERM": "dumb", "CI": "1"})
    env.update(extra or {})
    return env


def run(command: list, cwd: str, env: Optional[dict] = None, patience: float = PATIENCE, fds: tuple = ()) -> Result:
    """Runs a command to its end. One that takes too long is a failure, and is killed with its group."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        pass_fds=fds,
    )
    shown = " ".join(command)
    try:
        out, err = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"no end after {patience} s: {shown}\n{text(out)}\n{text(err)}") from None
    return Result(shown, process.returncode, text(out), text(err))


def text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def wait_until(what: str, condition: Callable[[], object], patience: float = PATIENCE):
    """Looks until `condition` holds and returns what it said."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience} s: {what}")
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes_about(folder: str) -> Iterator[tuple]:
    """Processes whose arguments or current folder are about a folder, Bazel's own aside: pid and arguments."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                arguments = text(file.read().replace(b"\0", b" ")).strip()
            at = os.readlink(f"/proc/{entry}/cwd")
        except OSError:
            continue
        if arguments.startswith("bazel("):
            continue
        if arguments and (folder in arguments or at == folder or at.startswith(folder + "/")) and alive(int(entry)):
            yield int(entry), arguments


def read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path: str, content: str) -> None:
    """Replaces a file, as editors do: the old one stays what it was for whoever has it open."""
    mode = os.stat(path).st_mode if os.path.exists(path) else 0o100644
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(content)
    os.chmod(path + ".new", mode)
    os.rename(path + ".new", path)


def edit(path: str, old: str, new: str) -> None:
    content = read(path)
    if old not in content:
        raise AssertionError(f"{path} does not have {old!r}")
    write(path, content.replace(old, new))


class Workspace:
    """A workspace folder and the `databuild` command in it."""

    def __init__(self, path: str, program: str, enter: list):
        self.path = path
        self.program = program
        self.enter = enter

    def at(self, *names: str) -> str:
        return os.path.join(self.path, *names)

    def command(self, *args: str) -> list:
        return [*self.enter, self.program, *args]

    def cli(self, *args: str, env: Optional[dict] = None, fds: tuple = (), around: tuple = ()) -> Result:
        """Runs `databuild ARGS`; `around` are words of a command that runs it."""
        return run([*around, *self.command(*args)], self.path, env, fds=fds)

    def cli_bytes(self, *args: str) -> bytes:
        """What `databuild ARGS` prints, byte for byte; it must succeed."""
        return subprocess.run(
            self.command(*args), cwd=self.path, env=environment(None), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True
        ).stdout

    def start(self, *args: str, env: Optional[dict] = None) -> subprocess.Popen:
        """Starts `databuild ARGS` in a process group of its own, as a shell does."""
        return subprocess.Popen(
            self.command(*args),
            cwd=self.path,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )

    def server(self) -> dict:
        """What the server says of itself in its file."""
        return json.loads(read(self.at(".databuild", "server.json")))

    def server_pid(self) -> int:
        return self.server()["pid"]

    def runner_pid(self) -> int:
        return json.loads(read(self.at(".databuild", "spool", "runner.json")))["pid"]

    def events(self) -> int:
        return self.cli("status", "--json").expect(0).json()["seq"]

    def runs(self, *args: str) -> list:
        return self.cli("runs", "--json", "--limit", "1000", *args).expect(0).json()["data"]

    def run_of(self, partition: str) -> dict:
        """The last run of a partition, with its attempts."""
        row = next(row for row in self.runs() if row["partition"] == partition)
        return self.cli("runs", "--json", row["id"]).expect(0).json()

    def states(self, reference: str) -> dict:
        """How many partitions of a reference are in which state."""
        counts: dict = {}
        for row in self.cli("partitions", "--json", "--limit", "0", reference).expect(0).json()["data"]:
            counts[row["state"]] = counts.get(row["state"], 0) + 1
        return counts

    def want(self, name: str) -> dict:
        return self.cli("want", "get", name, "--json").expect(0).json()

    def detach(self, *args: str) -> str:
        """Wants something without waiting; returns the want's name."""
        return self.cli("build", "--detach", "--json", *args).expect(0).json()["id"]

    def wait_want(self, name: str, state: str) -> dict:
        found = wait_until(f"{name} ends", lambda: (lambda want: want["state"] != "open" and want)(self.want(name)))
        if found["state"] != state:
            raise AssertionError(f"{name} is {found['state']}, not {state}: {found}")
        return found

    def pids(self, case: str) -> list:
        """Process and child of each attempt of `ticks` for a case, first to last."""
        path = self.at("control", f"pids-{case}")
        if not os.path.exists(path):
            return []
        return [tuple(map(int, line.split())) for line in read(path).splitlines() if len(line.split()) == 2]

    def ticking(self, case: str, attempts: int = 1) -> tuple:
        """Waits until the job's n-th attempt runs; returns its process and child."""
        return wait_until(f"attempt {attempts} of {case} runs", lambda: self.pids(case)[attempts - 1 : attempts])[0]

    def release(self, case: str) -> None:
        write(self.at("control", f"release-{case}"), "")

    def log_size(self, run_id: str, attempt: int = 1) -> int:
        return os.path.getsize(self.at(".databuild", "spool", f"{run_id}-{attempt}", "stdout"))

    def request(self, method: str, path: str, body=None, token: Optional[str] = "", headers: Optional[dict] = None):
        """An HTTP request as it is; the server's own token unless another, or none, is given."""
        info = self.server()
        connection = http.client.HTTPConnection(info["address"], timeout=PATIENCE)
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token or info['token']}"
        data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        connection.request(method, path, data, sent)
        return connection.getresponse()

    def api(self, method: str, path: str, body=None, **kwargs) -> tuple:
        """An HTTP request; returns the status and the JSON of the answer."""
        response = self.request(method, path, body, **kwargs)
        data = response.read()
        return response.status, json.loads(data) if data else None

    def stop(self) -> None:
        """Stops the server and its jobs; fails if that leaves anything running."""
        if not os.path.exists(self.path):
            return
        stopped = run(self.command("stop", "--jobs"), self.path)
        try:
            wait_until(f"all of {self.path} is gone", lambda: not list(processes_about(self.path)), 10)
        except AssertionError as error:
            left = list(processes_about(self.path))
            kill_all(self.path)
            raise AssertionError(f"{error}: {left}\n{stopped}") from None


def kill_all(folder: str) -> None:
    """Ends what a failed scenario left, by its process id."""
    for pid, _ in processes_about(folder):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class World:
    """All that scenarios share. The Bazel workspace has one place, so that its output base stays warm."""

    def __init__(self, programs: Optional[str], keep: bool):
        self.programs = programs
        self.keep = keep
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        mark = hashlib.sha256(REPOSITORY.encode()).hexdigest()[:8]
        self.base = os.path.join(cache, "databuild", "e2e", mark)
        os.makedirs(self.base, exist_ok=True)
        # Closed by the system, whatever becomes of the tests.
        self.lock = open(os.path.join(self.base, "lock"), "w", encoding="utf-8")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        # One short place: socket paths are limited, and what is left is told by it.
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="databuild-e2e."))
        self.enter = self._enter()
        self.bazel_workspace = self._prepare("ws", programs)
        self._program: Optional[str] = None

    def _enter(self) -> list:
        """The words that run a program where Bazel's own run; none where that is the machine itself."""
        found = run([BAZELW, "--yes", "--with-tools", "sh", "-c", 'printf %s "${DATABUILD_ENTER:-}"'], HERE, patience=BAZEL_PATIENCE)
        enter = found.expect(0).out
        return [enter] if enter else []

    def _prepare(self, name: str, programs: Optional[str]) -> Workspace:
        """A copy of the template at its lasting place. The folder itself stays: Bazel's server knows it by its inode."""
        path = os.path.join(self.base, name)
        workspace = Workspace(path, os.path.join(path, "bazel-bin", "databuild_", "databuild"), self.enter)
        if os.path.exists(path):
            kill_all(path)
            for entry in os.scandir(path):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)
        fill(path, programs)
        return workspace

    def bazel(self, *args: str, workspace: Optional[Workspace] = None, env: Optional[dict] = None) -> Result:
        """`./bazelw ARGS` in the Bazel workspace."""
        at = (workspace or self.bazel_workspace).path
        return run([BAZELW, "--yes", "--max_idle_secs=300", *args], at, env, BAZEL_PATIENCE)

    def bazel_run(self, *args: str, **kwargs) -> Result:
        """`./bazelw run //:databuild -- ARGS`."""
        return self.bazel("run", "--ui_event_filters=-info", "--noshow_progress", "//:databuild", "--", *args, **kwargs)

    def program(self) -> str:
        """The graph target as Bazel built it, kept with its graph and runfiles where no build touches them."""
        if self._program is None:
            self.bazel("build", "//:databuild").expect(0)
            self.keep_program()
        return self._program

    def keep_program(self) -> None:
        built = self.bazel_workspace.at("bazel-bin", "databuild_")
        kept = os.path.join(self.folder, "built")
        os.makedirs(kept)
        for name in ("databuild", "databuild.graph.json"):
            shutil.copy(os.path.join(built, name), os.path.join(kept, name))
        shutil.copytree(os.path.join(built, "databuild.runfiles"), os.path.join(kept, "databuild.runfiles"))
        self._program = os.path.join(kept, "databuild")

    def prebuilt_programs(self) -> str:
        """A folder with both programs as Bazel built them."""
        folder = os.path.join(self.base, "programs")
        os.makedirs(folder, exist_ok=True)
        graphtool = self.programs and os.path.join(self.programs, "databuild-graphtool")
        if not graphtool:
            found = glob.glob(self.bazel_workspace.at("bazel-out", "*-exec*", "bin", "external", "databuild*", "databuild", "graphtool", "graphtool"))
            graphtool = max(found, key=os.path.getmtime)
        for source, name in ((self.program(), "databuild"), (graphtool, "databuild-graphtool")):
            target = os.path.join(folder, name)
            if os.path.exists(target):
                os.unlink(target)
            shutil.copy(source, target)
        return folder

    def prebuilt_workspace(self) -> Workspace:
        """A second Bazel workspace, which does not build the programs: its output base is cheap to lose."""
        return self._prepare("prebuilt", self.prebuilt_programs())

    def copy(self, name: str) -> Workspace:
        """A fresh copy of the template."""
        path = os.path.join(self.folder, name)
        fill(path, None)
        return Workspace(path, self.program(), self.enter)

    def another_program(self) -> str:
        """The same graph target with another binary: bytes at its end change its digest and nothing else."""
        folder = os.path.join(self.folder, "another")
        if not os.path.exists(folder):
            shutil.copytree(os.path.dirname(self.program()), folder)
            os.chmod(os.path.join(folder, "databuild"), 0o755)
            with open(os.path.join(folder, "databuild"), "ab") as file:
                file.write(b"another")
        return os.path.join(folder, "databuild")

    def close(self) -> None:
        for place in (self.bazel_workspace.path, os.path.join(self.base, "prebuilt"), self.folder):
            kill_all(place)
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def fill(path: str, programs: Optional[str]) -> None:
    """Copies the template to `path` and tells the copy where the repository is."""
    shutil.copytree(TEMPLATE, path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("bazel-*", ".databuild", "out", "control"))
    module = os.path.join(path, "MODULE.bazel")
    place(module, "../../..")
    if programs:
        use_prebuilt(path, programs)
    if any(os.path.realpath(place).startswith("/tmp/") for place in (REPOSITORY, programs) if place):
        # Bazel's sandbox has a /tmp of its own, in which neither is found by its path.
        options = os.path.join(path, ".bazelrc")
        write(options, read(options) + "build --sandbox_add_mount_pair=/tmp\n")


def place(module: str, there: str) -> None:
    """Tells a MODULE.bazel where the repository is, in the place of a relative path to it."""
    edit(module, f'"{there}"', json.dumps(REPOSITORY))
    edit(module, f'"{there}/source"', json.dumps(os.path.join(REPOSITORY, "source")))


def use_prebuilt(path: str, programs: str) -> None:
    """Makes a workspace take DataBuild's programs from a folder."""
    module = os.path.join(path, "MODULE.bazel")
    platform = "linux_" + os.uname().machine
    write(
        module,
        read(module)
        + '\ndatabuild = use_extension("@databuild//rules:extensions.bzl", "databuild")\n'
        + f"databuild.prebuilt(path = {json.dumps(programs)}, platform = {json.dumps(platform)})\n",
    )


def whole_log(path: str) -> None:
    """Moves what is in an event log's write-ahead log into its main file."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()


def newer_log(path: str) -> None:
    """Makes an event log claim a format of the future."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
