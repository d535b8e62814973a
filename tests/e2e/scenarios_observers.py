"""External data that is watched: by a pattern of files, by a program, and over HTTP."""

from __future__ import annotations

import http.server
import os
import shutil
import threading

from harness import alive, edit, read, wait_until, write
from scenario import Scenario

CITIES = ("north", "south")


class Watched(Scenario):
    """What the scenarios of all observers say."""

    steps = True

    def built(self, target: str) -> list:
        """Builds what can be built, all of it; the keys that were built."""
        return keys_of(self.ws.cli("build", target, "--json").expect(0))

    def blocked(self, target: str, *parts: str) -> list:
        """Builds what can be built, which is not all, with its reason, told once; the keys that were not."""
        refused = self.ws.cli("build", target).expect(1)
        self.assertSays(refused, *parts)
        self.assertEqual((refused.out + refused.err).count(parts[0]), 1, refused)
        plan = self.ws.cli("plan", target, "--no-save", "--json").expect(1).json()
        self.assertIn(parts[0], plan["blocked"][0]["message"])
        references = [reference for group in plan["blocked"] for reference in group["partitions"]]
        return sorted(key for reference in references for key in reference.rpartition("=")[2].split("+"))


def keys_of(built) -> list:
    events = [line["event"] for line in built.json_lines() if "event" in line]
    return sorted(event["partition"].rpartition("=")[2] for event in events if event["what"] == "built")


class Observers(Watched):
    def feed(self, city: str, name: str, content: str) -> None:
        folder = self.ws.at("control", "feed", city)
        os.makedirs(folder, exist_ok=True)
        write(os.path.join(folder, name), content)

    def note(self, source: str, city: str) -> str:
        return read(self.ws.at("out", "observed", source, f"{city}.txt"))

    def rates(self, script: str) -> None:
        """What the observer of rates does from now on."""
        os.makedirs(self.ws.at("control"), exist_ok=True)
        write(self.ws.at("control", "rates"), script)

    def answers(self, **versions: str) -> None:
        """Makes the observer say these versions of the cities that it is asked about."""
        asked = "grep -q 'city={}\"' \"$DATABUILD_REQUEST\" && {}"
        lines = [asked.format(city, answer(f"observed/rates/city={city}", version)) for city, version in versions.items()]
        self.rates("".join(lines) + "true\n")

    def asked(self) -> list:
        return read(self.ws.at("control", "asked")).split()

    def test_a_first(self):
        """the files that match are the data of a partition, and its data version is known once it is looked at"""
        for city in CITIES:
            self.feed(city, "1.csv", f"{city} 1\n")
        self.assertEqual(self.built("observed/feed_note"), ["north", "south"])
        self.assertIn('"version":"sha256:', self.note("feed", "north"))
        self.assertNotEqual(self.note("feed", "north"), self.note("feed", "south"))
        self.assertSays(self.ws.cli("build", "observed/feed_note").expect(0), "nothing to build")

    def test_b_changed(self):
        """a file more, another content and a file less make stale what is made from that partition alone, and why says so"""
        changes = (
            lambda: self.feed("north", "2.csv", "north 2\n"),
            lambda: self.feed("north", "2.csv", "north 3\n"),
            lambda: os.unlink(self.ws.at("control", "feed", "north", "1.csv")),
        )
        for change in changes:
            south = self.note("feed", "south")
            change()
            why = self.ws.cli("why", "observed/feed_note/city=north", "--json").expect(0).json()
            self.assertEqual((why["state"], why["causes"][0]["reason"]), ("stale", "inputs_changed"))
            (changed,) = why["causes"][0]["inputs"]
            self.assertEqual(changed["partition"], "observed/feed/city=north")
            self.assertNotEqual(changed["then"], changed["now"])
            self.assertEqual(self.built("observed/feed_note"), ["north"])
            self.assertIn(changed["now"], self.note("feed", "north"))
            self.assertEqual(self.note("feed", "south"), south)

    def test_c_same(self):
        """a file that does not match, and the same bytes written again, change nothing"""
        self.feed("north", "notes.txt", "not looked at\n")
        self.feed("south", "1.csv", "south 1\n")
        self.assertSays(self.ws.cli("build", "observed/feed_note").expect(0), "nothing to build")

    def test_d_program(self):
        """a program says data versions: of all partitions at once, and another one makes stale what rests on it"""
        self.answers(north="n1", south="s1")
        self.ws.cli("plan", "observed/rates_note", "--no-save").expect(0)
        self.assertEqual(len(self.asked()), 1)
        self.assertEqual(self.built("observed/rates_note"), ["north", "south"])
        self.assertEqual(self.note("rates", "north"), '"version":"n1"\n')
        self.assertSays(self.ws.cli("build", "observed/rates_note").expect(0), "nothing to build")
        self.answers(north="n1", south="s2")
        self.assertSays(self.ws.cli("why", "observed/rates_note/city=south").expect(0), "stale", "s1 then", "s2 now")
        self.assertEqual(self.built("observed/rates_note"), ["south"])
        self.assertEqual(self.note("rates", "south"), '"version":"s2"\n')

    def test_e_liars(self):
        """an observer that breaks its contract is believed in nothing, and says what is wrong in one line"""
        for script, fault in (
            ("echo 'no JSON'", "line 1 of what it says cannot be read"),
            ("head -c 65536 /dev/urandom", "of what it says cannot be read"),
            ("yes | head -c 20000000", "it says more than 16777216 bytes"),
            (answer("observed/feed/city=north", "x"), "which it was not asked about"),
            (answer("observed/rates/city=north", "x") + answer("observed/rates/city=north", "y"), "contradicts"),
            (answer("observed/rates/city=north", ""), "is empty"),
            (answer("observed/rates/city=north", "\\u001b[2J"), "contains a control character"),
            ("true", "it says nothing of some partitions"),
            ("echo the source is down >&2; exit 7", "it ended with exit code 7: the source is down"),
            ("kill -KILL $$", "it ended with signal 9"),
        ):
            with self.subTest(fault=fault):
                pid = self.ws.server_pid()
                self.rates(script)
                self.assertEqual(self.blocked("observed/rates_note", fault, "//observed:ask_bin"), ["north", "south"])
                self.assertEqual(self.ws.server_pid(), pid)
        self.assertEqual(self.note("rates", "south"), '"version":"s2"\n')

    def test_f_silence(self):
        """of a partition that the observer does not mention only that one is not known"""
        self.answers(north="n2")
        self.assertEqual(self.blocked("observed/rates_note", "it says nothing of some partitions"), ["south"])
        self.assertEqual(self.note("rates", "north"), '"version":"n2"\n')

    def test_g_hanging(self):
        """an observer that hangs is stopped with its children, and what does not rest on it goes on"""
        self.rates("sleep 300 &\necho \"$!\" >control/child\nwait\n")
        self.feed("north", "3.csv", "north 4\n")
        refused = self.ws.cli("build", "observed/rates_note", "observed/feed_note").expect(1)
        self.assertSays(refused, "//observed:ask_bin: it gave no answer within 3 s", "built     observed/feed_note/city=north")
        for pid in (int(self.asked()[-1]), int(read(self.ws.at("control", "child")))):
            wait_until(f"{pid} is gone", lambda pid=pid: not alive(pid))
        self.assertEqual(os.listdir(self.ws.at(".databuild", "observers")), [])

    def test_h_scan(self):
        """a scan tells what could not be observed, and why"""
        self.rates("exit 7")
        scan = self.ws.cli("scan", "observed/rates", "observed/feed", "--json").expect(1)
        (page,) = scan.json_lines()
        (fault,) = page["not_observed"]
        self.assertEqual(fault["partitions"], {"count": 2, "partitions": ["observed/rates/city=north+south"]})
        self.assertIn("exit code 7", fault["message"])
        self.assertEqual(fault["code"], "unreadable")

    def test_i_again(self):
        """once it answers as before, all is current without a run"""
        self.answers(north="n2", south="s2")
        self.assertSays(self.ws.cli("build", "observed/rates_note").expect(0), "nothing to build")


def answer(partition: str, version: str) -> str:
    return f"printf '%s\\n' '{{\"partition\": \"{partition}\", \"version\": \"{version}\"}}'\n"


class Pages(http.server.ThreadingHTTPServer):
    """A server of pages: for each path its status and its ETag."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), PageHandler)
        self.pages = {f"/{city}.csv": (200, f"{city} 1") for city in CITIES}
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    def end(self) -> None:
        self.shutdown()
        self.server_close()
        self.thread.join()


class PageHandler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        status, etag = self.server.pages[self.path]
        self.send_response(status)
        if status == 200:
            self.send_header("ETag", f'"{etag}"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class ObserversOfPages(Watched):
    target = "observed/pages_note"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pages = Pages()
        # The graph knows the port of no scenario.
        folder = os.path.join(cls.world.folder, "pages")
        shutil.copytree(os.path.dirname(cls.world.program()), folder, symlinks=True)
        edit(os.path.join(folder, "databuild.graph.json"), "127.0.0.1:1/", f"127.0.0.1:{cls.pages.server_port}/")
        cls.ws.program = os.path.join(folder, "databuild")

    @classmethod
    def tearDownClass(cls):
        cls.pages.end()
        super().tearDownClass()

    def page(self, city: str, status: int, etag: str = "") -> None:
        self.pages.pages[f"/{city}.csv"] = (status, etag)

    def test_a_first(self):
        """a server's ETag is the data version; as long as it stays, there is nothing to do"""
        self.assertEqual(self.built(self.target), ["north", "south"])
        self.assertIn('etag:\\"north 1\\"', read(self.ws.at("out", "observed", "pages", "north.txt")))
        self.assertSays(self.ws.cli("build", self.target).expect(0), "nothing to build")

    def test_b_changed(self):
        """another ETag makes stale what is made from that page alone, and why tells both"""
        self.page("south", 200, "south 2")
        said = self.ws.cli("why", f"{self.target}/city=south").expect(0)
        self.assertSays(said, "stale", 'etag:"south 1" then', 'etag:"south 2" now')
        self.assertEqual(self.built(self.target), ["south"])

    def test_c_failing(self):
        """a page that answers 500 blocks what rests on it, with that reason; the other page's goes on"""
        pid = self.ws.server_pid()
        self.page("north", 500)
        self.page("south", 200, "south 3")
        self.assertEqual(self.blocked(self.target, "/north.csv answered with status 500"), ["north"])
        self.assertIn("south 3", read(self.ws.at("out", "observed", "pages", "south.txt")))
        self.assertEqual(self.ws.server_pid(), pid)

    def test_d_recovered(self):
        """once it answers as before, there is nothing to do"""
        self.page("north", 200, "north 1")
        self.assertSays(self.ws.cli("build", self.target).expect(0), "nothing to build")

    def test_e_gone(self):
        """a page that is not there any more: what was made from it stays"""
        self.page("north", 404)
        self.assertSays(self.ws.cli("build", self.target).expect(0), "nothing to build")
        os.unlink(self.ws.at("out", "observed", "pages", "north.txt"))
        self.assertSays(self.ws.cli("build", self.target).expect(1), "observed/pages/city=north", "not there")
        self.page("north", 200, "north 1")
        self.assertEqual(self.built(self.target), ["north"])

    def test_f_unreachable(self):
        """a server that is down blocks what rests on it, and nothing else"""
        pid = self.ws.server_pid()
        self.pages.end()
        self.assertEqual(self.blocked(self.target, "/north.csv cannot be asked", "/south.csv cannot be asked"), ["north", "south"])
        self.ws.cli("build", "probe/tree").expect(0)
        self.assertEqual(self.ws.server_pid(), pid)
