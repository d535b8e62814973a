"""The page that tables are written to."""

import pathlib
import sys
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from table import Table, at_least, at_most, written  # noqa: E402

PAGE = "Before.\n\n<!-- bench: requests -->\n\nold\n\n<!-- end -->\nBetween.\n<!-- bench: lists -->\n\nkept\n\n<!-- end -->\n"


class Written(unittest.TestCase):
    def test_what_was_measured_is_replaced_and_the_rest_stays(self):
        page = written(PAGE, {"requests": "a \\1 row\n"})
        self.assertEqual(page, PAGE.replace("old", "a \\1 row"))

    def test_a_section_without_a_place_is_refused(self):
        with self.assertRaises(SystemExit):
            written(PAGE, {"pages": "a row\n"})


class Goals(unittest.TestCase):
    @mock.patch("table.say", lambda _: None)
    def test_a_row_that_misses_its_goal_says_so(self):
        table = Table()
        table.beside("slow", [1, 2, 3], "the same", [4], at_least(0.6), "a second")
        table.beside("fast", [1, 2, 3], "the same", [4], at_least(0.5), "a second")
        table.beside("late", [0.4], "the same", [0.1], at_most(2, 0.5, "500 ms"), "ms")
        self.assertEqual(table.missed, ["slow"])
        self.assertIn("| slow | 2 a second | the same, 4 a second | 0.50 | ≥ 0.6 | **no** |", table.sections()["requests"])


if __name__ == "__main__":
    unittest.main()
