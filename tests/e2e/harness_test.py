"""Copies of the workspace, without Bazel."""

import os
import tempfile
import unittest
from unittest import mock

import harness


class Fill(unittest.TestCase):
    def filled(self, repository: str, programs: str) -> str:
        """The `.bazelrc` of a copy that takes its programs from a folder."""
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(harness, "REPOSITORY", repository):
            harness.fill(folder, programs)
            self.assertIn(f'databuild.prebuilt(path = "{programs}"', harness.read(os.path.join(folder, "MODULE.bazel")))
            return harness.read(os.path.join(folder, ".bazelrc"))

    def test_bazel_sees_what_is_below_tmp(self):
        mount = "build --sandbox_add_mount_pair=/tmp\n"
        own = harness.read(os.path.join(harness.TEMPLATE, ".bazelrc"))
        self.assertEqual(self.filled("/srv/clone", "/tmp/programs"), own + mount)
        self.assertEqual(self.filled("/tmp/clone", "/srv/programs"), own + mount)
        self.assertEqual(self.filled("/srv/clone", "/srv/programs"), own)


if __name__ == "__main__":
    unittest.main()
