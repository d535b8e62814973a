"""The base of all scenarios."""

from __future__ import annotations

import os
import unittest

from harness import Workspace, World, read


def title(test) -> str:
    """Class and first line of the docstring: what is printed, and what filters look at."""
    if not hasattr(test, "_testMethodName"):
        return str(test)
    return f"{type(test).__name__.lower()}: {test.shortDescription() or test._testMethodName}"


class Scenario(unittest.TestCase):
    """Scenarios with one workspace, a fresh copy of the template unless a class makes another."""

    world: World
    ws: Workspace
    # Whether each scenario goes on where the one before it ended.
    steps = False
    # Whether the graph is deployed before they begin: they begin with what works with the graph that is registered.
    deployed = False
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.ws = cls.world.copy(cls.__name__.lower())
        if cls.deployed:
            cls.ws.cli("deploy", "--yes").expect(0)

    @classmethod
    def tearDownClass(cls):
        cls.ws.stop()

    def run(self, result=None):
        before = result and len(result.failures) + len(result.errors)
        super().run(result)
        if result and len(result.failures) + len(result.errors) > before:
            log = self.ws.at(".databuild", "server.log")
            if os.path.exists(log):
                kind = result.errors if result.errors and result.errors[-1][0] is self else result.failures
                if kind and kind[-1][0] is self:
                    test, trace = kind[-1]
                    kind[-1] = (test, f"{trace}--- end of server.log\n{read(log)[-3000:]}")
        return result

    def assertSays(self, result, *parts: str):
        """A result mentions all parts, on stdout or stderr."""
        said = result.out + result.err
        for part in parts:
            if part not in said:
                self.fail(f"{part!r} is not said by: {result}")
