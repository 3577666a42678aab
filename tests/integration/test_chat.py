"""
The chat among real programs: the course's client and server, pipes, a terminal, and a browser.
"""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import select
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.browser import Browser
from tests.integration.chatroom import Chat, Guest
from tests.integration.processes import ENVIRONMENT, PATIENCE, Running, Twistd, eventually, labnet, need

# A client as the course writes it: one thread prints whatever one recv brings, the other sends lines.
COURSE_CLIENT = """
import socket, sys, threading
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect(("127.0.0.1", int(sys.argv[1])))
def receive():
    while True:
        data = s.recv(1024)
        if not data:
            break
        print(repr(data.decode()))
threading.Thread(target=receive, daemon=True).start()
for line in sys.stdin:
    message = line.strip()
    if message == "/quit":
        break
    s.send(message.encode())
s.close()
"""

# A server likewise: a thread for each client, one recv for each message, a list of all of them.
COURSE_SERVER = """
import socket, threading
clients = {}
def broadcast(message, sender=None):
    for client in list(clients):
        if client is not sender:
            client.send(message.encode())
def handle(client):
    client.send("Enter your username: ".encode())
    name = client.recv(1024).decode()
    clients[client] = name
    broadcast(f"[SERVER] {name} joined the chat!")
    while True:
        message = client.recv(1024).decode()
        if not message or message == "/quit":
            break
        print(f"{name}: {message}")
        broadcast(f"[{name}] {message}", client)
    del clients[client]
    client.close()
    broadcast(f"[SERVER] {name} left the chat")
server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(("127.0.0.1", 0))
server.listen()
print("listening on", server.getsockname()[1])
while True:
    client, address = server.accept()
    threading.Thread(target=handle, args=(client,), daemon=True).start()
"""


class Typist(Running):
    """A program that somebody types lines into."""

    def __init__(self, *command: str) -> None:
        super().__init__(list(command), stdin=subprocess.PIPE)

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Chat]:
    with Chat(tmp_path) as chat:
        yield chat


def program(source: str, *arguments: str) -> Typist:
    return Typist(sys.executable, "-c", source, *arguments)


def test_theCoursesClient(chat: Chat) -> None:
    """Two of them, unchanged, and one of ours with another framing: each recv brings one of its texts."""
    ear = Guest(chat.ports["line"], "ear")
    with program(COURSE_CLIENT, str(chat.ports["plain"])) as ann:
        ann.waitFor("^'Enter your username: '$")
        ann.type("ann")
        ann.waitFor(r"^'\[SERVER\] ann joined the chat!'$")
        with program(COURSE_CLIENT, str(chat.ports["plain"])) as bob:
            bob.waitFor("^'Enter your username: '$")
            bob.type("ann")
            bob.waitFor(
                r"^'\[SERVER\] That name is taken, or looks like one that is. Enter your username: '$"
            )
            bob.type("bob")
            ann.waitFor(r"^'\[SERVER\] bob joined the chat!'$")
            bob.waitFor(r"^'\[SERVER\] bob joined the chat!'$")
            ann.type("hello bob")
            bob.waitFor(r"^'\[ann\] hello bob'$")
            ear.until("[ann] hello bob")
            ear.say("hi")
            bob.waitFor(r"^'\[ear\] hi'$")
            bob.type("/quit")
            ann.waitFor(r"^'\[SERVER\] bob left the chat'$")
            assert bob.wait() == 0
            assert "hello" not in "".join(line for line in ann.output if "[ann]" in line)
    ear.until("[SERVER] ann left the chat")
    ear.close()


def test_theCoursesServer() -> None:
    """Our client, not told which kind it is, and a server that takes each recv for a message."""
    with Running([sys.executable, "-c", COURSE_SERVER]) as server:
        port = server.waitFor(r"listening on (\d+)")[1]
        with Typist(sys.executable, "-m", "labnet", "chat", "--connect", f"tcp:127.0.0.1:{port}") as ann:
            ann.type("ann")
            ann.waitFor(r"^\[SERVER\] ann joined the chat!$")
            for text in ("one", "two", "three"):
                ann.type(text)
                server.waitFor(f"^ann: {text}$")
            result = labnet("chat", "--connect", f"tcp:127.0.0.1:{port}", stdin="bob\nhi\n")
            assert result.stdout == "[SERVER] bob joined the chat!\n"
            assert (result.returncode, result.stderr) == (0, "")
            ann.waitFor(r"^\[bob\] hi$")
            ann.type("/quit")
            assert ann.wait() == 0
        assert [line for line in server.output if line.startswith("ann")] == [
            "ann: one",
            "ann: two",
            "ann: three",
        ]


@pytest.mark.parametrize(
    ("way", "texts"), [("plain", ["one"]), ("line", ["one", "two"]), ("framed", ["one", "two"])]
)
def test_ourClientInAPipe(chat: Chat, way: str, texts: list[str]) -> None:
    """Of the plain kind it says one thing: only time could tell two of them apart there."""
    ear = Guest(chat.ports["line"], "ear")
    where, said = f"tcp:127.0.0.1:{chat.ports[way]}", "".join(f"{text}\n" for text in texts)
    result = labnet("chat", "--connect", where, "--name", "ann", stdin=said)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "[SERVER] ann joined the chat!\n"
    assert ear.until("[SERVER] ann left the chat") == [
        "[SERVER] ann joined the chat!", *(f"[ann] {text}" for text in texts), "[SERVER] ann left the chat",
    ]  # fmt: skip
    ear.close()


def test_howOurClientEnds(chat: Chat) -> None:
    """Refused by name, refused by the system."""
    refused = labnet(
        "chat", "--connect", f"tcp:127.0.0.1:{chat.ports['line']}", "--name", "server", stdin="hi\n"
    )
    assert refused.returncode == 1
    assert refused.stderr == "labnet chat: That name is reserved.\n"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = labnet("chat", "--connect", f"tcp:127.0.0.1:{free.getsockname()[1]}", stdin="ann\n")
    assert nobody.returncode == 3
    assert nobody.stderr.startswith("labnet chat: connection refused")


def test_ourClientComesBack(tmp_path: Path) -> None:
    """The server ends and starts again at the same port: the client notices, waits, and is in again."""
    with Chat(tmp_path) as first:
        port = first.ports["line"]
        where = f"tcp:127.0.0.1:{port}"
        ann = Typist(sys.executable, "-m", "labnet", "chat", "--connect", where, "--name", "ann")
        ann.waitFor("ann joined")
        first.stop()
    ann.waitFor("^connection lost$")
    with ann, Twistd(tmp_path, "labnet-chat", "--listen", f"line=tcp:{port}"):
        ann.waitFor("trying again in")
        eventually(lambda: ann.text.count("ann joined") == 2, "ann is in the room again")
        ear = Guest(port, "ear")
        ann.type("back again")
        ear.until("[ann] back again")
        ear.close()
        ann.type("/quit")
        assert ann.wait() == 0


class Terminal:
    """A program at a terminal of 60 columns."""

    def __init__(self, *command: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=ENVIRONMENT,
            start_new_session=True,
            # Ctrl-C comes from the terminal that controls the session.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        self.theirs = theirs
        self.seen = ""
        self._decode = codecs.getincrementaldecoder("utf-8")().decode

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def waitFor(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen:
            ready, _, _ = select.select([self._ours], [], [], 0.1)
            if ready:
                self.seen += self._decode(os.read(self._ours, 65_536))
            assert time.monotonic() < deadline, f"{text!r} never came, but {self.seen!r}"

    def rest(self) -> str:
        """Everything seen, once the program has ended."""
        while select.select([self._ours], [], [], 0)[0]:
            self.seen += self._decode(os.read(self._ours, 65_536))
        return self.seen

    def close(self) -> int:
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            os.close(self.theirs)
            os.close(self._ours)


def test_atATerminal(chat: Chat) -> None:
    """Messages come above the line one types, which is drawn again; the terminal is given back."""
    ear = Guest(chat.ports["line"], "ear")
    ann = Terminal(
        sys.executable, "-m", "labnet", "chat", "--connect", f"tcp:127.0.0.1:{chat.ports['line']}"
    )
    ann.waitFor("your name?")
    ann.type("server\r")
    ann.waitFor("That name is reserved.")
    ann.type("ann\r")
    ann.waitFor("[SERVER] ann joined the chat!\r\n")
    ann.type("half a li")
    ann.waitFor("> half a li")
    ear.say("in between")
    ann.waitFor("\r\x1b[K[ear] in between\r\n\r\x1b[K> half a li\r\x1b[11C")
    ann.type("me\x7fne\r")
    ear.until("[ann] half a limne")
    ann.waitFor("> half a limne\r\n")
    ann.type("/quit\r")
    ear.until("[SERVER] ann left the chat")
    ann.process.wait(PATIENCE)
    assert termios.tcgetattr(ann.theirs) == ann.before
    assert ann.close() == 0
    ear.close()


@pytest.mark.parametrize(
    ("key", "status"), [("\x04", 0), ("\x03", 130)], ids=["the end of the input", "an interrupt"]
)
@pytest.mark.parametrize("inside", [True, False])
def test_leavingATerminal(chat: Chat, key: str, status: int, inside: bool) -> None:
    """Ctrl-D and Ctrl-C, in the room and at the question: the terminal is given back as it was."""
    ear = Guest(chat.ports["line"], "ear")
    ann = Terminal(
        sys.executable, "-m", "labnet", "chat", "--connect", f"tcp:127.0.0.1:{chat.ports['line']}"
    )
    ann.waitFor("your name?")
    if inside:
        ann.type("ann\r")
        ann.waitFor("[SERVER] ann joined the chat!\r\n")
    ann.type(key)
    if inside:
        ear.until("[SERVER] ann left the chat")
    ann.process.wait(PATIENCE)
    assert termios.tcgetattr(ann.theirs) == ann.before
    assert "Traceback" not in ann.rest()
    assert ann.close() == status
    ear.close()


def test_netcat(chat: Chat) -> None:
    """A person with C{nc}, or a script with a pipe."""
    result = subprocess.run(
        [need("nc"), "-N", "127.0.0.1", str(chat.ports["line"])],
        input=b"ann\nhello\n/who\n", capture_output=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    assert result.stdout.decode().splitlines() == [
        "Enter your username: ", "[SERVER] ann joined the chat!", "[SERVER] 1 here: ann",
    ]  # fmt: skip


def test_aBrowser(chat: Chat, tmp_path: Path) -> None:
    """The page in a real one: refused, in the room, both ways, as text, with commands, and out again."""
    bob = Guest(chat.ports["line"], "bob")
    bob.say("before <i>")
    with Browser(tmp_path / "profile") as browser:
        tab = browser.open(f"http://localhost:{chat.ports['web']}/")
        tab.type("#name", "bob")
        tab.waitFor("document.querySelector('#join-problem').textContent.includes('taken')")
        tab.evaluate("document.querySelector('#name').value = ''")
        tab.type("#name", "Ann\u00e9")
        tab.waitFor("document.querySelector('#state').textContent === 'as Ann\u00e9'")
        bob.until("[SERVER] Ann\u00e9 joined the chat!")
        tab.type("#text", "hello <b>bob</b>")
        bob.until("[Ann\u00e9] hello <b>bob</b>")
        bob.say("<img src=x onerror=alert(1)>")
        tab.waitFor("document.querySelector('#log').innerText.includes('onerror=alert(1)>')")
        assert tab.evaluate("document.querySelectorAll('#log img, #log b, #log i').length") == 0
        assert tab.evaluate("document.querySelector('#log').innerText").startswith("1 earlier message:")
        assert tab.evaluate("document.querySelectorAll('#log .mine').length") == 1
        tab.type("#text", "/nick Bea")
        bob.until("[SERVER] Ann\u00e9 is now Bea")
        tab.waitFor("document.querySelector('#state').textContent === 'as Bea'")
        people = tab.evaluate("[...document.querySelectorAll('#names li')].map((item) => item.textContent)")
        assert people == ["Bea (you)", "bob"]
        for width, scheme in ((1000, "light"), (360, "dark")):
            tab.screenshot(tmp_path / f"{scheme}.png", width, 640, scheme)
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
        tab.evaluate("document.querySelector('#leave').click()")
        bob.until("[SERVER] Bea left the chat")
        assert tab.evaluate("document.querySelector('#join').hidden") is False
        problems = [problem for problem in browser.problems if "409" not in problem]
        assert problems == []
    bob.close()


def test_anotherSitesPage(chat: Chat, tmp_path: Path) -> None:
    """A page of another origin can neither join, nor say something, nor read."""
    bob = Guest(chat.ports["line"], "bob")
    own = f"http://localhost:{chat.ports['web']}"
    with Browser(tmp_path / "profile") as browser:
        browser.open(own + "/")
        other = browser.open(f"http://127.0.0.1:{chat.ports['web']}/")
        told = other.evaluate(f"""
            Promise.allSettled([
                fetch("{own}/", {{credentials: "include"}}),
                fetch("{own}/join",
                      {{method: "POST", body: "mallory", credentials: "include", mode: "no-cors"}}),
            ]).then((results) => results.map((result) => result.status))
        """)
        assert told[0] == "rejected"
    bob.say("/who")
    assert bob.line() == "[SERVER] 1 here: bob"
    bob.close()
