"""
A trace as lines for people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from twisted.logger import Logger

from labnet.net.dissection import Dissector, Field, dissectorFor, fieldsOf
from labnet.net.logs import counted
from labnet.net.noticing import Noticing
from labnet.net.trace import Conversation, Event, Happening

__all__ = ["TraceLines", "excerpt"]

_PRINTABLE = bytes(byte if 32 <= byte < 127 else ord(".") for byte in range(256))
#: Characters of a line with fields, and how many of such lines a piece has at most.
_WIDEST = 200
_MOST_MESSAGES = 8

_ARROWS = {Happening.RECEIVED: "<", Happening.WRITTEN: ">"}


def excerpt(data: bytes, size: int, most: int) -> str:
    """
    The beginning of a piece: text between quotes where it is text, else hexadecimal, and the same bytes
    once more between bars.

    @param data: what is kept of it.
    @param size: how many bytes it had.
    @param most: how many are shown.
    """
    shown = data[:most]
    text = _text(shown, len(shown) < size)
    if text is None:
        text = f"{shown.hex(' ')}  |{shown.translate(_PRINTABLE).decode('ascii')}|"
    left = size - len(shown)
    return text + (f" and {left} more" if left else "")


def _text(data: bytes, cut: bool) -> str | None:
    """The bytes between quotes, or L{None} where they are no text."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character may be cut in two where the excerpt ends.
        if not cut or len(data) - error.start > 3 or error.start == 0:
            return None
        text = data[: error.start].decode("utf-8")
    quoted = []
    for character in text:
        if character.isprintable():
            quoted.append(f"\\{character}" if character in '"\\' else character)
        elif character in "\r\n\t":
            quoted.append(character.encode("unicode_escape").decode("ascii"))
        else:
            return None
    return f'"{"".join(quoted)}"'


class TraceLines:
    """
    Tells the events of conversations, a line for each, and lines with the fields of what is whole, and with
    what there is to notice::

        calculator #3   0.0002 < 4 bytes  00 00 00 2b  |...+|
        calculator #3          = request 1: 12 + 34 (operand b 34, operator +)
        calculator #3          * Request 1 came in 2 pieces: one message can take several reads.

    C{<} stands before what came from the peer, C{>} before what went to it; the number is of seconds since
    the beginning.

    @param most: bytes of a piece that are shown.
    @param dissectors: gives the dissector of a conversation, by service, detail, transport and whether it
        is outgoing.
    """

    log = Logger()

    def __init__(
        self,
        most: int = 64,
        dissectors: Callable[[str, str, str, bool], Dissector | None] = dissectorFor,
    ) -> None:
        self._most = most
        self._dissectors = dissectors
        self._watched: dict[Conversation, _Watched] = {}

    def lines(self, conversation: Conversation, event: Event) -> list[str]:
        """The lines of one event, without their ends."""
        name = f"{conversation.service or conversation.transport} #{conversation.id}"
        seconds = max(event.at - conversation.openedAt, 0.0)
        told = [f"{name} {seconds:8.4f} {self._told(conversation, event)}"]
        told += [f"{name} {'':8} {line}" for line in self._meaning(conversation, event)]
        if event.what is Happening.CLOSED:
            self._watched.pop(conversation, None)
        return told

    def lost(self, count: int) -> str:
        """The line in place of so many that could not be written."""
        return f"{counted(count, 'line')} lost"

    def passOver(self, conversation: Conversation, event: Event) -> None:
        """Nobody wants the lines of this event; those that follow are as if they had been there."""
        self._meaning(conversation, event)
        if event.what is Happening.CLOSED:
            self._watched.pop(conversation, None)

    def _told(self, conversation: Conversation, event: Event) -> str:
        match event.what:
            case Happening.RECEIVED | Happening.WRITTEN:
                arrow = _ARROWS[event.what]
                size = counted(event.size, "byte")
                shown = excerpt(event.data, event.size, self._most)
                return f"{arrow} {size}  {shown}" if event.size else f"{arrow} {size}"
            case Happening.OPENED:
                return f"- {_opened(conversation)}"
            case Happening.PEER_ENDED:
                how = "close_notify" if conversation.secure else "FIN"
                return f"< {how}: the peer ends its half"
            case Happening.WE_ENDED:
                return f"> we end {event.note or 'the connection'}"
            case Happening.CLOSED:
                return f"- the end: {event.note}; {_totals(conversation)}"
            case Happening.FAULT:
                return f"! fault: {event.note}"
        return f"- {event.note}"

    # What it means.

    def _meaning(self, conversation: Conversation, event: Event) -> Sequence[str]:
        try:
            if event.what is Happening.OPENED:
                dissector = self._dissectors(
                    conversation.service, conversation.detail, conversation.transport, conversation.outgoing
                )
                self._watched[conversation] = _Watched(dissector, conversation.transport == "udp")
            watched = self._watched.get(conversation)
            return watched.meaning(event) if watched is not None else ()
        except Exception:
            self._watched.pop(conversation, None)
            self.log.failure("a bug in the dissection of {service}", service=conversation.service)
            return ()


class _Watched:
    """A conversation while it goes on."""

    def __init__(self, dissector: Dissector | None, datagrams: bool) -> None:
        self._dissector = dissector
        self._noticing = Noticing(datagrams)

    def meaning(self, event: Event) -> list[str]:
        """Lines with what is whole now, and with what there is to notice."""
        fields = fieldsOf(self._dissector, event)
        told = [f"= {line}" for line in _messages(fields)]
        return told + [f"* {notice.text}" for notice in self._noticing.happened(event, fields)]


def _messages(fields: Sequence[Field]) -> Iterator[str]:
    """A line for each message with the parts that are new, and one for parts whose message is not whole."""
    rows: list[tuple[str, list[str]]] = []
    for field in fields:
        told = f"{field.name} {field.value}".rstrip()
        if not field.level:
            rows.append((f"{field.name}: {field.value}" if field.value else field.name, []))
        elif rows:
            rows[-1][1].append(told)
        else:
            rows.append(("", [told]))
    for head, parts in rows[:_MOST_MESSAGES]:
        listed = ", ".join(parts)
        line = f"{head} ({listed})" if head and listed else head or listed
        yield line if len(line) <= _WIDEST else line[: _WIDEST - 3] + "..."
    if len(rows) > _MOST_MESSAGES:
        yield f"and {counted(len(rows) - _MOST_MESSAGES, 'message')} more"


def _opened(conversation: Conversation) -> str:
    local, peer = _address(conversation.local), _address(conversation.peer)
    over = conversation.transport.upper() + (" with TLS" if conversation.secure else "")
    over += f", at {datetime.fromtimestamp(conversation.openedAt, UTC):%H:%M:%S} UTC"
    if conversation.transport == "udp" and conversation.outgoing:
        return f"datagrams to {peer}, from {local}, over {over}"
    if conversation.transport == "udp":
        return f"datagrams from {peer}, to {local}, over {over}"
    if conversation.outgoing:
        return f"connected to {peer}, from {local}, over {over}"
    return f"connected from {peer}, to {local}, over {over}"


def _totals(conversation: Conversation) -> str:
    return (
        f"in {counted(conversation.bytesIn, 'byte')}, {counted(conversation.piecesIn, 'piece')}; "
        f"out {counted(conversation.bytesOut, 'byte')}, {counted(conversation.piecesOut, 'piece')}"
    )


def _address(place: tuple[str, int]) -> str:
    host, port = place
    if not port:
        return host or "nowhere"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
