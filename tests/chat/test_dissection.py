"""
The chat, message by message.
"""

from __future__ import annotations

import pytest

from labnet.chat.wire import FRAMED, LINE, PLAIN, PROMPT, Dialect, Joined, Said
from labnet.net.dissection import Field, dissectorFor
from tests.dissections import IN, OUT, dissect, made, rows


def told(fields: list[Field], name: str) -> list[str]:
    return [field.value for field in fields if field.name == name]


@pytest.mark.parametrize("dialect", [PLAIN, LINE, FRAMED], ids=lambda dialect: dialect.name)
def test_whoSaysWhat(dialect: Dialect) -> None:
    """The question, and who each message is from; with framings also the name and the commands."""
    events = [Joined("bob"), Said("eve", "hi")]
    turns = [(OUT, dialect.frame(PROMPT))]
    turns += [(IN, dialect.frame(text)) for text in ("bob", "/who now", "hello")]
    turns += [(OUT, b"".join(dialect.encode(event))) for event in events]
    heard, said = dissect(made("chat", dialect.name), turns)
    assert told(said, "question") == ["Enter your username: "]
    assert told(said, "from") == ["SERVER", "eve"]
    assert [field.value for field in said if not field.level] == [
        "Enter your username: ",
        "[SERVER] bob joined the chat!",
        "[eve] hi",
    ]
    assert [field.value for field in heard if not field.level] == ["bob", "/who now", "hello"]
    if dialect is not PLAIN:
        assert told(heard, "name") == ["bob"]
        assert told(heard, "command") == ["/who"]


def test_lines() -> None:
    heard, _ = dissect(made("chat", "line"), [(IN, b"bob\r\n//x\nlast")])
    assert rows(heard) == [
        (0, 5, "message 1", "bob"),
        (0, 3, "  name", "bob"),
        (3, 5, "  end of line", ""),
        (5, 9, "message 2", "//x"),
        (8, 9, "  end of line", ""),
        (9, 13, "message 3", "last"),
    ]


def test_thePage() -> None:
    heard, _ = dissect(made("chat", "web"), [(IN, b"GET / HTTP/1.1\r\n\r\n")])
    assert heard[0].name == "request 1"
    assert dissectorFor("chat", "irc", "tcp") is None
