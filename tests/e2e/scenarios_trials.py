"""Jobs invoked by hand, and work repeated to compare what comes of it."""

from __future__ import annotations

from harness import read
from scenario import Scenario


class Invoke(Scenario):
    """One job by hand, with parameters."""

    steps = True

    def test_a_defaults(self):
        """a job gets the defaults of its parameters, and by hand it runs whatever the state"""
        self.ws.cli("build", "probe/given").expect(0)
        self.assertEqual(read(self.ws.at("out", "given", "1.txt")), "plain\n")
        self.assertSays(self.ws.cli("invoke", "give", "probe/given/n=1").expect(0), "1 partition built")
        self.assertSays(self.ws.cli("build", "probe/given").expect(0), "everything is current")

    def test_b_values(self):
        """other values are other arguments: the request has them, and what they made is stale"""
        self.ws.cli("invoke", "//probe:give", "probe/given/n=1", "--param", "text=by=hand").expect(0)
        self.assertEqual(read(self.ws.at("out", "given", "1.txt")), "by=hand\n")
        run = self.ws.cli("runs", "--job", "//probe:give", "--limit", "1", "--json").expect(0).json()["data"][0]["id"]
        self.assertEqual(self.ws.cli("runs", run, "--json").expect(0).json()["params"], {"text": "by=hand"})
        why = self.ws.cli("why", "probe/given/n=1").expect(0)
        self.assertSays(why, "stale because it was made with text=by=hand by hand")
        self.assertEqual(self.ws.states("probe/given"), {"current": 1, "stale": 1})
        self.ws.cli("accept", "probe/given/n=1", "--reason", "wanted").expect(0)
        self.assertEqual(self.ws.states("probe/given"), {"current": 2})

    def test_c_want(self):
        """a detached invocation is a want that tells its values"""
        want = self.ws.cli("invoke", "give", "probe/given", "--param", "text=x", "--detach", "--json").expect(0).json()["id"]
        self.ws.wait_want(want, "satisfied")
        self.assertEqual(self.ws.cli("want", "get", want, "--json").expect(0).json()["params"], {"text": "x"})

    def test_d_refusals(self):
        """what cannot be invoked is refused, with what there is"""
        for arguments, code, says in [
            (["sum", "probe/given"], "ambiguous_job", "//:sum or //dynamic:sum"),
            (["nothing", "probe/given"], "unknown_job", "no job `nothing`"),
            (["give", "total"], "not_of_job", "not made by //probe:give"),
            (["give", "probe/given", "--param", "size=1"], "unknown_param", "it has text"),
            (["give", "probe/given", "--param", "text=" + "x" * 5000], "bad_param", "5000 bytes"),
        ]:
            refused = self.ws.cli("invoke", *arguments).expect(2)
            self.assertSays(refused, code)
            self.assertSays(refused, says)
        self.ws.cli("invoke", "give", "probe/given", "--param", "text").expect(2)
