"""
A trace as lines of JSON: one object for each event, with all that is known of its conversation, so that
each line can be read by itself.

C{data} is hexadecimal, and holds as much of a piece as the trace keeps; C{size} is how long it was. C{in}
and C{out} are the bytes from and to the peer so far. Times are in seconds since the epoch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, get_args

from labnet.net.trace import Conversation, Event, Happening, TransportName

__all__ = ["BadTraceFile", "EventLines", "readConversations"]

_TRANSPORTS = get_args(TransportName)
#: It may stand behind a line that was written in part.
_LOST = re.compile(r'\{"lost":\d+\}\Z')
#: Bytes of one piece.
_LARGEST = 2**31
_FORM = "as --trace-file NAME.jsonl writes them"


class BadTraceFile(ValueError):
    """This is no file with a trace. The text is one line for people, with the number of the line."""


class EventLines:
    """Makes the lines."""

    def lines(self, conversation: Conversation, event: Event) -> list[str]:
        """The line of one event, without its end."""
        row = {
            "conversation": conversation.id,
            "service": conversation.service,
            "detail": conversation.detail,
            "transport": conversation.transport,
            "secure": conversation.secure,
            "outgoing": conversation.outgoing,
            "local": conversation.local,
            "peer": conversation.peer,
            "opened": conversation.openedAt,
            "event": event.number,
            "at": event.at,
            "what": event.what.value,
            "size": event.size,
            "data": event.data.hex(),
            "note": event.note,
            "in": conversation.bytesIn,
            "out": conversation.bytesOut,
        }
        return [json.dumps(row, separators=(",", ":"))]

    def lost(self, count: int) -> str:
        """The line in place of so many that could not be written."""
        return json.dumps({"lost": count}, separators=(",", ":"))


def readConversations(lines: Iterable[str]) -> list[Conversation]:
    """
    The conversations of a file, in the order in which they appear. Several processes may have written it,
    one after another; where lines are missing in a conversation, what stands before is left out. A last
    line that is cut is passed over.

    @raise BadTraceFile: this is none.
    """
    found: dict[tuple[object, ...], Conversation] = {}
    for number, line in enumerate(lines, 1):
        if _LOST.search(line.rstrip()):
            continue
        try:
            _read(json.loads(line), found)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            if line.endswith("\n"):
                raise BadTraceFile(f"line {number} is no event of a trace, {_FORM}") from error
    if not found:
        raise BadTraceFile(f"there is no event of a trace in it, {_FORM}")
    return list(found.values())


def _read(row: dict[str, Any], found: dict[tuple[object, ...], Conversation]) -> None:
    local, peer = _place(row["local"]), _place(row["peer"])
    opened = _number(row["opened"])
    key = (row["conversation"], opened, peer, row["service"])
    conversation = found.get(key)
    if row["transport"] not in _TRANSPORTS:
        raise ValueError(row["transport"])
    if conversation is None:
        conversation = Conversation(
            int(row["conversation"]),
            str(row["service"]),
            str(row["detail"]),
            row["transport"],
            local,
            peer,
            opened,
            bool(row["secure"]),
            bool(row["outgoing"]),
        )
    event = Event(
        int(row["event"]),
        _number(row["at"]),
        Happening(row["what"]),
        bytes.fromhex(row["data"]),
        int(row["size"]),
        str(row["note"]),
    )
    bytesIn, bytesOut = int(row["in"]), int(row["out"])
    if not len(event.data) <= event.size < _LARGEST or event.number < 1 or min(bytesIn, bytesOut) < 0:
        raise ValueError("more than there was")
    _add(conversation, event, bytesIn, bytesOut)
    found[key] = conversation


def _add(conversation: Conversation, event: Event, bytesIn: int, bytesOut: int) -> None:
    events = conversation.events
    if not events or events[-1].number != event.number - 1:
        events.clear()
        conversation.forgotten = event.number - 1
    events.append(event)
    conversation.bytesIn, conversation.bytesOut = bytesIn, bytesOut
    conversation.piecesIn += event.what is Happening.RECEIVED
    conversation.piecesOut += event.what is Happening.WRITTEN
    if event.what is Happening.CLOSED:
        conversation.closedAt, conversation.outcome = event.at, event.note


def _place(given: Any) -> tuple[str, int]:
    host, port = given
    if not 0 <= int(port) <= 65_535:
        raise ValueError(port)
    return str(host), int(port)


def _number(given: Any) -> float:
    number = float(given)
    if not 0 <= number < 2**33:
        raise ValueError(number)
    return number
