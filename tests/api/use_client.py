"""Asks a server by a client that a generator made: each list, and one of what it has. Run by clients.py, where the client's packages are.

use_client.py FOLDER ADDRESS TOKEN
"""

import importlib
import json
import pathlib
import sys

FOLDER, ADDRESS, TOKEN = sys.argv[1:]
sys.path.insert(0, FOLDER)

import client  # noqa: E402
from client.models import CreateTrialCompare, CreateTrialCompareKind, CreateWant  # noqa: E402


def same(told: object, read: object) -> bool:
    """Whether the client has all that it was told; it leaves out what has no value."""
    if isinstance(told, dict) and isinstance(read, dict):
        return all(same(told.get(name), read.get(name)) for name in {*told, *read})
    if isinstance(told, list) and isinstance(read, list):
        return len(told) == len(read) and all(map(same, told, read))
    return told == read


def send(connected: client.AuthenticatedClient, route: str, *args: object, **named: object) -> object:
    """What a route answers, as the client reads it."""
    return importlib.import_module(f"client.api.{route}").sync_detailed(*args, client=connected, **named)


def call(connected: client.AuthenticatedClient, route: str, *args: object, **named: object) -> object:
    """What it reads of an answer that is no error."""
    answer = send(connected, route, *args, **named)
    if answer.status_code >= 300:
        sys.exit(f"{route}: {answer.status_code} {answer.content!r}")
    return answer.parsed


def main() -> None:
    connected = client.AuthenticatedClient(ADDRESS, TOKEN, raise_on_unexpected_status=True)
    want = call(connected, "wants.wants_create", body=CreateWant(targets=["daily/city=oslo/date=2024-01-01"]))
    asked = 0
    for file in sorted(pathlib.Path(FOLDER, "client/api").glob("*/*.py")):
        route = f"{file.parent.name}.{file.stem}"
        module = importlib.import_module(f"client.api.{route}")
        try:
            needs = module._get_kwargs()
        except (AttributeError, TypeError):
            # No route, or one that has to be told of what.
            continue
        # A stream has no end.
        if needs["method"] != "get" or file.stem.endswith("_stream"):
            continue
        answer = send(connected, route)
        # Some have to be told of what by one of several parameters.
        if answer.status_code == 422:
            continue
        asked += 1
        if hasattr(answer.parsed, "to_dict") and not same(json.loads(answer.content), answer.parsed.to_dict()):
            sys.exit(f"{route}: the client reads {answer.parsed} from {answer.content!r}")
    if asked < 20:
        sys.exit(f"only {asked} routes were asked")
    listed = call(connected, "wants.wants_list", limit=1).data
    if [row.id for row in listed] != [want.id]:
        sys.exit(f"{want.id} is not what is listed: {listed}")
    if call(connected, "wants.wants_one", listed[0].id).id != want.id:
        sys.exit("another want is told")
    dataset = call(connected, "datasets_and_partitions.datasets_one", "daily")
    if dataset.job.takes != [["places", 1]]:
        sys.exit(f"{dataset.job}")
    if "databuild_wants" not in call(connected, "server.metrics_text"):
        sys.exit("there are no metrics")
    # Nothing was made yet that could be compared: that is what is told, and the body is read.
    body = CreateTrialCompare(kind=CreateTrialCompareKind.COMPARE, targets=["daily/date=2024-01-01"])
    refused = send(connected, "trials.trials_create", body=body)
    if refused.parsed.error in ("invalid_body", "bad_json"):
        sys.exit(f"{refused.content!r}")


main()
