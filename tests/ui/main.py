"""Runs what stands in the .mjs files against a server of its own, on a workspace made without Bazel."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import workspace

HERE = pathlib.Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(prog="tests/ui/run", description=__doc__)
    parser.add_argument("--programs", required=True, type=pathlib.Path, help="folder with the program `databuild`")
    parser.add_argument("--long", action="store_true", help="also on a screen as narrow as a phone's")
    parser.add_argument("--screenshots", action="store_true", help="write docs/images instead of testing")
    arguments = parser.parse_args()
    packages = os.environ["UI_PACKAGES"]
    with tempfile.TemporaryDirectory(prefix="databuild-ui-") as folder:
        made = workspace.make(pathlib.Path(folder), arguments.programs.resolve() / "databuild")
        # Programs that Bazel built with Debian's compiler start only with the libraries of that system.
        command = [*filter(None, [os.environ.get("DATABUILD_ENTER")]), *made.command()]
        environment = {**made.env, "HOME": folder, "UI_DATABUILD": json.dumps(command)}
        if arguments.long:
            environment["UI_LONG"] = "1"

        def run(line, status):
            done = subprocess.run([*command, *line], cwd=made.path, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            if done.returncode != status:
                raise SystemExit(f"{' '.join(line)} ended with {done.returncode}, not {status}:\n{done.stdout.decode()}")

        try:
            workspace.fill(made, run)
            node = next(pathlib.Path(packages).glob("node_modules/node-linux-*/bin/node"))
            script = [HERE / "screenshots.mjs"] if arguments.screenshots else ["--test", HERE / "scenarios.mjs"]
            return subprocess.run([node, *script], cwd=made.path, env=environment, stdin=subprocess.DEVNULL, check=False).returncode
        finally:
            subprocess.run([*command, "stop", "--jobs"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


if __name__ == "__main__":
    sys.exit(main())
