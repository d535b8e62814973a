import os
import tempfile
import unittest

from jobs.ingest import day_of, ingest
from lib.job import BadInput, Partition, Request

SEATTLE = "date,temp\n2010/03/13 23:00,44.1\n2010/03/14 01:00,43.5\n2010/03/14 00:00,-3.9\n2010/03/15 00:00,44.0\n"
SAN_FRANCISCO = "temp,date\n51.7,2010/03/14 00:00:00\n51,2010/03/14 01:00:00\n"


def row(date, temp="1.0"):
    return {"date": date, "temp": temp}


class IngestTest(unittest.TestCase):
    def ingest(self, raw):
        with tempfile.TemporaryDirectory() as folder:
            source, target = os.path.join(folder, "raw.csv"), os.path.join(folder, "out.csv")
            with open(source, "w", encoding="utf-8") as file:
                file.write(raw)
            keys = {"city": "x", "date": "2010-03-14"}
            done = ingest(Request(Partition("o", keys, target), {"raw": [Partition("raw", {"city": "x"}, source)]}))
            with open(target, encoding="utf-8") as file:
                return done, file.read()

    def test_both_layouts_become_one(self):
        done, text = self.ingest(SEATTLE)
        self.assertEqual(text, "time,temp_f\n2010-03-14T00:00,-3.9\n2010-03-14T01:00,43.5\n")
        self.assertEqual(done.rows, 2)
        _, text = self.ingest(SAN_FRANCISCO)
        self.assertEqual(text, "time,temp_f\n2010-03-14T00:00,51.7\n2010-03-14T01:00,51\n")

    def test_bad_rows_are_named_with_their_line(self):
        good = row("2010/03/14 00:00")
        for rows, problem in (
            ([good, row("14.3.2010 00:00")], "s:3: not a time"),
            ([good, row("2010/03/14 24:00")], "s:3: not a time"),
            ([row("2010/03/14 00:00", "warm")], "s:2: not a temperature: 'warm'"),
            ([row("2010/03/14 00:00", "nan")], "s:2: not a temperature"),
            ([good, row("2010/03/14 00:00:00")], "s:3: a second reading for 2010-03-14T00:00"),
            ([row("2010/03/15 00:00")], "s: no readings for 2010-03-14"),
        ):
            with self.subTest(problem), self.assertRaisesRegex(BadInput, problem):
                day_of(rows, "2010-03-14", "s")


if __name__ == "__main__":
    unittest.main()
