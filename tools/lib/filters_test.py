"""Filters that fit nothing end a script before it does anything."""

import contextlib
import io
import pathlib
import subprocess
import sys
import unittest

from filters import chosen, refuse_unknown

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Filters(unittest.TestCase):
    def test_a_filter_is_a_part_of_a_name(self):
        self.assertTrue(chosen("plans: a plan expires", ["expires", "none"]))
        self.assertTrue(chosen("plans: a plan expires", []))
        self.assertFalse(chosen("plans: a plan expires", ["server"]))

    def test_each_filter_that_fits_no_name_is_refused(self):
        names = [f"step {n}" for n in range(30)]
        refuse_unknown(["step 1", "29"], names)
        said = io.StringIO()
        with self.assertRaises(SystemExit) as ended, contextlib.redirect_stderr(said):
            refuse_unknown(["step 1", "stepp", "x"], names)
        self.assertEqual(ended.exception.code, 2)
        self.assertTrue(said.getvalue().startswith("no name contains 'stepp' or 'x'; there are:\n  step 0\n"), said.getvalue())
        self.assertTrue(said.getvalue().endswith("  step 19\n  and 10 more\n"), said.getvalue())

    def test_every_script_with_filters_refuses_one_that_fits_nothing(self):
        scripts = [path for path in ROOT.glob("tests/*/run") if "FILTER" in path.read_text()]
        self.assertEqual(len(scripts), 3, scripts)
        for script in scripts:
            done = subprocess.run([script, "no such name"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (2, b""), f"{script}: {done.stderr.decode()}")
            self.assertIn(b"no name contains 'no such name'", done.stderr, script)

    def test_the_bench_refuses_a_row_that_is_none(self):
        done = subprocess.run([sys.executable, ROOT / "tools/bench/bench.py", "--only", "no such row"], stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, 2, done.stderr.decode())


if __name__ == "__main__":
    unittest.main()
