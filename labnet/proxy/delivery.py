"""
The ways in which a response reaches the client: as it comes, after it was looked at whole, or as it
is looked at, a little behind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol as Interface

from labnet.proxy.decoding import Undecodable
from labnet.proxy.inspection import Finding, Inspector, SlowRule, search, unfinished
from labnet.proxy.rules import Rule
from labnet.proxy.spool import Spool
from labnet.proxy.wire import Fields

__all__ = ["Cut", "Delivery", "Held", "Recipient", "Streamed"]


class Recipient(Interface):
    """Who a L{Delivery} works for: the exchange."""

    def begin(self, size: int | None) -> None:
        """Send the head; C{size} is the body's, if it is known by now and was not before."""

    def content(self, piece: bytes) -> None:
        """Send a piece of the body."""

    def complete(self, trailers: Fields) -> None:
        """The body is sent."""

    def deliver(self, spool: Spool, trailers: Fields) -> None:
        """Send the head, then a whole body, and complete."""

    def replay(self, spool: Spool) -> None:
        """Send the head, then what was held, then what still comes: that does not come here any more."""

    def blocked(self, found: Finding) -> None:
        """A blocked string was found: nothing more may be sent."""

    def uninspectable(self, why: str) -> bool:
        """It can not be looked at. Whether it passes all the same; if not, nothing more may be sent."""


class Delivery(ABC):
    """
    Takes the pieces of one response's body.
    """

    @property
    def spooled(self) -> int:
        """Bytes of it that are in a temporary file."""
        return 0

    @abstractmethod
    def received(self, content: bytes) -> None:
        """A piece has come."""

    @abstractmethod
    def ended(self, trailers: Fields) -> None:
        """The response is complete."""

    @abstractmethod
    def close(self) -> None:
        """There is nothing more to deliver."""


class Streamed(Delivery):
    """Passes everything on as it comes, without a look."""

    def __init__(self, recipient: Recipient) -> None:
        self._recipient = recipient

    def received(self, content: bytes) -> None:
        self._recipient.content(content)

    def ended(self, trailers: Fields) -> None:
        self._recipient.complete(trailers)

    def close(self) -> None:
        pass


class Held(Delivery):
    """
    Holds the body until all of it has been looked at.

    @param memory: bytes to hold in memory.
    @param most: bytes to hold in all; what is more can not be looked at.
    @param free: bytes of the disk that have to stay free.
    """

    def __init__(
        self,
        recipient: Recipient,
        inspector: Inspector,
        rules: tuple[Rule, ...],
        memory: int,
        most: int,
        free: int = 0,
    ) -> None:
        self._recipient = recipient
        self._inspector = inspector
        self._rules = rules
        self._most = most
        self._spool = Spool(memory, free)

    @property
    def spooled(self) -> int:
        return self._spool.sizeOnDisk

    def received(self, content: bytes) -> None:
        try:
            found = self._inspector.feed(content)
            self._spool.write(content)
        except Undecodable as problem:
            self.giveUp(str(problem), content)
        except OSError as problem:
            self.giveUp(f"no room to hold it: {problem.strerror}")
        else:
            if found is not None:
                self._recipient.blocked(found)
            elif self._spool.size > self._most:
                self.giveUp(f"over {self._most} bytes")

    def ended(self, trailers: Fields) -> None:
        found: Finding | None = None
        for look in (self._rest, lambda: search(self._rules, trailers.encode(), "trailers")):
            try:
                found = found or look()
            except Undecodable as problem:
                if not self._recipient.uninspectable(str(problem)):
                    return
        if found is not None:
            self._recipient.blocked(found)
        else:
            self._recipient.deliver(self._spool, trailers)

    def _rest(self) -> Finding | None:
        found = self._inspector.rest()
        if found is None:
            self._inspector.end()
        return found

    def close(self) -> None:
        self._spool.close()

    def giveUp(self, why: str, unheld: bytes = b"") -> None:
        """It can not be looked at whole; C{unheld} is the piece of it that came last and is not held."""
        found = self._inspector.rest()
        if found is not None:
            self._recipient.blocked(found)
        elif self._recipient.uninspectable(why):
            self._recipient.replay(self._spool)
            if unheld:
                self._recipient.content(unheld)


class Cut(Delivery):
    """
    Holds as much as goes into memory, then passes on what has been looked at, as far as no blocked
    string has begun in it.

    @param inspector: one that decides closely.
    @param memory: bytes to hold before the first goes out; L{None} if the head is sent already, and
        everything follows at once.
    """

    def __init__(
        self, recipient: Recipient, inspector: Inspector, rules: tuple[Rule, ...], memory: int | None
    ) -> None:
        self._recipient = recipient
        self._inspector = inspector
        self._rules = rules
        self._memory = memory or 0
        self._spool = Spool(self._memory)
        self._tail: bytes | None = b"" if memory is None else None

    def received(self, content: bytes) -> None:
        try:
            found = self._inspector.feed(content)
        except Undecodable as problem:
            # Its charset, or a rule that takes too long: the policy that cuts refuses both.
            self._recipient.uninspectable(str(problem))
            return
        if found is not None:
            self._recipient.blocked(found)
        elif self._tail is not None:
            self._pass(self._tail + content)
        elif self._spool.size + len(content) <= self._memory:
            self._spool.write(content)
        else:
            held = self._spool.content()
            self._spool.close()
            self._recipient.begin(None)
            self._pass(held + content)

    def ended(self, trailers: Fields) -> None:
        try:
            found = self._inspector.rest() or search(self._rules, trailers.encode(), "trailers")
        except SlowRule as problem:
            self._recipient.uninspectable(str(problem))
            return
        if found is not None:
            self._recipient.blocked(found)
        elif self._tail is None:
            self._recipient.deliver(self._spool, trailers)
        else:
            self._recipient.content(self._tail)
            self._recipient.complete(trailers)

    def close(self) -> None:
        self._spool.close()

    def _pass(self, content: bytes) -> None:
        at = len(content) - max(self._inspector.undecided, unfinished(self._rules, content))
        self._tail = content[at:]
        self._recipient.content(content[:at])
