"""
What happens while a client asks for something, as it is told to whoever wants to know.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from labnet.proxy.wire import Fields, ResponseHead

__all__ = [
    "Asking",
    "ChunkBegan",
    "ChunkEnded",
    "Closed",
    "Connected",
    "Connecting",
    "Content",
    "End",
    "Ended",
    "Event",
    "HeadEnded",
    "HeadPart",
    "LookedUp",
    "LookingUp",
    "NotConnected",
    "Received",
    "Remark",
    "RequestBegan",
    "RequestSent",
    "Secured",
    "Surplus",
    "Trailers",
    "TunnelReady",
    "Unread",
]


class End(Enum):
    """How a client knows that a body has ended (RFC 9112, 6.3)."""

    NO_BODY = "there is none"
    LENGTH = "Content-Length"
    LAST_CHUNK = "the last chunk"
    CLOSE = "the connection was closed"


# On the way there.


@dataclass(frozen=True, slots=True)
class Asking:
    """It begins, or begins once more at another place."""

    url: str


@dataclass(frozen=True, slots=True)
class LookingUp:
    """The address of a host is being looked up."""

    host: str


@dataclass(frozen=True, slots=True)
class LookedUp:
    """These are its addresses, in the order in which they will be tried."""

    host: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Connecting:
    """A connection is being made."""

    place: str


@dataclass(frozen=True, slots=True)
class NotConnected:
    """There will be none to that address; the next is tried."""

    place: str
    why: str


@dataclass(frozen=True, slots=True)
class Connected:
    """There is a connection, from C{here} to C{there}."""

    here: str
    there: str


@dataclass(frozen=True, slots=True)
class TunnelReady:
    """The proxy passes on what is sent from now on."""

    place: str


@dataclass(frozen=True, slots=True)
class Secured:
    """
    The TLS handshake is complete.

    @ivar verified: whether the certificate was looked at, and is the host's.
    """

    version: str
    cipher: str
    verified: bool


# The request.


@dataclass(frozen=True, slots=True)
class RequestBegan:
    """A request is being sent: its head, without secrets, and so many bytes of body."""

    head: bytes
    body: int


@dataclass(frozen=True, slots=True)
class RequestSent:
    """The system has taken all of it."""

    size: int


# The response. What a piece contains follows it.


@dataclass(frozen=True, slots=True)
class Received:
    """A piece has come: what one C{recv} returned."""

    data: bytes


@dataclass(frozen=True, slots=True)
class HeadPart:
    """So much of the piece belongs to the head."""

    data: bytes


@dataclass(frozen=True, slots=True)
class HeadEnded:
    """
    The head is complete.

    @ivar raw: its bytes as they came.
    @ivar interim: whether another head follows (1xx).
    @ivar end: how the end of the body will be known.
    @ivar length: of the body, if it is known.
    """

    head: ResponseHead
    raw: bytes
    interim: bool
    end: End
    length: int | None


@dataclass(frozen=True, slots=True)
class ChunkBegan:
    """
    A chunk begins.

    @ivar size: 0 for the last.
    @ivar line: its chunk-size line.
    """

    size: int
    line: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """So much of the piece is content."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ChunkEnded:
    """A chunk of this size is complete."""

    size: int


@dataclass(frozen=True, slots=True)
class Trailers:
    """The fields after the last chunk."""

    fields: Fields


@dataclass(frozen=True, slots=True)
class Ended:
    """
    The body is complete.

    @ivar size: its bytes.
    """

    end: End
    size: int


@dataclass(frozen=True, slots=True)
class Surplus:
    """The server goes on after the end of the body: nobody knows what that is."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Unread:
    """What is in this piece can not be understood; the reason ends it all."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Remark:
    """What the server does not do as it should, and can be understood all the same."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is over; C{how} says who ended it."""

    how: str


Event = (
    Asking
    | LookingUp
    | LookedUp
    | Connecting
    | NotConnected
    | Connected
    | TunnelReady
    | Secured
    | RequestBegan
    | RequestSent
    | Received
    | HeadPart
    | HeadEnded
    | ChunkBegan
    | Content
    | ChunkEnded
    | Trailers
    | Ended
    | Surplus
    | Unread
    | Remark
    | Closed
)
