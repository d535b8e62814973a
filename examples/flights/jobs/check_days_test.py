import os
import tempfile
import unittest

from jobs.check_days import check_days
from lib.flights import Flight, write

FIRST = Flight("2001-01-01 06:30", "OAK", "SAN", 446, 0)
SECOND = Flight("2001-01-01 07:00", "PDX", "MCI", 1481, -10)


class CheckDaysTest(unittest.TestCase):
    def found(self, flights):
        """What the check says of a file of the first of January."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "day.csv")
            if flights is not None:
                write(path, flights)
            lines = []
            output = {"partition": "p", "keys": {"date": "2001-01-01"}, "path": path}
            check_days({"outputs": [output]}, lambda **line: lines.append(line))
            return [(line["ok"], line["message"]) for line in lines]

    def test_a_good_day_passes(self):
        self.assertEqual(self.found([FIRST, SECOND]), [(True, "")])
        self.assertEqual(self.found([]), [(True, "")])

    def test_what_is_wrong_is_said(self):
        other = "its flights are not in order, or one is there twice"
        self.assertEqual(self.found([SECOND, FIRST]), [(False, other)])
        self.assertEqual(self.found([FIRST, FIRST]), [(False, other)])
        self.assertEqual(self.found([FIRST._replace(distance=0)]), [(False, "row 2 is a flight of 0 miles")])
        tomorrow = SECOND._replace(departure="2001-01-02 07:00")
        self.assertEqual(self.found([FIRST, tomorrow]), [(False, "row 3 is of 2001-01-02")])

    def test_nothing_is_said_of_what_is_not_there(self):
        self.assertEqual(self.found(None), [])


if __name__ == "__main__":
    unittest.main()
