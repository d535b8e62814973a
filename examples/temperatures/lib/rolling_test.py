import unittest

from lib.rolling import rolling_mean


class RollingTest(unittest.TestCase):
    def test_the_mean_of_all_readings(self):
        self.assertAlmostEqual(rolling_mean([1.0, 2.0, 6.0], trim=0), 3.0)

    def test_trimming_drops_both_ends(self):
        self.assertAlmostEqual(rolling_mean([-50.0, 3.0, 1.0, 99.0], trim=1), 2.0)

    def test_nothing_left_is_an_error(self):
        for readings, trim in (([], 0), ([1.0, 2.0], 1)):
            with self.assertRaisesRegex(ValueError, "leave none"):
                rolling_mean(readings, trim)


if __name__ == "__main__":
    unittest.main()
