"""The job and the check of a storm: what they make follows from keys and inputs alone; the ledger tells who ran when.

    job FOLDER KIND        FOLDER has the ledger and the locks, outside of all that DataBuild looks after

Of each partition it holds a lock for as long as anything of it lives, its children too. So an attempt that begins while
one of before still lives finds the lock taken, and says so in the ledger.
"""

import fcntl
import hashlib
import json
import os
import sys
import time

FOLDER, KIND = sys.argv[1:3]
FILES = 40
LEDGER = os.open(os.path.join(FOLDER, "ledger"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def number(*texts):
    """A number that follows from texts."""
    return int.from_bytes(hashlib.sha256("\0".join(texts).encode()).digest()[:8], "big")


def note(word, attempt, partition, printed=0):
    """One line of the ledger, in one write."""
    line = f"{word} {attempt} {partition} {os.getpid()} {time.monotonic_ns()} {printed}\n"
    os.write(LEDGER, line.encode())


def lock(attempt, partition):
    """Takes the partition's lock; it goes with the last process that has it."""
    path = os.path.join(FOLDER, "locks", partition.replace("/", "|"))
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    # Children inherit it.
    os.set_inheritable(file, True)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        note("overlap", attempt, partition)


def content(path):
    """A digest of a file or of all files of a folder."""
    digest = hashlib.sha256()
    if os.path.isdir(path):
        for folder, folders, names in os.walk(path):
            folders.sort()
            for name in sorted(names):
                file = os.path.join(folder, name)
                digest.update(os.path.relpath(file, path).encode())
                digest.update(content(file).encode())
    else:
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def read(entry, request):
    """Digests of those inputs that have the output's keys."""
    for name in sorted(request["inputs"]):
        for given in sorted(request["inputs"][name], key=lambda given: given["partition"]):
            if all(entry["keys"].get(dim, key) == key for dim, key in given["keys"].items()):
                said = "empty" if given["empty"] else content(given["path"])
                yield f"{given['partition']} {said}"


def write(path, lines, folder):
    """Writes a file, or a folder of many files in folders."""
    if not folder:
        with open(path, "w") as file:
            file.write("".join(line + "\n" for line in lines))
        return
    os.mkdir(path)
    for ix in range(FILES):
        below = os.path.join(path, f"d{ix % 4}")
        os.makedirs(below, exist_ok=True)
        with open(os.path.join(below, f"f{ix:03}"), "w") as file:
            file.write("".join(f"{ix} {line}\n" for line in lines))
            if ix % 10 == 0:
                file.write("x" * 20_000)


def report(**line):
    """A line of the report."""
    with open(os.environ["DATABUILD_REPORT"], "a") as file:
        file.write(json.dumps(line) + "\n")


def expected(attempt, printed):
    """What an attempt prints to each of its streams; the storm has the same lines by heart."""
    return "".join(f"{attempt} line {ix}\n" for ix in range(printed))


def make():
    with open(os.environ["DATABUILD_REQUEST"]) as file:
        request = json.load(file)
    attempt = f"{request['run']}-{request['attempt']}"
    partitions = [entry["partition"] for entry in request["outputs"]]
    for partition in partitions:
        note("start", attempt, partition)
        lock(attempt, partition)
    luck = number(attempt, *partitions)
    printed = 30 if luck % 3 == 0 else 0
    if luck % 5 == 0 and os.fork() == 0:
        # A child that is to go with its attempt.
        while True:
            time.sleep(1000)
    # Some are over at once, some take a while.
    pause = (luck >> 8) % 60 / 1000
    sys.stdout.write(expected(attempt, printed // 2))
    sys.stdout.flush()
    for ix, entry in enumerate(request["outputs"]):
        time.sleep(pause / len(request["outputs"]))
        lines = [entry["partition"], *read(entry, request)]
        value = number(*lines)
        if KIND == "maybe" and number(entry["partition"]) % 3 == 0:
            report(type="empty", partition=entry["partition"])
            continue
        write(entry["path"], lines, KIND == "tree" or entry["dataset"] == "twin_b")
        if KIND == "find":
            for key in range(3):
                report(type="key", key=f"t{(value + key) % 8}")
        if request.get("batch"):
            report(type="done", partition=entry["partition"], rows=ix)
    sys.stdout.write(expected(attempt, printed)[len(expected(attempt, printed // 2)):])
    sys.stdout.flush()
    sys.stderr.write(expected(attempt, printed))
    sys.stderr.flush()
    # Each third run fails once.
    failed = (luck >> 16) % 3 == 0 and request["attempt"] == 1
    for partition in partitions:
        note("fail" if failed else "end", attempt, partition, printed)
    if failed:
        os._exit(3)


def check():
    """Holds that what is staged is whole."""
    with open(os.environ["DATABUILD_REQUEST"]) as file:
        request = json.load(file)
    for entry in request["outputs"]:
        if os.path.exists(entry["path"]):
            content(entry["path"])
            warned = KIND == "warn" and number(entry["partition"]) % 4 == 0
            report(type="check", partition=entry["partition"], ok=not warned, message="a quarter is odd")


if __name__ == "__main__":
    if KIND in ("hold", "warn"):
        check()
    else:
        make()
