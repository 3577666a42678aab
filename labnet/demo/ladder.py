"""
A conversation as a ladder of pieces: who sent what, when, in how many pieces.
"""

from __future__ import annotations

from labnet.net.dissection import dissectorFor, fieldsOf
from labnet.net.noticing import Noticing
from labnet.net.trace import Conversation, Event, Happening

__all__ = ["ladder", "lessons"]

#: Bytes of a piece that are shown, as text and in hexadecimal.
_TEXT, _HEXADECIMAL = 40, 14
#: Rungs at the beginning of a long ladder, and at its end.
_FIRST, _LAST = 10, 2
#: Sentences about one conversation.
_MOST_LESSONS = 4


def ladder(conversation: Conversation, peer: str = "client", local: str = "server") -> list[str]:
    """
    The rungs, from top to bottom.

    @param peer: who is on the other side.
    @param local: who is on ours.
    """
    rungs = [_rung(event, conversation, peer, local) for event in conversation.events]
    rungs = [rung for rung in rungs if rung]
    if len(rungs) > _FIRST + _LAST + 1:
        left = len(rungs) - _FIRST - _LAST
        rungs = [*rungs[:_FIRST], f"{'':12}... {left} more ...", *rungs[-_LAST:]]
    return rungs


def lessons(conversation: Conversation) -> list[str]:
    """What there is to notice in it, in words."""
    dissector = dissectorFor(conversation.service, conversation.detail, conversation.transport)
    noticing = Noticing(conversation.transport == "udp")
    found = [
        notice.text
        for event in conversation.events
        for notice in noticing.happened(event, fieldsOf(dissector, event))
    ]
    return found[:_MOST_LESSONS]


def _rung(event: Event, conversation: Conversation, peer: str, local: str) -> str:
    milliseconds = f"{1000 * (event.at - conversation.openedAt):8.1f} ms"
    unit = "" if conversation.transport == "udp" else "FIN"
    match event.what:
        case Happening.RECEIVED:
            return f"{milliseconds}  {peer} ── {event.size:3} ──▶ {local}  {_bytes(event)}"
        case Happening.WRITTEN:
            return f"{milliseconds}  {peer} ◀── {event.size:3} ── {local}  {_bytes(event)}"
        case Happening.FAULT:
            return f"{'':11}  {'':{len(peer)}}    fault: {event.note}"
        case Happening.PEER_ENDED:
            return f"{milliseconds}  {peer} ── {unit} ──▶ {local}"
        case Happening.WE_ENDED:
            return f"{milliseconds}  {peer} ◀── {unit} ── {local}"
        case Happening.NOTE:
            return f"{milliseconds}  {event.note}"
    return ""


def _bytes(event: Event) -> str:
    """Text as text, anything else in hexadecimal."""
    data = event.data[:_TEXT]
    if data and all(byte in b"\r\n\t" or 32 <= byte < 127 for byte in data):
        text = data.decode("ascii").encode("unicode_escape").decode("ascii")
        return f'"{text}"' + (" ..." if event.size > len(data) else "")
    data = data[:_HEXADECIMAL]
    return data.hex(" ") + (" ..." if event.size > len(data) else "")
