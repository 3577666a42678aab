"""
The dashboard's pages in memory, and browsers that ask for them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from labnet.dashboard.scene import Scene
from labnet.dashboard.viewers import Viewers
from labnet.dashboard.web import DashboardFactory, Pages
from labnet.net.service import Listener
from labnet.net.site import SiteConnection
from labnet.net.trace import Trace
from labnet.testing import SlowTransport, doneReason

__all__ = ["TOKEN", "Answer", "Line", "World"]

TOKEN = "a-token-for-tests-only"


@dataclass
class Answer:
    status: int
    head: bytes
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Line:
    """One HTTP connection. Its other end reads when it is told to."""

    def __init__(self, factory: DashboardFactory) -> None:
        connection = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 4711))
        assert isinstance(connection, SiteConnection)
        self.connection = connection
        self.transport = SlowTransport()
        connection.makeConnection(self.transport)

    def messages(self) -> list[dict[str, Any]]:
        """What a stream has carried since the last time."""
        found = re.findall(r"^data: (.*)$", self.transport.readAll().decode(), re.MULTILINE)
        return [json.loads(text) for text in found]

    def leave(self) -> None:
        self.connection.connectionLost(doneReason())


class World:
    def __init__(self, clock: Clock, *, most: int = 16, hosts: Iterable[str] = ()) -> None:
        clock.advance(1000.5)
        self.clock = clock
        self.trace = Trace()
        self.listeners: list[Listener] = []
        self.looked = 0
        self.viewers = Viewers(clock, Scene(self.trace, self._found), most)
        self.factory = DashboardFactory(clock, Pages(self.viewers, TOKEN, hosts))

    def _found(self) -> list[Listener]:
        self.looked += 1
        return self.listeners

    def ask(
        self,
        target: str,
        method: str = "GET",
        token: str | None = TOKEN,
        host: str = "localhost:9080",
        body: bytes = b"",
        fields: str = "",
    ) -> Answer:
        """One request on a connection of its own, and the answer."""
        line = Line(self.factory)
        self._send(line, target, method, token, host, body, fields)
        head, _, rest = line.transport.readAll().partition(b"\r\n\r\n")
        if line.connection in self.factory.connections:
            line.leave()
        return Answer(int(head.split()[1]), head, rest)

    def get(self, target: str) -> Line:
        """A request whose answer is read as the test likes."""
        line = Line(self.factory)
        self._send(line, target, "GET", TOKEN, "localhost:9080", b"", "")
        return line

    def watch(self, query: str = "") -> Line:
        """Open a stream of events."""
        return self.get(f"/events{query}")

    def _send(
        self, line: Line, target: str, method: str, token: str | None, host: str, body: bytes, fields: str
    ) -> None:
        authorization = f"Authorization: Bearer {token}\r\n" if token is not None else ""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{authorization}{length}{fields}\r\n"
        line.connection.dataReceived(head.encode("latin-1") + body)
        self.clock.advance(0)

    def close(self) -> None:
        for connection in tuple(self.factory.connections):
            connection.connectionLost(doneReason())
