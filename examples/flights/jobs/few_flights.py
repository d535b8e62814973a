"""Whether figures rest on enough flights to say something: a check of one partition, which it gets as an argument."""

from __future__ import annotations

import json
import os
import sys

ENOUGH = 10


def main(path: str) -> None:
    # A month without flights has no file.
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as file:
        flights = json.load(file)["flights"]
    if flights < ENOUGH:
        # The last line on stderr is the message; exit code 1 says that the check failed.
        sys.exit(f"only {flights} flights: the figures say little")


if __name__ == "__main__":
    main(*sys.argv[1:])
