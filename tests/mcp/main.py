"""Runs the conformance suite against a server of its own. The suite sends no token, so a proxy adds it to each request."""

import argparse
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
SUITE = "@modelcontextprotocol/conformance@0.1.16"
# The suite uses what Node 20 does not have.
NODE = "node@22"


def forward(server):
    """The class of a proxy's handlers."""
    own = server["address"]

    class Forward(http.server.BaseHTTPRequestHandler):
        def forward(self):
            ours = f"127.0.0.1:{self.server.server_address[1]}"
            length = int(self.headers.get("content-length") or 0)
            request = urllib.request.Request(f"http://{own}{self.path}", data=self.rfile.read(length) or None, method=self.command)
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "content-length", "accept-encoding"):
                    # What names the proxy names the server; what names somebody else is the suite's to try.
                    request.add_header(name, value.replace(ours, own))
            request.add_header("Authorization", "Bearer " + server["token"])
            try:
                answer = urllib.request.urlopen(request)
            except urllib.error.HTTPError as error:
                answer = error
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_DELETE = do_GET = do_POST = forward

        def log_message(self, *_):
            pass

    return Forward


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", required=True, type=pathlib.Path, help="folder with the program `databuild`")
    programs = parser.parse_args().programs.resolve()
    with tempfile.TemporaryDirectory(prefix="databuild-mcp-") as folder:
        folder = pathlib.Path(folder)
        workspace, tools = folder / "ws", folder / "tools"
        workspace.mkdir()
        tools.mkdir()
        (workspace / "MODULE.bazel").touch()
        subprocess.run(["npm", "install", "--silent", "--prefix", tools, NODE, SUITE], check=True)
        environment = {**os.environ, "HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
        databuild = [programs / "databuild", "--workspace", workspace]
        subprocess.run([*databuild, "status"], check=True, env=environment, stdout=subprocess.DEVNULL)
        try:
            server = json.loads((workspace / ".databuild/server.json").read_text())
            proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), forward(server))
            threading.Thread(target=proxy.serve_forever, daemon=True).start()
            modules = tools / "node_modules"
            suite = [modules / ".bin/node", modules / "@modelcontextprotocol/conformance/dist/index.js", "server"]
            url = f"http://127.0.0.1:{proxy.server_address[1]}/mcp"
            suite += ["--url", url, "--expected-failures", HERE / "baseline.yaml"]
            return subprocess.run(suite, check=False).returncode
        finally:
            subprocess.run([*databuild, "stop"], check=False, env=environment, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
