"""Programs from PyPI and npm, of one version each, installed once into the user's cache."""

import hashlib
import os
import pathlib
import subprocess
import venv


def installed(name: str, python: list[str], npm: list[str] = ()) -> pathlib.Path:
    """The folder with these packages: an environment of Python, and beside it what npm installs, which one of the first brings."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    digest = hashlib.sha256("\n".join([*python, *npm]).encode()).hexdigest()[:12]
    folder = cache / "databuild-tests" / f"{name}-{digest}"
    whole = folder / "installed"
    if not whole.exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([folder / "bin/pip", "install", "--quiet", *python], check=True)
        if npm:
            # No script of a package runs.
            command = [folder / "bin/npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder, *npm]
            environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
            subprocess.run(command, check=True, env=environment)
        whole.touch()
    return folder
