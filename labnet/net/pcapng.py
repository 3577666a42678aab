"""
pcapng files of what a trace has recorded, for Wireshark and whatever else reads them.

The format is that of the Internet-Draft draft-ietf-opsawg-pcapng, "PCAP Next Generation (pcapng) Capture
File Format": one section, an interface for each service and kind of it, and a packet with comments for each
segment and datagram. What the packets are is in L{labnet.net.capture}.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge

from labnet.net.capture import Captured, Dissect, Recording, dissected, title
from labnet.net.mirrors import mirrored
from labnet.net.packets import plainAddress
from labnet.net.trace import Conversation

__all__ = ["MEDIA_TYPE", "BadSelection", "chosen", "write"]

#: Of such a file, over HTTP.
MEDIA_TYPE = "application/x-pcapng"

_SECTION_HEADER, _INTERFACE, _ENHANCED_PACKET = 0x0A0D0D0A, 1, 6
_BYTE_ORDER = 0x1A2B3C4D
_UNKNOWN_LENGTH = -1
#: IPv4 and IPv6 packets with nothing before them (LINKTYPE_RAW).
_LINK_TYPE = 101
#: The longest packet there can be.
_SNAP_LENGTH = 65_535 + 40

_COMMENT = 1
_SECTION_APPLICATION = 4
_NAME, _DESCRIPTION, _RESOLUTION = 2, 3, 9
_FLAGS = 2
_INBOUND, _OUTBOUND = 1, 2
#: Times are in units of 10**-9 seconds.
_NANOSECONDS = 9
#: Bytes of one option at most.
_LONGEST = 65_535

#: Bytes that are given at a time, at least.
_PIECE = 65_536

_ABOUT = (
    "What labnet's trace has recorded. The bytes, their times, and who ended each connection are true; "
    "headers, sequence numbers, handshakes and acknowledgements are synthetic."
)


class BadSelection(ValueError):
    """What conversations are to be chosen by makes no sense. The text is one line for people."""


def write(
    conversations: Iterable[Conversation], dissect: Dissect = dissected, application: str = "labnet"
) -> Iterator[bytes]:
    """
    The conversations as a file, as they are now: what happens to them while it is read is not in it. All
    packets stand in the order of time.

    Of a connection whose both ends are among them only the end that was called is there.

    @param dissect: makes what takes the messages of a conversation apart: they are told in comments.
    @param application: what has written the file.
    @return: pieces of the file, of about 64 KiB.
    """
    # Not a generator itself: the conversations are looked at now, not when the first piece is asked for.
    conversations = list(conversations)
    pairs = mirrored(conversations)
    remarks = {kept: f"the other end is {_called(left)}, and left out" for left, kept in pairs.items()}
    recordings = [
        Recording(conversation, dissect, remarks.get(conversation, ""))
        for conversation in conversations
        if conversation not in pairs
    ]
    recordings.sort(key=lambda recording: (recording.openedAt, recording.conversation.id))
    return _pieces(_blocks(recordings, application))


def chosen(
    conversations: Iterable[Conversation], service: str = "", peer: str = "", last: int = 0
) -> list[Conversation]:
    """
    Some of the conversations.

    @param service: of this service, C{NAME} or C{NAME/DETAIL}; of any, if it is empty.
    @param peer: with this peer, C{ADDRESS}, C{ADDRESS:PORT} or C{[ADDRESS]:PORT}; with any, if it is empty.
    @param last: of these only so many, the last ones that were opened; all of them, if it is 0.
    @raise BadSelection: C{peer} is no such thing.
    """
    wanted = _peer(peer) if peer else None
    found = [
        one
        for one in conversations
        if service in ("", one.service, f"{one.service}/{one.detail}")
        and (wanted is None or _matches(wanted, one.peer))
    ]
    found.sort(key=lambda one: (one.openedAt, one.id))
    return found[-last:] if last else found


def _called(conversation: Conversation) -> str:
    return f"{title(conversation)} #{conversation.id}"


def _peer(text: str) -> tuple[object, int | None]:
    """The address, and the port if there is one."""
    address = plainAddress(text)
    if address is not None:
        return address, None
    host, _, port = text.rpartition(":")
    address = plainAddress(host.removeprefix("[").removesuffix("]"))
    if address is None or not (port.isascii() and port.isdigit() and int(port[:6]) <= 65_535):
        raise BadSelection(f"{text!r} is not of the form ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT")
    return address, int(port)


def _matches(wanted: tuple[object, int | None], peer: tuple[str, int]) -> bool:
    address, port = wanted
    return plainAddress(peer[0]) == address and port in (None, peer[1])


def _pieces(blocks: Iterable[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size = 0
    for block in blocks:
        waiting.append(block)
        size += len(block)
        if size >= _PIECE:
            yield b"".join(waiting)
            waiting.clear()
            size = 0
    if waiting:
        yield b"".join(waiting)


def _blocks(recordings: Sequence[Recording], application: str) -> Iterator[bytes]:
    yield _sectionHeader(application)
    interfaces: dict[str, int] = {}
    for recording in recordings:
        name = title(recording.conversation)
        if name not in interfaces:
            interfaces[name] = len(interfaces)
            yield _interface(name)
    yield from (_packet(interface, captured) for interface, captured in _merged(recordings, interfaces))


def _merged(recordings: Iterable[Recording], interfaces: dict[str, int]) -> Iterator[tuple[int, Captured]]:
    """The packets of all of them in the order of time, with the number of their interface."""

    def numbered(recording: Recording) -> Iterator[tuple[int, Captured]]:
        interface = interfaces[title(recording.conversation)]
        for captured in recording.packets():
            yield interface, captured

    return merge(*map(numbered, recordings), key=lambda one: one[1].at)


def _sectionHeader(application: str) -> bytes:
    options = [_text(_COMMENT, _ABOUT), _text(_SECTION_APPLICATION, application)]
    body = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, _UNKNOWN_LENGTH)
    return _block(_SECTION_HEADER, body, options)


def _interface(name: str) -> bytes:
    options = [
        _text(_NAME, name),
        _text(_DESCRIPTION, "labnet's trace: packets made around what was recorded"),
        _option(_RESOLUTION, bytes([_NANOSECONDS])),
    ]
    return _block(_INTERFACE, struct.pack("<HHI", _LINK_TYPE, 0, _SNAP_LENGTH), options)


def _packet(interface: int, captured: Captured) -> bytes:
    data, length = captured.packet
    time = max(round(captured.at * 10**_NANOSECONDS), 0)
    head = struct.pack("<IIIII", interface, time >> 32 & 0xFFFFFFFF, time & 0xFFFFFFFF, len(data), length)
    direction = _OUTBOUND if captured.outbound else _INBOUND
    options = [_text(_COMMENT, comment) for comment in captured.comments]
    options.append(_option(_FLAGS, struct.pack("<I", direction)))
    return _block(_ENHANCED_PACKET, head + _padded(data), options)


def _block(kind: int, body: bytes, options: Sequence[bytes]) -> bytes:
    content = b"".join((body, *options, _option(0, b"")))
    length = 12 + len(content)
    return b"".join((struct.pack("<II", kind, length), content, struct.pack("<I", length)))


def _text(code: int, text: str) -> bytes:
    data = text.encode("utf-8", "backslashreplace")
    # A character that would be cut is left out.
    return _option(code, data[:_LONGEST].decode("utf-8", "ignore").encode("utf-8"))


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    """To a multiple of four bytes."""
    return data + bytes(-len(data) % 4)
