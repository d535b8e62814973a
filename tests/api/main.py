"""Has generators of clients, and then schemathesis, try the API of a server by what the server says of itself."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

import clients
import tools

HERE = pathlib.Path(__file__).resolve().parent
SCHEMATHESIS = "schemathesis==4.32.5"
# Nobody answers after that.
WITHOUT = ["/api/v1/server/shutdown"]
PATIENCE_S = 60


def started(program: pathlib.Path, workspace: pathlib.Path) -> tuple[subprocess.Popen, dict]:
    """A server with the graph, and what it says of its address and token."""
    (workspace / "MODULE.bazel").touch()
    environment = {**os.environ, "HOME": str(workspace), "XDG_CACHE_HOME": str(workspace / "cache")}
    log = (workspace / "out.log").open("wb")
    server = subprocess.Popen([program, "serve"], cwd=workspace, env=environment, stdout=log, stderr=log)
    info = workspace / ".databuild/server.json"
    until = time.monotonic() + PATIENCE_S
    while not info.exists():
        if server.poll() is not None or time.monotonic() > until:
            sys.exit(f"the server did not start:\n{(workspace / 'out.log').read_text()}")
        # The server tells nobody that it has written the file.
        time.sleep(0.05)
    said = json.loads(info.read_text())
    body = json.dumps({"content": (HERE / "graph.json").read_text()}).encode()
    headers = {"Authorization": f"Bearer {said['token']}", "Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(f"http://{said['address']}/api/v1/graphs", body, headers)).close()
    return server, said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="folder with databuild")
    parser.add_argument("--examples", type=int, default=10, help="random requests for each route")
    args = parser.parse_args()
    program = tools.installed("schemathesis", [SCHEMATHESIS]) / "bin/st"
    with tempfile.TemporaryDirectory() as folder:
        server, said = started(args.programs.resolve() / "databuild", pathlib.Path(folder))
        try:
            wrong = clients.check(said)
            print("\n".join(wrong) or "Clients for Python and TypeScript can be made, and that for Python works.", flush=True)
            command = [program, "--config-file", HERE / "schemathesis.toml", "run"]
            command += [f"http://{said['address']}/api/v1/openapi.json", "--header", f"Authorization: Bearer {said['token']}"]
            command += ["--phases", "examples,coverage,fuzzing,stateful", "--checks", "all", "--max-examples", str(args.examples)]
            command += ["--request-timeout", "40", "--no-color"]
            for path in WITHOUT:
                command += ["--exclude-path", path]
            return subprocess.run(command, cwd=folder).returncode or int(bool(wrong))
        finally:
            # By its own process id: no other server is meant.
            server.terminate()
            server.wait()


if __name__ == "__main__":
    sys.exit(main())
