"""
What the page is told: JSON, with everything in it bounded and nothing in it that could be taken for
anything but text.

The messages are described in C{docs/dashboard.md}.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence

from labnet.net.dissection import Field
from labnet.net.noticing import Notice
from labnet.net.trace import Conversation, Event

__all__ = ["addressOf", "event", "field", "notice", "plain", "row", "serverSent"]

#: Characters of one text that some peer may have had a hand in.
_LONGEST = 300


def plain(text: str, most: int = _LONGEST) -> str:
    """
    A text as it may be shown: what is not printable, or changes the direction of what is, as an escape;
    and not longer than C{most} characters.
    """
    shown = text if len(text) <= most else text[: most - 1] + "…"
    if shown.isprintable():
        return shown
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape", "backslashreplace").decode("ascii")
        for character in shown
    )


def addressOf(host: str, port: int) -> str:
    """An address as people write it."""
    if not port:
        return plain(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def row(conversation: Conversation) -> dict[str, object]:
    """One line of the list of conversations."""
    return {
        "id": conversation.id,
        "service": conversation.service,
        "detail": plain(conversation.detail, 100),
        "transport": conversation.transport,
        "secure": conversation.secure,
        "outgoing": conversation.outgoing,
        "peer": addressOf(*conversation.peer),
        "local": addressOf(*conversation.local),
        "opened": conversation.openedAt,
        "closed": conversation.closedAt,
        "outcome": plain(conversation.outcome),
        "bytes": [conversation.bytesIn, conversation.bytesOut],
        "pieces": [conversation.piecesIn, conversation.piecesOut],
    }


def field(found: Field) -> list[object]:
    """A run of bytes and what it means."""
    return [found.start, found.end, plain(found.name, 60), plain(found.value), found.level]


def notice(found: Notice) -> dict[str, object]:
    """What there is to notice, and the events that show it."""
    return {"lesson": found.lesson.value, "text": plain(found.text), "events": list(found.events)}


def event(
    happened: Event, offset: int, piece: int, fields: Sequence[Field], omitted: int = 0
) -> dict[str, object]:
    """
    One rung of the ladder.

    @param offset: where its bytes begin in their direction of the stream; 0 for a datagram.
    @param piece: which one it is in its direction, from 1 on.
    @param fields: what became clear with it.
    @param omitted: how many more fields there were.
    """
    rung: dict[str, object] = {"n": happened.number, "at": happened.at, "what": happened.what.value}
    if happened.size:
        data = b64encode(happened.data).decode("ascii")
        rung |= {"offset": offset, "piece": piece, "size": happened.size, "data": data}
    if happened.note:
        rung["note"] = plain(happened.note)
    if fields:
        rung["fields"] = [field(found) for found in fields]
    if omitted:
        rung["omitted"] = omitted
    return rung


def serverSent(message: Mapping[str, object]) -> bytes:
    """A message of the stream of events. JSON has no line end in it, so it is one C{data:} line."""
    text = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
    return b"data: " + text.encode("utf-8", "replace") + b"\n\n"
