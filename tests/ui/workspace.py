"""A workspace with something of everything that pages show: done, failed, stale, missing, running and waiting work."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tools/lib"))

import handmade  # noqa: E402

# Makes features of one city and day. Three days of Rome fail. The last days of Oslo go on, and say so line by line, until
# somebody cancels them; a bound keeps them from outliving a test that was killed.
FEATURES = """#!/bin/sh
echo "reading orders of $2, $3"
row=0
while [ $row -lt 12 ]; do row=$((row + 1)); echo "$3: row $row of 12"; done
case "$2 $3" in
  "rome 2026-10-18"|"rome 2026-10-19"|"rome 2026-10-20")
    echo 'Traceback (most recent call last):' >&2
    echo '  File "ml/features.py", line 88, in parse' >&2
    echo 'ValueError: time data "24:00" does not match format "%H:%M"' >&2
    exit 1 ;;
  "oslo 2026-10-2"*)
    step=0
    while [ $step -lt 3000 ]; do step=$((step + 1)); echo "epoch $step: loss 0.$((9000 - step))"; sleep 0.2; done ;;
esac
echo x > "$1"
"""

# Looks at a month's report: two of them are not as usual.
LOOK = """#!/bin/sh
case "$1" in
  2026-03|2026-04) echo "only 28 rows of 31 in $1" >&2; exit 1 ;;
esac
"""

# Makes an hour; the second version came later.
HOURLY = ["#!/bin/sh\necho x > \"$1\"\n", "#!/bin/sh\n# Rounded.\necho x > \"$1\"\n"]


def over_time(name, granularity, start, end):
    return {"name": name, "keys": {"kind": "time", "granularity": granularity, "start": start, "end": end, "timezone": "UTC"}}


def reads(name, dims, rules):
    return handmade.reads(name, dims, rules, before="clip")


def make(folder, program):
    """The workspace, in which nothing was built yet. Its times have an end, so that pages look the same on any day."""
    city = handmade.static("city", ["oslo", "rome", "seattle"])
    date = over_time("date", "day", "2026-01-01", "2026-10-31")
    month = over_time("month", "month", "2026-01", "2026-10")
    hour = over_time("hour", "hour", "2026-10-20T00", "2026-10-31T23")
    summary = handmade.dataset("weather/summary", [])
    summary["path"] = "out/weather/summary/all"
    datasets = [
        handmade.dataset("raw/rates", [date], external=True),
        handmade.dataset("sales/features", [city, date]),
        handmade.dataset("sales/orders", [city, date]),
        handmade.dataset("sales/report", [city, month]),
        handmade.dataset("weather/hourly", [hour]),
        summary,
    ]
    same = {"kind": "same", "of": "city"}
    jobs = [
        handmade.job("orders", "sales/orders"),
        handmade.job("features", "sales/features", [reads("sales/orders", [city, date], [same, handmade.WEEK])], ("{path}", "{city}", "{date}")),
        handmade.job("report", "sales/report", [reads("sales/features", [city, date], [same, {"kind": "rollup", "of": "month"}])]),
        handmade.job("hourly", "weather/hourly"),
        handmade.job("summary", "weather/summary", [reads("weather/hourly", [hour], [{"kind": "all"}])]),
    ]
    checks = [
        {"label": "//:sane", "dataset": "sales/report", "blocking": True, "args": ["any"]},
        {"label": "//:usual", "dataset": "sales/report", "blocking": False, "args": ["{month}"]},
    ]
    workspace = handmade.Workspace(folder, program, datasets, jobs, checks=checks)
    look = workspace.code("look", LOOK)
    del look["sources"]
    for check in workspace.graph["checks"]:
        check.update(look)
    code = workspace.code("features", FEATURES)
    for job in workspace.graph["jobs"]:
        if job["label"] == "//:features":
            job.update(code, retries=1, backoff_ms=200)
    # None is due while tests run.
    usual = {"time_zone": "Europe/Zurich", "class": "interactive", "missed": "last"}
    workspace.graph["schedules"] = [
        {"label": "//sales:yearly", "cron": "30 5 1 1 *", "targets": ["sales/report/month=2026-10"], **usual},
        {"label": "//weather:rare", "every_ms": 31536000000, "targets": ["weather/summary"], "class": "backfill", "missed": "all", "times": 5},
    ]
    write_hourly(workspace, 0)
    # As few as on a small machine, so that something waits on any.
    (workspace.path / "databuild.toml").write_text("places = 2\n")
    rates = workspace.path / "out/raw/rates"
    rates.mkdir(parents=True)
    for day in range(1, 20):
        (rates / f"2026-10-{day:02}").write_text("1")
    return workspace


def write_hourly(workspace, version):
    """Gives the job `hourly` this version of its code, with the file to blame."""
    code = workspace.code("hourly", HOURLY[version])
    file = {"path": "weather/rounding.py", "owner": "//weather:rounding", "sha256": f"{version:064}"}
    edges = [["//:hourly", "//weather:rounding"]]
    sources = {"format": 1, "label": "//:hourly", "files": [file], "edges": edges}
    (workspace.runfiles / "hourly.sources").write_text(json.dumps(sources))
    for job in workspace.graph["jobs"]:
        if job["label"] == "//:hourly":
            job.update(code)
    workspace.write_graph()


# Command lines that bring about what is done, what failed, what is stale, and what runs and waits.
DONE = [
    ["build", "weather/hourly/hour=2026-10-20T00..2026-10-29T12", "sales/orders", "--class", "backfill"],
    ["build", "sales/features/city=seattle"],
    ["build", "sales/report/city=seattle"],
]
FAILED = ["build", "sales/features/city=rome/date=2026-01-01..2026-10-25"]
STALE = ["taint", "sales/orders/city=seattle/date=2026-09-10..2026-09-14", "--reason", "counted twice"]
BEGUN = [
    ["want", "create", "sales/features/city=oslo/date=2026-10-01..2026-10-29", "--comment", "retrain the churn model"],
    ["want", "create", "sales/report/city=oslo", "--class", "backfill", "--comment", "monthly report", "--sla", "1"],
]


def fill(workspace, run):
    """Brings all of it about; `run` takes a command line and the exit status that it has to end with."""
    for line in DONE:
        run(line, 0)
    run(FAILED, 1)
    # Another code of a job.
    write_hourly(workspace, 1)
    for line in [["deploy", "--yes"], STALE, *BEGUN, ["schedules", "pause", "sales/yearly"]]:
        run(line, 0)
