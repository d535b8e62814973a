"""A job's way in and out: what it is given, and what it leaves behind when its input is bad."""

import contextlib
import io
import json
import os
import tempfile
import unittest
from unittest import mock

from lib.job import BadInput, Done, parse_request, read_rows, run

REQUEST = {
    "format": 1,
    "run": "r1",
    "attempt": 1,
    "job": "//:smooth",
    "as_of": "2026-01-01T00:00:00Z",
    "outputs": [{"dataset": "o", "partition": "o/d=1", "keys": {"d": "1"}, "path": "/s/1", "final_path": "/o/1"}],
    "inputs": {"i": [{"dataset": "i", "partition": "i/d=1", "keys": {"d": "1"}, "path": "/i/1", "version": "v"}]},
    "wants": ["w1"],
    "params": {},
}


class JobTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def run_job(self, job):
        """The exit value and the report lines of `job` as a process of its own would leave them."""
        report = os.path.join(self.folder, "report.jsonl")
        paths = {"DATABUILD_REQUEST": self.file("request.json", json.dumps(REQUEST)), "DATABUILD_REPORT": report}
        code = None
        with mock.patch.dict(os.environ, paths), contextlib.redirect_stderr(io.StringIO()):
            try:
                run(job)
            except SystemExit as exit:
                code = exit.code
        lines = []
        if os.path.exists(report):
            with open(report, encoding="utf-8") as file:
                lines = [json.loads(line) for line in file]
        return code, lines

    def test_a_request_has_one_output_and_named_inputs(self):
        request = parse_request(json.dumps(REQUEST))
        self.assertEqual(request.output.keys, {"d": "1"})
        self.assertEqual(request.output.path, "/s/1")
        self.assertEqual(request.the_input("i").path, "/i/1")

    def test_another_format_is_refused(self):
        with self.assertRaisesRegex(BadInput, "format 2"):
            parse_request(json.dumps({**REQUEST, "format": 2}))

    def test_two_outputs_are_refused(self):
        with self.assertRaisesRegex(BadInput, "expected 1 output, got 2"):
            parse_request(json.dumps({**REQUEST, "outputs": REQUEST["outputs"] * 2}))

    def test_a_finished_job_reports_rows(self):
        code, lines = self.run_job(lambda request: Done(rows=3, metadata={"hours": 3}))
        self.assertIsNone(code)
        self.assertEqual(lines, [{"type": "done", "partition": "o/d=1", "rows": 3, "metadata": {"hours": 3}}])

    def test_bad_input_is_a_permanent_failure(self):
        def job(request):
            raise BadInput("x.csv:2: no")

        code, lines = self.run_job(job)
        self.assertIn("x.csv:2: no", code)
        self.assertEqual(lines, [{"type": "failed", "message": "x.csv:2: no", "permanent": True}])

    def test_a_file_that_is_away_may_be_tried_again(self):
        code, lines = self.run_job(lambda request: open(request.the_input("i").path, encoding="utf-8"))
        self.assertIn("/i/1", code)
        self.assertEqual(lines, [])

    def test_rows_need_their_columns_and_all_fields(self):
        with self.assertRaisesRegex(BadInput, "no column temp"):
            read_rows(self.file("a.csv", "date\n1\n"), ["date", "temp"])
        with self.assertRaisesRegex(BadInput, "no column date, temp"):
            read_rows(self.file("b.csv", ""), ["date", "temp"])
        for ragged in ("1\n", "1,2,3\n"):
            with self.assertRaisesRegex(BadInput, "c.csv:2: expected 2 fields"):
                read_rows(self.file("c.csv", "date,temp\n" + ragged), ["date", "temp"])


if __name__ == "__main__":
    unittest.main()
