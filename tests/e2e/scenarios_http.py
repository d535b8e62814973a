"""The HTTP API as programs and browsers meet it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor

from harness import wait_until
from scenario import Scenario


class Http(Scenario):
    def setUp(self):
        self.ws.cli("build", "readings/city=eu", "probe/case/case=good").expect(0)

    def error(self, status: int, code: str, method: str, path: str, body=None, **kwargs) -> dict:
        """A request that must fail so, in the one shape of errors."""
        got, answer = self.ws.api(method, path, body, **kwargs)
        self.assertEqual((got, answer and answer.get("error")), (status, code), answer)
        self.assertTrue(answer["message"])
        ids = {name for name in answer.get("details", {}) if name.endswith("_id")}
        self.assertLessEqual(set(answer) - ids, {"error", "message", "status", "details"})
        self.assertEqual(answer["status"], status)
        return answer

    def test_token(self):
        """all but /health, by whatever name, and /ready needs the token"""
        for path in ("/health", "/healthz", "/api/health", "/ready"):
            response = self.ws.request("GET", path, token=None)
            self.assertEqual((response.status, response.read()), (200, b"OK"))
        for token in (None, "wrong", self.ws.server()["token"][:-1]):
            for method, path in (("GET", "/api/v1/server"), ("GET", "/metrics"), ("POST", "/api/wants"), ("GET", "/nothing")):
                self.error(401, "unauthorized", method, path, token=token)

    def test_browser(self):
        """a foreign Host or Origin is refused even with the token; a web app in development may call"""
        port = self.ws.server()["address"].rpartition(":")[2]
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "127.0.0.1:1"):
            self.error(403, "bad_host", "GET", "/api/v1/server", headers={"Host": host})
        self.assertEqual(self.ws.api("GET", "/api/v1/server", headers={"Host": f"localhost:{port}"})[0], 200)
        for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
            self.error(403, "bad_origin", "GET", "/api/v1/server", headers={"Origin": origin})
        response = self.ws.request("OPTIONS", "/api/v1/wants", token=None, headers={"Origin": "http://localhost:3000"})
        self.assertEqual(response.status, 204)
        self.assertEqual(response.headers["Access-Control-Allow-Origin"], "http://localhost:3000")
        response = self.ws.request("GET", "/api/v1/server", headers={"Origin": f"http://127.0.0.1:{port}"})
        self.assertEqual(response.status, 200)

    def test_errors(self):
        """errors have one shape, a stable name and the right status"""
        self.error(404, "not_found", "GET", "/api/v1/nothing")
        self.error(405, "method_not_allowed", "DELETE", "/api/v1/server")
        self.error(400, "bad_json", "POST", "/api/v1/wants", "{")
        self.error(422, "invalid_body", "POST", "/api/v1/wants", {"targets": ["total"], "surprise": 1})
        self.error(422, "unknown_dataset", "POST", "/api/v1/wants", {"targets": ["nothing"]})
        self.error(413, "body_too_large", "POST", "/api/v1/wants", {"targets": ["x" * (2 << 20)]})
        self.assertEqual(self.error(404, "want_not_found", "GET", "/api/v1/wants/w999")["details"], {"want_id": "w999"})
        self.error(404, "run_not_found", "GET", "/api/v1/runs/r999")
        done = self.ws.api("POST", "/api/v1/wants", {"targets": ["readings/city=eu"]})[1]["id"]
        self.ws.wait_want(done, "satisfied")
        self.error(409, "want_ended", "POST", f"/api/v1/wants/{done}/pause", {})
        self.assertEqual(self.ws.api("DELETE", f"/api/v1/wants/{done}")[1]["outcome"], "already_terminal")
        self.error(400, "invalid_run_id", "GET", "/api/v1/runs/00000000-0000-0000-0000-000000000000")
        self.error(422, "graph_invalid", "POST", "/api/v1/graphs", {"content": "not a graph"})

    def test_contents(self):
        """a graph is registered once the server has what it names; what it has is not asked for again"""
        graph = self.ws.request("GET", "/api/v1/graph").read().decode()
        label = json.loads(graph)["jobs"][0]["label"]
        digest = hashlib.sha256(b"a manifest").hexdigest()
        other = hashlib.sha256(b"nobody sent this").hexdigest()
        body = {"content": graph, "sources": {label: digest}}
        self.error(409, "sources_missing", "POST", "/api/v1/graphs", body)
        missing = self.ws.api("POST", "/api/v1/contents/missing", {"digests": [digest, other]})
        self.assertEqual(missing, (200, {"digests": [digest, other]}))
        kept = self.ws.api("POST", "/api/v1/contents", {"contents": ["a manifest"]})
        self.assertEqual(kept, (200, {"digests": [digest]}))
        self.assertEqual(self.ws.api("POST", "/api/v1/contents/missing", {"digests": [digest, other]})[1], {"digests": [other]})
        # A list of pieces is there when all of them are.
        pieces = json.dumps([digest, other])
        whole = self.ws.api("POST", "/api/v1/contents", {"contents": [pieces]})[1]["digests"][0]
        self.error(409, "sources_missing", "POST", "/api/v1/graphs", {**body, "sources": {label: whole}})

    def test_seed_routes(self):
        """the routes under /api work, with lists as data"""
        response = self.ws.request("POST", "/api/wants", {"targets": ["sums/city=eu/date=2024-02-27"], "comment": "by hand"})
        want = json.loads(response.read())
        self.assertEqual(response.status, 201)
        self.assertTrue(response.headers["Location"].endswith("/wants/" + want["id"]))
        self.ws.wait_want(want["id"], "satisfied")
        self.assertEqual(self.ws.api("GET", f"/api/wants/{want['id']}")[1]["comment"], "by hand")
        self.assertEqual(self.ws.api("GET", "/api/wants")[1]["data"][0]["id"], want["id"])
        rows = self.ws.api("GET", "/api/partitions?ref=sums/city=eu")[1]["data"]
        self.assertIn({"partition": "sums/city=eu/date=2024-02-27", "state": "current"}.items(), [row.items() & {("partition", row["partition"]), ("state", row["state"])} for row in rows])
        run = self.ws.api("GET", "/api/job_runs")[1]["data"][0]
        self.assertEqual((run["job"], run["state"]), ("//:sum", "completed"))
        self.assertEqual(self.ws.api("GET", f"/api/job_runs/{run['id']}")[1]["attempts"][0]["exit_code"], 0)
        response = self.ws.request("GET", f"/api/job_runs/{run['id']}/logs/stdout")
        self.assertEqual((response.status, response.read()), (200, b""))
        status, told = self.ws.api("DELETE", f"/api/wants/{want['id']}")
        self.assertEqual((status, told["outcome"]), (200, "already_terminal"))

    def test_pages(self):
        """lists come in pages that together are the whole, once"""
        names, cursor = [], ""
        while True:
            page = self.ws.api("GET", f"/api/v1/partitions?ref=readings&limit=5{cursor}")[1]
            names += [row["partition"] for row in page["data"]]
            if not page["next"]:
                break
            cursor = f"&cursor={page['next']}"
        self.assertEqual(len(names), 12)
        self.assertEqual(len(set(names)), 12)

    def test_idempotency(self):
        """requests with one Idempotency-Key make one want, 50 at once and after kill -9 of the server, too"""
        body = {"targets": ["readings/city=eu"]}

        def post(key, body=body, path="/api/v1/wants"):
            return self.ws.api("POST", path, body, headers={"Idempotency-Key": key})

        def post_until_told(key, **more):
            while True:
                status, answer = post(key, **more)
                if status != 409:
                    return status, answer
                self.assertEqual(answer["error"], "idempotency_key_in_flight")

        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(lambda _: post_until_told("k1"), range(50)))
        self.assertEqual(sorted(status for status, _ in answers), [200] * 49 + [201])
        want = {answer["id"] for _, answer in answers}
        self.assertEqual(len(want), 1)
        self.assertNotEqual(post("k2")[1]["id"], answers[0][1]["id"])
        for other in ({"targets": ["readings/city=us"]}, {**body, "refresh": "all"}):
            self.error(422, "idempotency_key_reused", "POST", "/api/v1/wants", other, headers={"Idempotency-Key": "k1"})
        self.error(400, "bad_idempotency_key", "POST", "/api/v1/wants", body, headers={"Idempotency-Key": "k" * 201})
        token = {"name": "once", "scopes": ["read"]}
        status, made = post("k3", token, "/api/v1/tokens")
        self.assertEqual((status, made["told_before"]), (201, False))
        os.kill(self.ws.server_pid(), signal.SIGKILL)
        self.ws.cli("status").expect(0)
        status, again = post("k1")
        self.assertEqual((status, {again["id"]}), (200, want))
        status, again = post("k3", token, "/api/v1/tokens")
        self.assertEqual((status, again), (200, {**made, "token": None, "told_before": True}))

    def test_late(self):
        """a want that is not over when it should be is late, and goes on"""
        body = {"targets": ["probe/ticks/case=c"], "sla_seconds": 0}
        status, want = self.ws.api("POST", "/api/v1/wants", body)
        self.assertEqual(status, 201)
        self.assertTrue(want["late"])
        self.assertIn("open, late", self.ws.cli("want", "get", want["id"]).expect(0).out)
        self.ws.ticking("c")
        self.ws.release("c")
        self.assertTrue(self.ws.wait_want(want["id"], "satisfied")["late"])
        self.assertFalse(self.ws.want(self.ws.detach("probe/ticks/case=c"))["late"])

    def events(self, response) -> list:
        """The next server-sent event of a response: its fields."""
        fields = {}
        while True:
            line = response.readline().decode()
            if line in ("\n", ""):
                if fields:
                    return fields
                if not line:
                    raise AssertionError("the stream ended")
                continue
            name, _, value = line.rstrip("\n").partition(":")
            if name:
                fields[name] = value.removeprefix(" ") if hasattr(value, "removeprefix") else value.lstrip(" ")

    def test_follow(self):
        """a log is followed while the job writes it, in bytes and in lines, resumed by Last-Event-ID, and ends with the job"""
        want = self.ws.detach("probe/ticks/case=a", "--jobs", "2")
        self.ws.ticking("a")
        run = self.ws.run_of("probe/ticks/case=a")["id"]
        path = f"/api/job_runs/{run}/logs/stdout?follow=true"
        stream = self.ws.request("GET", path)
        self.assertEqual(stream.headers["Content-Type"], "text/event-stream")
        first = self.events(stream)
        said = json.loads(first["data"])
        self.assertTrue(said.startswith("tick 1\n"), said)
        self.assertEqual(int(first["id"]), len(said))
        resumed = self.ws.request("GET", path, headers={"Last-Event-ID": first["id"]})
        second = self.events(resumed)
        self.assertGreater(int(second["id"]), int(first["id"]))
        lines = self.ws.api("GET", f"/api/v1/runs/{run}/logs?limit=1")[1]
        (line,) = lines["lines"]
        self.assertEqual(({**line, "at": None}, lines["ended"]), ({"at": None, "stream": "stdout", "text": "tick 1"}, False))
        self.assertRegex(line["at"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ$")
        in_lines = self.ws.request("GET", f"/api/v1/runs/{run}/logs?follow=true", headers={"Last-Event-ID": lines["next"]})
        self.assertEqual(json.loads(self.events(in_lines)["data"])["text"], "tick 2")
        self.error(422, "bad_cursor", "GET", f"/api/v1/runs/{run}/logs?cursor=7")
        self.error(422, "unknown_word", "GET", f"/api/v1/runs/{run}/logs?stream=stdin")
        self.ws.release("a")
        for at, text in ((stream, said), (resumed, said + json.loads(second["data"]))):
            while True:
                event = self.events(at)
                if event["event"] == "end":
                    break
                text += json.loads(event["data"])
            self.assertEqual(text, "".join(f"tick {n}\n" for n in range(1, text.count("\n") + 1)))
        self.ws.wait_want(want, "satisfied")
        followed = self.ws.cli("logs", "-f", run, "--stdout").expect(0)
        self.assertTrue(followed.out.startswith("tick 1\n"))
        while self.events(in_lines)["event"] == "line":
            pass
        for flags in ((), ("-f",), ("--stdout",)):
            timed = self.ws.cli("logs", "-t", run, *flags).expect(0).out
            self.assertEqual([line.split(" ", 2)[1:] for line in timed.splitlines()], [["stdout", tick] for tick in text.splitlines()])
        self.assertEqual(self.ws.cli("logs", "-t", run, "--stderr").expect(0).out, "")

    def test_progress(self):
        """progress is told by a long poll that ends when something happens"""
        want = self.ws.detach("probe/ticks/case=b", "--jobs", "2")
        self.ws.ticking("b")
        started = wait_until(
            "the start is told",
            lambda: [line for line in self.ws.api("GET", f"/api/v1/wants/{want}/progress")[1]["lines"] if line["what"] == "started"],
        )
        self.assertEqual(started[-1]["partition"], "probe/ticks/case=b")
        self.ws.release("b")
        seq, told = started[-1]["seq"], []
        while True:
            answer = self.ws.api("GET", f"/api/v1/wants/{want}/progress?after={seq}&wait_ms=30000")[1]
            seq = answer["seq"]
            told += [line["what"] for line in answer["lines"]]
            if answer["want"]["state"] != "open":
                break
        self.assertEqual(told, ["built"])

    def test_metrics(self):
        """metrics count wants, runs and partitions, without a label for each partition"""
        response = self.ws.request("GET", "/metrics")
        said = response.read().decode()
        for name in ("databuild_wants_total", "databuild_job_runs_total", "databuild_partitions", "databuild_events_total"):
            self.assertIn(name, said)
        self.assertNotIn("2024-02", said)
        self.assertTrue(response.headers["X-Databuild-Seq"].isdigit())
