import os
import tempfile
import unittest

from jobs.smooth import smooth
from lib.job import BadInput, Partition, Request


class SmoothTest(unittest.TestCase):
    def smooth(self, *days):
        """The output for a window of `days`, each the text of one partition of hourly_temps."""
        with tempfile.TemporaryDirectory() as folder:
            inputs = []
            for number, text in enumerate(days):
                path = os.path.join(folder, f"{number}.csv")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                inputs.append(Partition(f"hourly_temps/{number}", {}, path))
            target = os.path.join(folder, "out.csv")
            keys = {"city": "seattle", "date": "2010-01-02"}
            smooth(Request(Partition("temps_7d", keys, target), {"temps": inputs}))
            with open(target, encoding="utf-8") as file:
                return file.read()

    def test_every_hour_counts_the_same(self):
        text = self.smooth("time,temp_f\na,10\nb,20\nc,30\n", "time,temp_f\nd,-20\n")
        self.assertEqual(text, "city,date,mean_7d_f,days\nseattle,2010-01-02,10.00,2\n")

    def test_bad_days_are_named(self):
        with self.assertRaisesRegex(BadInput, "1.csv: not a temperature at b: 'warm'"):
            self.smooth("time,temp_f\na,1\n", "time,temp_f\nb,warm\n")
        with self.assertRaisesRegex(BadInput, "0.csv: no readings"):
            self.smooth("time,temp_f\n")


if __name__ == "__main__":
    unittest.main()
