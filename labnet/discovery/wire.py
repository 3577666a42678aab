"""
What the address server and its clients say to each other; C{docs/protocols/discovery.md} has every byte.

No reply of the server is ever a request, whatever names and addresses it holds: two servers that get
each other's replies fall silent at once. L{isName} and L{parseAddress} see to that.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

__all__ = [
    "FORM_A",
    "FORM_B",
    "LONGEST_ADDRESS",
    "LONGEST_REPLY",
    "LONGEST_REQUEST",
    "LONGEST_TTL",
    "Address",
    "Answer",
    "AnswerNotUnderstood",
    "AskBinary",
    "AskText",
    "BadAddress",
    "Granted",
    "ListNames",
    "Lookup",
    "Malformed",
    "Nothing",
    "Refusal",
    "Register",
    "Renew",
    "Request",
    "Unregister",
    "decodeAnswer",
    "decodeBinary",
    "decodeNames",
    "decodeRequest",
    "encodeBinary",
    "encodeGranted",
    "encodeNames",
    "encodeNothing",
    "encodeRefusal",
    "encodeText",
    "fitsBinary",
    "fitsText",
    "isName",
    "parseAddress",
    "room",
]

#: The course's two questions.
FORM_A = b"Hello server"
FORM_B = b"GET"

#: Bytes. What is longer is no request.
LONGEST_REQUEST = 512
#: Bytes. A longer list of names is cut.
LONGEST_REPLY = 1200
#: Bytes of C{host:port}.
LONGEST_ADDRESS = 200
#: Seconds. A longer time to live is cut to this.
LONGEST_TTL = 3600

_LONGEST_LABEL = 63
_BINARY = struct.Struct("<15sxi")
_CUT = "..."

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?", re.ASCII)
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_TTL = re.compile(r"[0-9]{1,12}", re.ASCII)
# Some resolvers take these for an IPv4 address, each in its own way.
_NUMERIC_LABEL = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)

_VERBS = ("REGISTER", "RENEW", "UNREGISTER", "LOOKUP", "LIST")
# In any case, so that not even a service that answers in upper case makes a request of a name.
_RESERVED = frozenset((*_VERBS, "GET", "OK", "NONE", "ERROR"))


class BadAddress(ValueError):
    """A text that is no C{host:port} for a service; its text is one short line for people."""


class AnswerNotUnderstood(ValueError):
    """A datagram that is no answer to what was asked; its text is one short line for people."""


@dataclass(frozen=True, slots=True)
class Address:
    """
    Where a service is.

    @ivar host: an IP address in its shortest form without brackets, or a host name in lower case.
    @ivar port: from 1 to 65535.
    """

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parseAddress(text: str) -> Address:
    """
    Read C{host:port}, an IPv6 address in brackets.

    @raise BadAddress: it is not of that form; or the host is none that a service can have (unspecified,
        multicast, broadcast); or the port is not from 1 to 65535.
    """
    if len(text) > LONGEST_ADDRESS:
        raise BadAddress("address too long")
    host, colon, port = text.rpartition(":")
    if not colon:
        raise BadAddress("no port")
    if not _PORT.fullmatch(port) or int(port) > 65535:
        raise BadAddress("bad port")
    return Address(_host(host), int(port))


def _host(text: str) -> str:
    bracketed = text.startswith("[") and text.endswith("]")
    try:
        address = ip_address(text[1:-1] if bracketed else text)
    except ValueError:
        if bracketed:
            raise BadAddress("bad host") from None
        return _hostName(text)
    if bracketed is not isinstance(address, IPv6Address):
        raise BadAddress("bad host")
    if address.is_unspecified or address.is_multicast or address == IPv4Address("255.255.255.255"):
        raise BadAddress("no host of a service")
    if isinstance(address, IPv6Address) and (
        address.ipv4_mapped is not None or address.scope_id is not None
    ):
        raise BadAddress("bad host")
    return str(address)


def _hostName(text: str) -> str:
    labels = text.split(".")
    if not all(len(label) <= _LONGEST_LABEL and _LABEL.fullmatch(label) for label in labels):
        raise BadAddress("bad host")
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        raise BadAddress("bad host")
    return text.lower()


def isName(text: str) -> bool:
    """
    Whether a service may be called that: letters, digits, C{.}, C{_} and C{-}, at most 63 of them, the
    first a letter or a digit; and none of the words of this protocol.
    """
    return _NAME.fullmatch(text) is not None and text.upper() not in _RESERVED


# Requests


@dataclass(frozen=True, slots=True)
class AskText:
    """C{Hello server}: where is the service? As text."""

    def encode(self) -> bytes:
        """The request's bytes."""
        return FORM_A


@dataclass(frozen=True, slots=True)
class AskBinary:
    """C{GET}: where is the service? As a packed struct."""

    def encode(self) -> bytes:
        """The request's bytes."""
        return FORM_B


@dataclass(frozen=True, slots=True)
class Register:
    """
    C{REGISTER name host:port ttl}: this service is there.

    @ivar ttl: for how many seconds; as it was asked for, not yet cut.
    """

    name: str
    address: Address
    ttl: int

    def encode(self) -> bytes:
        """The request's bytes."""
        return f"REGISTER {self.name} {self.address} {self.ttl}".encode("ascii")


@dataclass(frozen=True, slots=True)
class Renew:
    """C{RENEW name host:port}: it is still there; for as long again as it was registered."""

    name: str
    address: Address

    def encode(self) -> bytes:
        """The request's bytes."""
        return f"RENEW {self.name} {self.address}".encode("ascii")


@dataclass(frozen=True, slots=True)
class Unregister:
    """C{UNREGISTER name host:port}: it is not there any more."""

    name: str
    address: Address

    def encode(self) -> bytes:
        """The request's bytes."""
        return f"UNREGISTER {self.name} {self.address}".encode("ascii")


@dataclass(frozen=True, slots=True)
class Lookup:
    """C{LOOKUP name}: where is that service?"""

    name: str

    def encode(self) -> bytes:
        """The request's bytes."""
        return f"LOOKUP {self.name}".encode("ascii")


@dataclass(frozen=True, slots=True)
class ListNames:
    """C{LIST}: which names are registered? Spaces after it make room for a longer reply."""

    def encode(self) -> bytes:
        """The request's bytes, with as many spaces as the longest reply needs."""
        return b"LIST".ljust(-(-(LONGEST_REPLY - 200) // 3))


@dataclass(frozen=True, slots=True)
class Malformed:
    """
    A line that begins as a request and is none.

    @ivar why: a few words for whoever wrote the program; never the peer's own bytes.
    """

    why: str


Request = AskText | AskBinary | Register | Renew | Unregister | Lookup | ListNames


def decodeRequest(datagram: bytes) -> Request | Malformed | None:
    """
    What was asked; L{None} for what is no request at all, and gets no answer.

    The course's questions are exact; a line may end with a newline.
    """
    if datagram == FORM_A:
        return AskText()
    if datagram == FORM_B:
        return AskBinary()
    if len(datagram) > LONGEST_REQUEST or not datagram.isascii():
        return None
    line = datagram.decode("ascii")
    line = line.removesuffix("\n").removesuffix("\r") if line.endswith("\n") else line
    verb, *words = line.split(" ")
    if verb not in _VERBS or not line.isprintable():
        return None
    if verb == "LIST":
        return Malformed("LIST takes nothing") if any(words) else ListNames()
    try:
        return _decodeLine(verb, words)
    except BadAddress as error:
        return Malformed(str(error))


def _decodeLine(verb: str, words: list[str]) -> Request | Malformed:
    if words and not isName(words[0]):
        return Malformed("bad name")
    match verb, words:
        case "LOOKUP", [name]:
            return Lookup(name)
        case "RENEW", [name, address]:
            return Renew(name, parseAddress(address))
        case "UNREGISTER", [name, address]:
            return Unregister(name, parseAddress(address))
        case "REGISTER", [name, address, ttl]:
            if not _TTL.fullmatch(ttl) or int(ttl) == 0:
                return Malformed("bad ttl")
            return Register(name, parseAddress(address), int(ttl))
    return Malformed(f"{verb} {_USAGE[verb]}")


_USAGE = {
    "REGISTER": "<name> <host:port> <ttl>",
    "RENEW": "<name> <host:port>",
    "UNREGISTER": "<name> <host:port>",
    "LOOKUP": "<name>",
}


# Replies


@dataclass(frozen=True, slots=True)
class Granted:
    """
    C{OK ttl}: done.

    @ivar ttl: for how many seconds; 0 when it was taken away.
    """

    ttl: int


@dataclass(frozen=True, slots=True)
class Nothing:
    """C{NONE}: nothing is registered under that name, or at all."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    C{ERROR why}.

    @ivar why: the server's words, as they came.
    """

    why: str


Answer = Address | Granted | Nothing | Refusal


def room(request: bytes) -> int:
    """How many bytes the reply to C{request} may have: this server is no use as an amplifier."""
    return min(LONGEST_REPLY, 3 * len(request) + 200)


def encodeGranted(ttl: int) -> bytes:
    """C{OK ttl}."""
    return b"OK %d" % ttl


def encodeNothing() -> bytes:
    """C{NONE}."""
    return b"NONE"


def encodeRefusal(why: str) -> bytes:
    """C{ERROR why}."""
    return b"ERROR " + why.encode("ascii")


def fitsText(address: Address) -> bool:
    """Whether the course's text clients can read it: they split at exactly one colon."""
    return ":" not in address.host


def fitsBinary(address: Address) -> bool:
    """Whether it fits the packed struct: a host of at most 15 bytes, and no IPv6 address."""
    return ":" not in address.host and len(address.host) <= 15


def encodeText(address: Address) -> bytes:
    """C{host:port}, without an end of line."""
    return str(address).encode("ascii")


def encodeBinary(address: Address) -> bytes:
    """
    20 bytes: the host, NUL-padded to 15, a pad byte, the port as int32, little-endian.

    @raise ValueError: it does not L{fit<fitsBinary>}.
    """
    if not fitsBinary(address):
        raise ValueError(f"{address} has no place in 15 bytes")
    return _BINARY.pack(address.host.encode("ascii"), address.port)


def encodeNames(names: Iterable[str], longest: int) -> bytes:
    """
    One name a line, in at most C{longest} bytes; when not all of them fit, the last line is C{...}.
    No names at all is C{NONE}. Takes no more names than it needs.
    """
    lines: list[str] = []
    length = 0
    for name in names:
        lines.append(name)
        length += len(name) + 1
        if length > longest:
            while lines and length + len(_CUT) > longest:
                length -= len(lines.pop()) + 1
            lines.append(_CUT)
            break
    return "".join(line + "\n" for line in lines)[:-1].encode("ascii") or encodeNothing()


def decodeAnswer(datagram: bytes) -> Answer:
    """
    Read the answer to C{Hello server} or to a line. Blanks and an end of line after it are allowed.

    @raise AnswerNotUnderstood: it is none.
    """
    if len(datagram) > LONGEST_REQUEST:
        raise AnswerNotUnderstood(f"{len(datagram)} bytes are no address")
    try:
        text = datagram.decode("ascii").rstrip(" \r\n")
    except UnicodeDecodeError:
        raise AnswerNotUnderstood("not ASCII") from None
    word, _, rest = text.partition(" ")
    if text == "NONE":
        return Nothing()
    if word == "ERROR":
        return Refusal(rest)
    if word == "OK" and _TTL.fullmatch(rest):
        return Granted(int(rest))
    try:
        return parseAddress(text)
    except BadAddress as error:
        raise AnswerNotUnderstood(str(error)) from error


def decodeBinary(datagram: bytes) -> Address:
    """
    Read the answer to C{GET}. What follows the first NUL of the host is passed over.

    @raise AnswerNotUnderstood: it is none.
    """
    if len(datagram) != _BINARY.size:
        raise AnswerNotUnderstood(f"{len(datagram)} bytes instead of {_BINARY.size}")
    field, port = _BINARY.unpack(datagram)
    try:
        return parseAddress(f"{field.partition(bytes(1))[0].decode('ascii')}:{port}")
    except UnicodeDecodeError:
        raise AnswerNotUnderstood("not ASCII") from None
    except BadAddress as error:
        raise AnswerNotUnderstood(str(error)) from error


def decodeNames(datagram: bytes) -> tuple[list[str], bool]:
    """
    Read the answer to C{LIST}.

    @return: the names, and whether there are more than these.
    @raise AnswerNotUnderstood: it is none.
    """
    if datagram.rstrip() == b"NONE":
        return [], False
    try:
        lines = datagram.decode("ascii").splitlines()
    except UnicodeDecodeError:
        raise AnswerNotUnderstood("not ASCII") from None
    more = lines[-1:] == [_CUT]
    names = lines[:-1] if more else lines
    if not lines or not all(isName(name) for name in names):
        raise AnswerNotUnderstood("not a list of names")
    return names, more
