import unittest

from jobs.punctuality import summary
from jobs.ranking import page


class RankingTest(unittest.TestCase):
    def test_figures_of_delays(self):
        self.assertEqual(
            summary([-5, 0, 16, 45]),
            {"flights": 4, "late": 0.5, "mean_delay": 14.0, "median_delay": 8.0, "worst_delay": 45},
        )

    def test_the_least_punctual_comes_first(self):
        text = page("2001-01", {"OAK": summary([0]), "PDX": summary([60, 0]), "SAN": summary([30])})
        self.assertIn("4 flights from 3 airports", text)
        places = [text.index(f"<td>{airport}<td>") for airport in ("SAN", "PDX", "OAK")]
        self.assertEqual(places, sorted(places))


if __name__ == "__main__":
    unittest.main()
