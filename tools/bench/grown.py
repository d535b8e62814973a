"""Two states of one graph with 1,000 datasets: a large one, and a small one to hold it against."""

import time

from handmade import SAME, Workspace, dataset, days, job, reads, static
from load import CHECKED, PARTS, Server, day, ran
from measure import say

# With `waits`, `talks` and `found`: 1,000.
OTHERS = 996
# Of `many` and of the others, a run makes so many partitions.
BATCH = 10
ATTEMPTS = 3
# One of so many runs failed.
FAILED = 50
LOG_BYTES = 1_000_000_000
PLANS = 100
# Each dataset but the first of them reads the one so many before it.
ABOVE = 100
SCRIPT = f"""#!/bin/sh
if [ "$1" = talk ]; then yes 'a line of a long log, as jobs print them' | head -c {LOG_BYTES}; fi
exec sleep 36000
"""


class Size:
    """How much there is of what."""

    def __init__(self, name, days_of_many, parts_of_others, days_of_others, waiting, keys):
        self.name = name
        self.days_of_many = days_of_many
        self.parts_of_others = parts_of_others
        self.days_of_others = days_of_others
        self.waiting = waiting
        self.keys = keys


# 500,500 partitions of `many` and 498,000 of the others, in 99,850 runs.
LARGE = Size("large", 20_020, PARTS, 20, 100_000, 10_000)
# 1,000 and 996, in 1,096 runs.
SMALL = Size("small", 40, 1, 1, 1_000, 1_000)


class Grown(Server):
    """A server whose state has grown to a size."""

    def __init__(self, bench, size):
        say(f"  the {size.name} state")
        self.size = size
        parts = static("part", [f"p{n}" for n in range(PARTS)])
        dims = {"many": [parts, days(size.days_of_many)], "waits": [parts, days(size.waiting // PARTS)], "talks": []}
        few = [static("part", [f"p{n}" for n in range(size.parts_of_others)]), days(size.days_of_others)]
        dims.update({f"d{n:03}": few for n in range(OTHERS)})
        rules = [{"kind": "same", "of": "part"}, SAME]
        datasets = [dict(dataset(name, dims[name]), path=None) for name in sorted(dims)]
        thing = {"name": "thing", "keys": {"kind": "dynamic", "name": "things"}}
        datasets.append(dict(dataset("found", [thing], external=True)))
        datasets.sort(key=lambda entry: entry["name"])
        jobs = [job(f"make_{name}", name, args=["talk"] if name == "talks" else []) for name in sorted(dims)]
        for entry in jobs:
            name = entry["outputs"][0]
            if name[0] == "d" and int(name[1:]) >= ABOVE:
                entry["inputs"] = [reads(f"d{int(name[1:]) - ABOVE:03}", few, rules)]
            if name not in ("talks", "waits"):
                entry["batch"] = {"dim": "date", "max": BATCH}
            if name == "talks":
                entry["log_limit"] = 2 * LOG_BYTES
        checks = [{"label": "//:sane", "dataset": "many", "blocking": False, "args": []}]
        super().__init__(bench, Workspace(bench.scratch / size.name, bench.program, datasets, jobs, script=SCRIPT, checks=checks))
        self.runs = 0
        self.fill(self.lines())
        self.start()
        self.go_on()

    def lines(self):
        """All runs that are over."""
        size = self.size
        yield from self.runs_of("many", PARTS, size.days_of_many)
        for number in range(OTHERS):
            yield from self.runs_of(f"d{number:03}", size.parts_of_others, size.days_of_others)

    def runs_of(self, name, parts, count):
        for begin in range(0, count, BATCH):
            keys = [day(number) for number in range(begin, min(begin + BATCH, count))]
            of = keys[0] if len(keys) == 1 else f"{keys[0]}..{keys[-1]}"
            for part in range(parts):
                self.runs += 1
                check = "//:sane" if name == "many" and self.runs % CHECKED == 0 else None
                yield ran(f"//:make_{name}", f"{name}/part=p{part}/date={of}", [f"{name}/part=p{part}/date={key}" for key in keys],
                          ATTEMPTS, self.runs % FAILED == 0, check)

    def go_on(self):
        """What goes on: a job that has printed a long log, work that waits behind another, plans and keys."""
        if self.size is LARGE:
            self.talk()
        self.workspace.databuild("build", "waits", "--class", "backfill", "--jobs", "2", "--detach")
        for number in range(PLANS):
            self.ask("POST", "/api/v1/plans", {"targets": [f"waits/part=p{number % PARTS}/date={day(number % 40)}"]})
        keys = [f"thing-{number}" for number in range(self.size.keys)]
        self.ask("POST", "/api/v1/keys/things", {"keys": keys})

    def talk(self):
        """Has a job print a long log, and waits until it has."""
        self.workspace.databuild("build", "talks", "--detach")
        while True:
            runs = self.ask("GET", "/api/v1/runs?limit=1").json()["data"]
            if runs and runs[0]["job"] == "//:make_talks":
                self.talking = runs[0]["id"]
                break
            time.sleep(0.1)
        while int(self.ask("GET", f"/api/v1/runs/{self.talking}/logs/stdout?tail=1").headers["X-Log-Size"]) < LOG_BYTES:
            time.sleep(0.2)
