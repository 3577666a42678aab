"""
The dashboard in a real browser: what a person sees and does there, by mouse and by keyboard.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.browser import Browser, Tab
from tests.integration.processes import Running, Twistd, labnet

LAB = """
[discovery]
listen = "udp:0"

[calculator]
listen = ["tcp:0", "net=tcp:0", "udp:0"]

[proxy]
listen = "tcp:0"
block = "SzamHalo"

[echo]
listen = ["raw=tcp:0", "raw=udp:0"]

[web]
listen = "tcp:0"

[chat]
listen = ["line=tcp:0"]

[dashboard]
listen = "tcp:0"
"""

#: Screens that people have.
SCREENS = [(1280, 800, "light"), (1280, 800, "dark"), (375, 700, "light"), (375, 700, "dark")]

#: A server as a student writes it: one recv for one message, and so wrong.
STUDENT_SERVER = """
import socket, struct
server = socket.create_server(("127.0.0.1", 0))
print("listening on", server.getsockname()[1], flush=True)
while True:
    client, _ = server.accept()
    a, b, operator = struct.unpack("ii1s", client.recv(9))
    client.sendall(struct.pack("ii1s", a + b, 0, b"R"))
    client.close()
"""

KEYS = {"ArrowDown": 40, "ArrowUp": 38, "Enter": 13, "Tab": 9, "End": 35, "Home": 36, "ArrowRight": 39}


class Page(Tab):
    """The dashboard in a tab, on a screen of a usual size."""

    def __init__(self, browser: Browser, url: str) -> None:
        super().__init__(browser, url)
        self.resize(1280, 800)

    def rows(self) -> list[str]:
        """The conversations in the list."""
        found = self.evaluate("[...document.querySelectorAll('.connection')].map((row) => row.innerText)")
        assert isinstance(found, list)
        return found

    def waitForRow(self, text: str) -> None:
        self.waitFor(
            "[...document.querySelectorAll('.connection')].some((row) => "
            f"row.innerText.includes({json.dumps(text)}))"
        )

    def choose(self, text: str) -> None:
        """Click on the newest conversation with that text."""
        self.waitForRow(text)
        self.evaluate(
            "[...document.querySelectorAll('.connection')].find((row) => "
            f"row.innerText.includes({json.dumps(text)})).click()"
        )

    def press(self, key: str, times: int = 1) -> None:
        for _ in range(times):
            for kind in ("keyDown", "keyUp"):
                code = KEYS[key]
                text = {"text": "\r"} if key == "Enter" else {}
                self.call(
                    "Input.dispatchKeyEvent",
                    type=kind,
                    key=key,
                    code=key,
                    windowsVirtualKeyCode=code,
                    **text,
                )

    def focused(self) -> str:
        """What the keyboard goes to."""
        found = self.evaluate("document.activeElement.id || document.activeElement.className")
        assert isinstance(found, str)
        return found

    def ladder(self) -> str:
        found = self.evaluate("document.getElementById('ladder').innerText")
        assert isinstance(found, str)
        return found


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twistd]:
    directory = tmp_path_factory.mktemp("lab")
    directory.joinpath("lab.toml").write_text(LAB)
    with Twistd(directory, "labnet", "--config", "lab.toml") as running:
        running.waitFor("dashboard: http")
        yield running


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def url(program: Running) -> str:
    return program.waitFor(r"dashboard: (http://\S+)$")[1]


@pytest.fixture
def page(lab: Twistd, chromium: Browser) -> Iterator[Page]:
    """The dashboard of the lab. In the end nothing on it has gone wrong, or was refused by its policy."""
    opened = Page(chromium, url(lab))
    opened.waitFor("document.getElementById('state').textContent === 'live'")
    yield opened
    opened.close()
    problems, chromium.problems = chromium.problems, []
    assert problems == []


def converse(lab: Twistd) -> socket.socket:
    """A student's client: a request, another one in two pieces, and two in one piece."""
    client = socket.create_connection(("127.0.0.1", lab.port("calculator (struct9)")))
    client.settimeout(30)
    request = struct.pack("<ii1s", 12, 34, b"+")
    client.sendall(request)
    client.recv(9, socket.MSG_WAITALL)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sendall(struct.pack("<ii1s", 7, 6, b"*") + request[:5])
    client.recv(9, socket.MSG_WAITALL)
    client.sendall(request[5:])
    client.recv(9, socket.MSG_WAITALL)
    return client


def test_aConversation(lab: Twistd, page: Page, tmp_path: Path) -> None:
    """
    It appears as it begins, can be clicked through, goes on while it is looked at, and says how it ended;
    on every screen, in dark and in light, without scrolling sideways.
    """
    with converse(lab) as client:
        peer = f"127.0.0.1:{client.getsockname()[1]}"
        page.choose(peer)
        page.waitFor("document.querySelectorAll('.rung').length >= 7")
        ladder = page.ladder()
        for text in (
            "request 1 12 + 34",
            "operand a12",
            "operator+",
            "reply 1 46",
            "0c 00 00 00 22 00 00 00 2b",
            "request 2 7 * 6",
            "request 3 12 + 34",
            "over 2 pieces",
        ):
            assert text in ladder.replace("\n", ""), text
        for number, (width, height, scheme) in enumerate(SCREENS):
            page.screenshot(tmp_path / f"{number}.png", width, height, scheme)
            assert tmp_path.joinpath(f"{number}.png").stat().st_size > 10_000
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert page.evaluate("document.getElementById('ladder').getBoundingClientRect().width > 300")
        client.sendall(struct.pack("<ii1s", 100, 1, b"-"))
        page.waitFor("document.getElementById('ladder').innerText.includes('100 - 1')")
        client.recv(9, socket.MSG_WAITALL)
    page.waitFor("document.getElementById('facts').innerText.includes('FIN from the peer')")


def test_whatThereIsToNotice(lab: Twistd, page: Page) -> None:
    """Sentences, and each leads to the pieces that show it."""
    with converse(lab) as client:
        page.choose(f"127.0.0.1:{client.getsockname()[1]}")
        page.waitFor("document.querySelectorAll('#notices li').length === 4")
        across = "One piece had the end of request 2 and the beginning of request 3."
        assert across in page.evaluate("document.getElementById('notices').innerText")
        page.evaluate(f"document.querySelector('[aria-label=\"Show me: {across}\"]').click()")
        assert page.evaluate("document.querySelectorAll('.noticed').length") == 1
        assert page.evaluate("document.activeElement.innerText.includes('7 * 6')")
        # A shown sentence stays as the conversation goes on.
        client.sendall(struct.pack("<ii1s", 100, 1, b"-") * 2)
        page.waitFor("document.querySelectorAll('#notices li').length === 5")


def test_withTheKeyboardAlone(lab: Twistd, page: Page) -> None:
    """From the top to a piece of a conversation, and to another tab, without a mouse."""
    converse(lab).close()
    page.waitForRow("calculator")
    page.evaluate("document.querySelector('.skip').focus()")
    for _ in range(20):
        page.press("Tab")
        if page.focused() == "services":
            break
    assert page.focused() == "services"
    page.waitFor("document.querySelectorAll('#services .service').length === 7")
    page.press("ArrowDown", 2)
    page.waitFor("document.querySelectorAll('#services .listener').length === 3")
    page.press("Enter")
    assert page.focused() == "connections"
    page.waitFor(
        "[...document.querySelectorAll('.connection b')].every((name) => name.innerText === 'calculator')"
    )
    page.press("ArrowDown")
    page.waitFor(
        "!document.getElementById('ladder').hidden && document.querySelectorAll('.rung').length > 5"
    )
    assert (
        page.evaluate(
            "document.getElementById(document.getElementById('connections').getAttribute('aria-activedescendant'))"
            ".getAttribute('aria-selected')"
        )
        == "true"
    )
    page.press("Enter")
    assert page.focused() == "rungs"
    page.press("ArrowDown", 2)
    assert page.evaluate("document.activeElement.innerText.includes('12 + 34')")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.evaluate("document.querySelector('[role=tab][aria-selected=true]').focus()")
    page.press("ArrowRight")
    assert page.focused() == "tab-decisions"
    assert page.evaluate("!document.getElementById('decisions').hidden")


def test_whatPeersSendIsNeverMarkup(lab: Twistd, page: Page) -> None:
    """In bytes, in names, and in URLs that the proxy was asked for."""
    evil = "<img src=x onerror=document.title='broken'>"
    with socket.create_connection(("127.0.0.1", lab.port("echo (raw)"))) as client:
        client.sendall(evil.encode())
        page.choose(f":{client.getsockname()[1]}")
        page.waitFor("document.getElementById('ladder').innerText.includes('<img src=x')")
    with socket.create_connection(("127.0.0.1", lab.port("proxy"))) as client:
        client.sendall(
            f"GET http://127.0.0.1:1/{evil.replace(' ', '%20')} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        )
        assert client.recv(12)
    page.evaluate("document.getElementById('tab-decisions').click()")
    page.waitFor("document.getElementById('decisions').innerText.includes('<img')")
    assert page.evaluate("document.images.length") == 0
    assert page.evaluate("document.title") == "labnet dashboard"


def test_whatServicesKnow(lab: Twistd, page: Page) -> None:
    """The registry has the lab's calculator; the room has who has just come."""
    page.evaluate("document.getElementById('tab-registry').click()")
    page.waitFor(
        f"document.getElementById('registry').innerText.includes('127.0.0.1:{lab.port('calculator')}')"
    )
    with socket.create_connection(("127.0.0.1", lab.port("chat (line)"))) as client:
        client.sendall(b"Ann\n")
        page.evaluate("document.getElementById('tab-members').click()")
        page.waitFor("document.getElementById('members').innerText.includes('Ann')")
    page.waitFor("document.getElementById('members').innerText.includes('Nobody')")


def test_theTokenStaysOffTheScreen(lab: Twistd, page: Page) -> None:
    """The address loses it, a reload finds it; without it there is a page that says where it is."""
    assert page.evaluate("location.search") == ""
    page.reload("document.getElementById('state')?.textContent === 'live'")
    page.evaluate("sessionStorage.setItem('token', 'an-old-token-of-before')")
    locked = "document.querySelector('h1')?.textContent === 'The dashboard is locked'"
    page.reload(f"{locked} && sessionStorage.getItem('token') === null")
    page.forgive("401")


def test_pause(lab: Twistd, page: Page) -> None:
    """Nothing moves, and everything is there afterwards."""
    page.evaluate("document.getElementById('pause').click()")
    before = page.rows()
    client = converse(lab)
    port = client.getsockname()[1]
    client.close()
    assert page.rows() == before
    page.evaluate("document.getElementById('pause').click()")
    page.waitForRow(f":{port}")


def test_aFileForWireshark(lab: Twistd, page: Page) -> None:
    """What the button fetches."""
    converse(lab).close()
    page.waitForRow("calculator")
    page.evaluate("URL.createObjectURL = (blob) => { window.saved = blob; return '#'; }")
    page.evaluate("document.getElementById('export').click()")
    page.waitFor("window.saved !== undefined")
    start = page.evaluate(
        "window.saved.slice(0, 4).arrayBuffer().then((bytes) => [...new Uint8Array(bytes)].join())"
    )
    assert start == "10,13,13,10"


def test_aThousandConnections(lab: Twistd, page: Page) -> None:
    """All at once, each saying something: the newest are there, the rest is counted, nothing is lost."""
    port = lab.port("echo (raw)")
    page.evaluate("document.getElementById('which').value = 'open'")
    page.evaluate("document.getElementById('which').dispatchEvent(new Event('change'))")
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(1_000)]
        for _ in range(3):
            for client in clients:
                client.sendall(b"hello")
            for client in clients:
                assert client.recv(5, socket.MSG_WAITALL) == b"hello"
        page.waitFor("document.querySelectorAll('.connection').length === 200")
        page.waitFor("/and [89]\\d\\d more/.test(document.getElementById('more').innerText)")
        page.waitFor("document.getElementById('services').innerText.includes('1000')")
        assert (
            labnet("calculator", "--connect", f"tcp:127.0.0.1:{lab.port('calculator')}", "12 + 34").stdout
            == "46\n"
        )
        page.choose(f":{clients[-1].getsockname()[1]}")
        page.waitFor("document.querySelectorAll('.written').length === 3")
    page.waitFor("document.querySelectorAll('.connection').length < 5")
    assert page.evaluate("document.getElementById('state').textContent") == "live"


def test_inFrontOfAnybodysServer(tmp_path: Path, chromium: Browser) -> None:
    """A student's server is watched through a relay, and its messages are taken apart."""
    with Running([sys.executable, "-c", STUDENT_SERVER]) as student:
        port = student.waitFor(r"listening on (\d+)")[1]
        watch = f"calculator/struct9=tcp:0=tcp:127.0.0.1:{port}"
        with Twistd(tmp_path, "labnet-dashboard", "--listen", "tcp:0", "--watch", watch) as watching:
            page = Page(chromium, url(watching))
            there = f"tcp:127.0.0.1:{watching.port('calculator (struct9)')}"
            assert labnet("calculator", "--connect", there, "12 + 34").stdout == "46\n"
            page.choose("calculator")
            page.waitFor("document.getElementById('ladder').innerText.includes('12 + 34')")
        # The lab has gone; the page waits for it, and keeps what it has.
        page.waitFor("document.getElementById('state').textContent === 'connection lost; trying again'")
        assert "12 + 34" in page.ladder()
        page.close()
        chromium.problems.clear()
        student.process.kill()
        student.wait()


def test_breakingTheNetwork(lab: Twistd, page: Page) -> None:
    """
    A mistake is explained where it was made; what is broken is marked, happens to connections that begin
    afterwards, and is in their conversations; then it is over.
    """
    echo = "[...document.querySelectorAll('.switch')].find((form) => form.innerText.startsWith('echo'))"
    field = f"{echo}.querySelector('input')"
    page.evaluate("document.getElementById('tab-faults').click()")
    page.waitFor(f"{echo} !== undefined")
    page.evaluate(f"{field}.id = 'echo-faults'")
    page.type("#echo-faults", "out: ct=2")
    page.waitFor(f"{echo}.querySelector('[role=alert]').innerText.includes('did you mean cut?')")
    page.evaluate(f"{field}.value = ''")
    page.type("#echo-faults", "out: cut=2")
    page.waitFor(f"/On, .*seed=\\d+; out: cut=2/.test({echo}.innerText)")
    page.waitFor("document.querySelector('#services .tag')?.innerText === 'faults'")
    assert page.evaluate(f"{echo}.querySelector('[role=alert]').innerText") == ""
    with socket.create_connection(("127.0.0.1", lab.port("echo (raw)"))) as client:
        client.sendall(b"hello")
        assert client.recv(5, socket.MSG_WAITALL) == b"hello"
        page.choose(f":{client.getsockname()[1]}")
        page.waitFor("document.querySelectorAll('.written').length === 3")
        page.waitFor("document.querySelectorAll('.rung.fault').length > 0")
    off = f"{echo}.querySelector('button[type=button]')"
    page.waitFor(f"!{off}.disabled")
    page.evaluate(f"{off}.click()")
    page.waitFor("document.querySelector('#services .tag') === null")
    with socket.create_connection(("127.0.0.1", lab.port("echo (raw)"))) as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
    page.forgive("400")


def test_fromOneToTheNextWhileTheyGoOn(lab: Twistd, page: Page) -> None:
    """However fast they are chosen, whatever comes meanwhile: what is shown is one conversation, whole."""
    with ExitStack() as stack:
        port = lab.port("echo (raw)")
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(3)]
        for number in range(30):
            for client in clients:
                client.sendall(b"%d" % number)
                client.recv(10)
            if number == 5:
                page.choose(f":{clients[2].getsockname()[1]}")
                page.evaluate("document.getElementById('connections').focus()")
            if number > 5:
                page.press("ArrowUp" if number % 4 < 2 else "ArrowDown")
        peer = clients[1].getsockname()[1]
        page.choose(f":{peer}")
        page.waitFor(f"document.getElementById('lane-peer').innerText === '127.0.0.1:{peer}'")
        page.waitFor("document.querySelectorAll('.rung').length === 61")
        shown = page.evaluate(
            "[...document.querySelectorAll('.received .text')].map((text) => text.innerText)"
        )
        assert shown == [str(number) for number in range(30)]
