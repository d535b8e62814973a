"""Rows about requests to a server with 1,000,000 partitions, 100,000 runs, 1,000,000 events and 1,000 datasets.

wrk asks with 16 connections, for things chosen at random; no answer is kept for the next one. Pages are held against those of a
state with the same datasets and 1,000 partitions and runs.
"""

import random
import re
import statistics
import urllib.parse

from grown import LARGE, PARTS, SMALL, Grown
from load import Empty, day, has_wrk, wrk
from measure import say
from table import at_least, at_most

# Different things that are asked for in the place of one.
CHOICES = 1_000
# Pages of a list that are asked for: the first ones, by their cursors.
CURSORS = 200
# Lists that are of something.
OF_LISTS = {"/api/v1/keys/{space}": "/api/v1/keys/things"}
MOST_BYTES = 60_000
MOST_SCRIPT = 45_000
MOST_CELLS = 2_000


def size(bench):
    """All rows that need both states."""
    if not has_wrk():
        return
    large, small, empty = Grown(bench, LARGE), Grown(bench, SMALL), Empty(bench)
    say(f"  {large.workspace.events():,} events, and {small.workspace.events():,}")
    try:
        run_by_id(bench, large, empty)
        lists(bench, large, empty)
        pages(bench, large, small, empty)
        tile(bench, large)
        script(bench, large)
        log_end(bench, large)
        replay(bench, large)
    finally:
        empty.stop()
        large.stop()
        small.stop()


def run_by_id(bench, server, empty):
    """A run by its id: how many a second, and the slowest of 100."""
    script = server.script("run", f'path = "/api/v1/runs/r" .. math.random({server.runs})')
    nothing, found = in_turn(bench, [(empty, script), (server, script)])
    rates = [[load.rate for load in loads] for loads in (found, nothing)]
    slowest = [[load.p99 for load in loads] for loads in (found, nothing)]
    bench.table.beside("`GET /runs/ID`, random ids, 16 connections", rates[0], "an empty axum handler", rates[1], at_least(0.5), "a second")
    bench.table.beside("its p99", slowest[0], "the same", slowest[1], at_most(3), "ms")


def lists(bench, server, empty):
    """Pages of 100 of each list that the server's description of itself has."""
    paths = server.ask("GET", "/api/v1/openapi.json").json()["paths"]
    for path in sorted(paths):
        parameters = {entry["name"] for entry in paths[path].get("get", {}).get("parameters", [])}
        # What is elsewhere has a second address here, lines of logs are no rows, and a stream has no pages.
        if "limit" not in parameters or not path.startswith("/api/v1/") or "/logs" in path or path.endswith("/stream"):
            continue
        of = OF_LISTS.get(path, path)
        found, rows = cursors(server, of, "cursor" if "cursor" in parameters else "after")
        script = server.any_of("list", found)
        nothing, listed = in_turn(bench, [(empty, script), (server, script)])
        rates = [[load.rate for load in loads] for loads in (listed, nothing)]
        bench.table.list_of(of, rows, rates[0], rates[1], at_least(0.1))


def cursors(server, path, name):
    """Addresses of pages of 100 of a list, and how many rows the fullest of them has."""
    found, rows = [f"{path}?limit=100"], 0
    while len(found) <= CURSORS:
        answer = server.ask("GET", found[-1]).json()
        rows = max(rows, len(answer["data"]))
        if answer.get("next") is None:
            break
        found.append(f"{path}?limit=100&{name}={urllib.parse.quote(str(answer['next']))}")
    return found, rows


def addresses(server):
    """Pages by what they are called, each with the addresses of some such pages."""
    chance = random.Random(1)
    count, events = server.size.days_of_many, server.workspace.events()

    def some(make):
        return [make() for _ in range(CHOICES)]

    def partition():
        return f"many/part=p{chance.randrange(PARTS)}/date={day(chance.randrange(count))}"

    def other():
        return f"d{chance.randrange(996):03}"

    def run():
        return f"r{chance.randint(1, server.runs)}"

    return {
        "/": ["/"],
        "/datasets": ["/datasets"],
        "/datasets?q=": some(lambda: f"/datasets?q={other()}"),
        "/datasets/NAME": ["/datasets/many"],
        "/datasets/NAME?sel=": some(lambda: f"/datasets/many?sel={partition()}"),
        "/datasets/NAME?tab=history": ["/datasets/many?tab=history"],
        "/datasets/NAME?tab=checks": ["/datasets/many?tab=checks"],
        "/datasets/NAME?tab=code": ["/datasets/many?tab=code"],
        "/partitions?ref=": ["/partitions?ref=many"],
        "/partition?ref=": some(lambda: f"/partition?ref={partition()}"),
        "/graph": ["/graph"],
        "/graph?around=": some(lambda: f"/graph?around={other()}"),
        "/runs": ["/runs"],
        "/runs/ID": some(lambda: f"/runs/{run()}"),
        "/wants": ["/wants"],
        "/wants/ID": some(lambda: f"/wants/w{chance.randint(1, server.runs // 10)}"),
        "/plans": ["/plans"],
        "/plans/ID": some(lambda: f"/plans/p{chance.randint(1, 100)}"),
        "/queue": ["/queue"],
        "/timeline": ["/timeline"],
        "/checks": ["/checks"],
        "/compare": some(lambda: f"/compare?a={run()}&b={run()}"),
        "/changes": ["/changes"],
        "/changes/N": ["/changes/1"],
        "/events": ["/events"],
        "/events/N": some(lambda: f"/events/{chance.randint(1, events)}"),
        "/server": ["/server"],
    }


def pages(bench, large, small, empty):
    """Each page of the UI: how many a second, and time and bytes beside those of the small state."""
    of_large, of_small = addresses(large), addresses(small)
    every = set(re.findall(r'<nav.*?</nav>', large.ask("GET", "/").bytes.decode(), re.S)[0].split('href="')[1:])
    left_out = {text.split('"')[0] for text in every} - {path for paths in of_large.values() for path in paths}
    if left_out:
        raise SystemExit(f"pages of the navigation have no row: {left_out}")
    for name, paths in of_large.items():
        scripts = [large.any_of("page", paths, packed=True), small.any_of("page", of_small[name], packed=True)]
        nothing, ours, theirs = in_turn(bench, [(empty, scripts[0]), (large, scripts[0]), (small, scripts[1])])
        sizes = [[one_page(server, path) for path in chosen[:20]] for server, chosen in ((large, paths), (small, of_small[name]))]
        bench.table.page(name, *([load.rate for load in loads] for loads in (ours, theirs, nothing)), *sizes, MOST_BYTES)


def one_page(server, path):
    """The packed size of a page that loads nothing but what the browser keeps, and follows one stream."""
    answer = server.ask("GET", path, packed=True)
    text = answer.bytes.decode()
    loads = re.findall(r'<(?:script|img|iframe|source|embed)\b[^>]*\bsrc="([^"]*)"', text) + re.findall(r'<link\b[^>]*\bhref="([^"]*)"', text)
    others = [address for address in loads if not address.startswith("/assets/")]
    streams = text.count(" data-stream=")
    if others or streams != 1:
        raise SystemExit(f"{path} loads {others} and follows {streams} streams")
    return answer.size


def tile(bench, server):
    """The cells of a heatmap, and how long they take."""
    answers = [server.ask("GET", "/api/v1/tiles?ref=many") for _ in range(20 * bench.runs)]
    cells = max(len(answer.json()["cells"]) for answer in answers)
    times = [answer.took for answer in answers]
    bench.table.alone("Heatmap of 500,500 partitions: cells", [cells], f"≤ {MOST_CELLS:,}", cells <= MOST_CELLS, "")
    bench.table.alone("the same: time", times, "≤ 5 ms", statistics.median(times) <= 0.005, "ms")


def script(bench, server):
    """The script of all pages."""
    text = server.ask("GET", "/").bytes.decode()
    total = sum(len(server.ask("GET", path).bytes) for path in re.findall(r'<script\b[^>]*\bsrc="([^"]*)"', text))
    bench.table.alone("Script of pages, not packed", [total], f"≤ {MOST_SCRIPT:,}", total <= MOST_SCRIPT, "bytes")


def log_end(bench, server):
    """The end of a log of 1 GB that is still written, as the page of its run shows it and as the API gives it."""
    for what, path in [("page of its run", f"/runs/{server.talking}"), ("`?tail=65536`", f"/api/v1/runs/{server.talking}/logs/stdout?tail=65536")]:
        times = [server.ask("GET", path, packed=True).took for _ in range(5 * bench.runs)]
        bench.table.alone(f"End of a log of 1 GB, {what}: slowest of {len(times)}", [max(times)], "≤ 200 ms", max(times) <= 0.2, "ms")


def replay(bench, server):
    """A start that folds every event, since there is no checkpoint."""
    times = []
    events = server.workspace.events()
    for _ in range(bench.runs):
        server.kill()
        server.forget_checkpoints()
        times.append(server.start())
    bench.table.alone(f"Start without a checkpoint, {events:,} events", times, "≤ 2.2 s, which ActionQueue took for as many",
                      statistics.median(times) <= 2.2, "ms")


def in_turn(bench, asked):
    """Loads for each server and script, in turn: a list of loads for each."""
    loads = [[] for _ in asked]
    for _ in range(bench.runs):
        for ours, (server, script) in zip(loads, asked):
            server.settle()
            ours.append(wrk(server.url, script))
    return loads
