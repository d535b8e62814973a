"""Running commands and taking their times."""

import os
import pathlib
import resource
import subprocess
import sys
import time


def say(text):
    """Talk goes to stderr."""
    print(text, file=sys.stderr, flush=True)


def run(command, cwd=None, env=None, good=(0,)):
    """Runs a command that ends with a good exit code; returns wall and CPU seconds of it and what it waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in good:
        say(done.stdout.decode(errors="replace")[-2000:])
        say(done.stderr.decode(errors="replace")[-2000:])
        raise SystemExit(f"failed: {' '.join(map(str, command))}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done


def process_cpu(pid):
    """CPU seconds of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(x) for x in fields[11:13]) / os.sysconf("SC_CLK_TCK")
