"""What is wrong with what followers were told, without a server."""

import json
import unittest
from unittest import mock

import examine
from followers import Follower, Followers

LOG = [{"seq": seq, "text": f"event {seq}"} for seq in range(1, 6)]


class Compare(unittest.TestCase):
    def wrong(self, *told: dict) -> list:
        """What is said of one that was told this."""
        follower = Follower(None)
        follower.seen = [(row["seq"], json.dumps(row)) for row in told]
        followers = Followers(None, 0)
        followers.all = [follower]
        with mock.patch.object(examine, "log", lambda _: iter(LOG)):
            return followers.compare(len(LOG))

    def test_the_log_is_right(self):
        self.assertEqual(self.wrong(*LOG), [])

    def test_twice_is_wrong(self):
        self.assertIn("was told [2] after [1, 2]", self.wrong(*LOG[:2], *LOG[1:])[0])

    def test_left_out_is_wrong(self):
        self.assertIn("was told [5] after [1, 2, 3]", self.wrong(*LOG[:3], *LOG[4:])[0])
        self.assertIn("was told [] after [2, 3, 4]", self.wrong(*LOG[:4])[0])

    def test_another_order_is_wrong(self):
        self.assertIn("was told [4] after [1, 2]", self.wrong(*LOG[:2], LOG[3], LOG[2], LOG[4])[0])

    def test_other_content_is_wrong(self):
        other = {"seq": 3, "text": "another event"}
        self.assertIn("another event", self.wrong(*LOG[:2], other, *LOG[3:])[0])
        self.assertEqual(len(self.wrong(*LOG[:2], other, *LOG[3:])), 1)


if __name__ == "__main__":
    unittest.main()
