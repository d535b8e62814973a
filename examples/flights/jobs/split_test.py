import os
import tempfile
import unittest

from jobs.split import split
from lib.flights import BadRow, Flight, read

HEADER = "departure,origin,destination,distance_miles,delay_minutes\n"
MONTH = HEADER + "2001-01-01 07:00,PDX,MCI,1481,-10\n2001-01-02 06:00,OAK,LAX,337,20\n2001-01-01 06:30,OAK,SAN,446,0\n"


class SplitTest(unittest.TestCase):
    def split(self, text, *dates, late=HEADER):
        with tempfile.TemporaryDirectory() as folder:
            sources = [os.path.join(folder, name) for name in ("month.csv", "month-late.csv")]
            for source, content in zip(sources, (text, late)):
                with open(source, "w", encoding="utf-8") as file:
                    file.write(content)
            outputs = [{"partition": d, "keys": {"date": d}, "path": os.path.join(folder, d)} for d in dates]
            lines = []
            request = {"outputs": outputs, "inputs": {"months": [{"paths": sources}]}}
            split(request, lambda **line: lines.append(line))
            return lines, {output["partition"]: list(read(output["path"])) for output in outputs}

    def test_each_day_has_its_flights_in_order(self):
        lines, days = self.split(MONTH, "2001-01-01", "2001-01-03")
        self.assertEqual(
            days["2001-01-01"],
            [Flight("2001-01-01 06:30", "OAK", "SAN", 446, 0), Flight("2001-01-01 07:00", "PDX", "MCI", 1481, -10)],
        )
        self.assertEqual(days["2001-01-03"], [])
        self.assertIn({"type": "done", "partition": "2001-01-01", "rows": 2}, lines)

    def test_late_flights_come_in_a_file_of_their_own(self):
        _, days = self.split(MONTH, "2001-01-02", late=HEADER + "2001-01-02 05:00,SFO,LAX,337,1\n")
        self.assertEqual([flight.origin for flight in days["2001-01-02"]], ["SFO", "OAK"])

    def test_airports_are_told_once_each(self):
        lines, _ = self.split(MONTH, "2001-01-01", "2001-01-02")
        self.assertEqual([line["key"] for line in lines if line["type"] == "key"], ["OAK", "PDX"])

    def test_bad_rows_are_named_with_their_line(self):
        for row, problem in (
            ("2001-01-01 7:00,PDX,MCI,1481,-10", "month.csv:2: not a time"),
            ("2001-01-01 07:00,pdx,MCI,1481,-10", "month.csv:2: not an airport's code: 'pdx'"),
            ("2001-01-01 07:00,PDX,MCI,far,-10", "whole numbers: 'far'"),
            ("2001-01-01 07:00,PDX,MCI,1481", "expected 5 fields, got 4"),
        ):
            with self.subTest(problem), self.assertRaisesRegex(BadRow, problem):
                self.split(HEADER + row + "\n", "2001-01-01")


if __name__ == "__main__":
    unittest.main()
