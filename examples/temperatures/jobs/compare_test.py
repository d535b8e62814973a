import re
import unittest
import xml.etree.ElementTree as ElementTree

from jobs.compare import City, Month, render
from lib.chart import Day, Series

SVG = re.compile(r"<svg viewBox=.*?</svg>", re.DOTALL)


def city(name, mean, days=28, hours=24):
    series = [Day(n, mean - 5, mean + n / 10, mean + 5, mean, 7, hours if n == 14 else 24) for n in range(1, days + 1)]
    return City(Series(name, series), Month(mean - 5, mean, mean + 5, days, 24 * days))


def charts(text):
    return [ElementTree.fromstring(svg) for svg in SVG.findall(text)]


class CompareTest(unittest.TestCase):
    def test_every_city_has_a_daily_and_a_rolling_line_over_all_days(self):
        means, _ = charts(render("2010-02", [city("A", 40.0), city("B", 50.0)]))
        lines = {line.get("class"): line.get("points").split() for line in means.iter("polyline")}
        self.assertEqual(sorted(lines), ["daily city0", "daily city1", "rolling city0", "rolling city1"])
        self.assertEqual({len(points) for points in lines.values()}, {28})
        a, b = (float(lines[f"rolling city{index}"][0].split(",")[1]) for index in (0, 1))
        self.assertGreater(a, b, "the warmer city is drawn higher, where y is smaller")

    def test_bars_stand_side_by_side_inside_the_frame(self):
        _, ranges = charts(render("2010-02", [city("A", 40.0), city("B", 50.0)]))
        bars = sorted((float(bar.get("x")), float(bar.get("width"))) for bar in ranges.iter("rect"))
        self.assertEqual(len(bars), 56)
        for (left, width), (following, _) in zip(bars, bars[1:]):
            self.assertLessEqual(left + width, following)

    def test_charts_say_what_they_show(self):
        for chart in charts(render("2010-02", [city("A", 40.0), city("B", 50.0)])):
            ids = chart.get("aria-labelledby").split()
            self.assertEqual([chart.find("title").get("id"), chart.find("desc").get("id")], ids)
            self.assertIn("February", chart.find("title").text)
            texts = [text.text for text in chart.iter("text")]
            for label in ("Day of February", "Temperature in °F", "Temperature in °C"):
                self.assertIn(label, texts)

    def test_the_table_has_the_month_and_not_the_mean_of_what_is_drawn(self):
        text = render("2010-02", [city("A", 40.0), city("B", -50.0)])
        self.assertIn("<td>35.0 °F<small>1.7 °C</small><small>1 February</small></td><td>40.0 °F", text)
        self.assertIn("<td>\N{MINUS SIGN}50.0 °F", text)
        self.assertIn("A was the warmer city in February 2010: 40.0 °F (4.4 °C) on average, against", text)

    def test_days_without_24_hours_are_named(self):
        both = [city("A", 40.0, hours=23), city("B", 50.0, hours=23)]
        self.assertIn("14 March has 23 hours; every other day has 24.", render("2010-03", both))
        one = [city("A", 40.0), city("B", 50.0, hours=23)]
        self.assertIn("14 March has 23 hours in B; every other day has 24.", render("2010-03", one))
        self.assertIn("Every day has 24 hours.", render("2010-03", [city("A", 40.0)]))

    def test_names_are_text_and_the_page_needs_nothing_beside_itself(self):
        text = render("2010-02", [city("<b>&", 40.0), city("B", 40.0)])
        self.assertNotIn("<b>", text)
        self.assertEqual(len(charts(text)), 2)
        self.assertNotRegex(text, r"<(?:script|link|img|iframe)|https?:|url\(|@import")

    def test_even_temperatures_can_be_drawn(self):
        flat = [Day(n, 50.0, 50.0, 50.0, 50.0, n, 24) for n in range(1, 29)]
        text = render("2010-02", [City(Series("A", flat), Month(50.0, 50.0, 50.0, 28, 672))])
        self.assertIn("Until 6 February it covers fewer than seven days.", text)
        self.assertNotIn("nan", " ".join(line.get("points") for line in charts(text)[0].iter("polyline")))


if __name__ == "__main__":
    unittest.main()
