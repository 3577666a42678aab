"""
Browsers in memory, and the chat that they talk to.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from labnet.chat.server import ChatLimits
from labnet.chat.web import PING, PageFactory, pageFactory
from labnet.net.site import SiteConnection
from labnet.testing import TCPTransport, doneReason
from tests.chat.members import House

__all__ = ["ORIGIN", "TAB", "Answer", "Line", "Tab", "World"]

TAB = b"0123456789abcdef" * 2
ORIGIN = b"http://localhost:9996"


@dataclass
class Answer:
    status: int
    head: bytes
    body: bytes

    @property
    def error(self) -> str:
        value = json.loads(self.body)["error"]
        assert isinstance(value, str)
        return value


class Line:
    """One HTTP connection."""

    def __init__(self, factory: PageFactory, host: str = "127.0.0.1") -> None:
        connection = factory.buildProtocol(IPv4Address("TCP", host, 4711))
        assert isinstance(connection, SiteConnection)
        self.connection = connection
        self.transport = TCPTransport()
        self.transport.peerAddr = IPv4Address("TCP", host, 4711)
        connection.makeConnection(self.transport)

    def heard(self) -> bytes:
        data: bytes = self.transport.value()
        self.transport.clear()
        return data

    def events(self) -> list[dict[str, Any]]:
        """The events that a stream has carried since the last time."""
        data = self.heard().decode()
        return [json.loads(found) for found in re.findall(r"^data: (.*)$", data, re.MULTILINE)]


@dataclass
class Tab:
    """A tab of a browser, with what the page would know."""

    world: World
    cookie: bytes
    token: bytes
    tab: bytes = TAB
    stream: Line | None = None
    overrides: dict[bytes, bytes | None] = field(default_factory=dict)

    def post(self, path: bytes, body: bytes = b"", **changed: bytes | None) -> Answer:
        fields: dict[bytes, bytes | None] = {
            b"Host": b"localhost:9996",
            b"Origin": ORIGIN,
            b"Cookie": b"labnet-chat=" + self.cookie,
            b"X-Chat-Token": self.token,
            b"X-Chat-Tab": self.tab,
        }
        fields |= {name.replace("_", "-").encode(): value for name, value in changed.items()}
        return self.world.ask(b"POST", path, fields, body)

    def listen(self) -> Line:
        self.stream = self.world.line()
        self.stream.connection.dataReceived(
            b"GET /events?tab=" + self.tab + b" HTTP/1.1\r\nHost: localhost:9996\r\nCookie: labnet-chat="
            + self.cookie + b"\r\n\r\n"
        )  # fmt: skip
        return self.stream


class World:
    def __init__(self, clock: Clock, limits: ChatLimits | None = None, hosts: tuple[str, ...] = ()) -> None:
        self.clock = clock
        self.house = House(clock, limits)
        self.live = self.house.live
        self.factory = pageFactory(clock, self.live, hosts)
        self.lines: list[Line] = []

    def line(self) -> Line:
        line = Line(self.factory)
        self.lines.append(line)
        return line

    def ask(
        self, method: bytes, path: bytes, fields: dict[bytes, bytes | None], body: bytes = b""
    ) -> Answer:
        line = self.line()
        head = b"".join(
            name + b": " + value + b"\r\n" for name, value in fields.items() if value is not None
        )
        line.connection.dataReceived(
            method + b" " + path + b" HTTP/1.1\r\n" + head
            + b"Content-Length: %d\r\n\r\n" % len(body) + body
        )  # fmt: skip
        self.clock.advance(0)
        head, _, rest = line.heard().partition(b"\r\n\r\n")
        return Answer(int(head.split()[1]), head, rest)

    def get(self, path: bytes, **fields: bytes | None) -> Answer:
        given: dict[bytes, bytes | None] = {b"Host": b"localhost:9996"}
        return self.ask(b"GET", path, given | {name.encode(): value for name, value in fields.items()})

    def open(self, tab: bytes = TAB) -> Tab:
        """Load the page."""
        answer = self.get(b"/")
        assert answer.status == 200
        cookie = re.search(rb"labnet-chat=([0-9a-f]{32});", answer.head)
        token = re.search(rb'name="chat-token" content="([0-9a-f]{64})"', answer.body)
        assert cookie is not None
        assert token is not None
        return Tab(self, cookie[1], token[1], tab)

    def enter(self, name: bytes, tab: bytes = TAB) -> Tab:
        """Load the page, join, and listen; what came so far is read."""
        opened = self.open(tab)
        assert opened.post(b"/join", name).status == 200
        opened.listen().heard()
        self.clock.advance(0)
        for guest in self.house.guests:
            guest.heard()
        return opened

    def close(self) -> None:
        for line in self.lines:
            if line.connection in self.factory.connections:
                line.connection.connectionLost(doneReason())
        self.clock.advance(PING)
        self.house.close()
        self.clock.advance(PING)
