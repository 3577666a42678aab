"""
A trace as lines of JSON, and back.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labnet.net.pcapng import write
from labnet.net.redaction import Redaction
from labnet.net.trace import Bounds, Conversation, Happening, Trace
from labnet.net.tracefile import BadTraceFile, EventLines, readConversations

H = Happening
STEPS = st.lists(
    st.tuples(st.sampled_from(list(H)), st.binary(max_size=40), st.text(max_size=9)), max_size=12
)


def recorded(steps: list[tuple[Happening, bytes, str]], bounds: Bounds) -> tuple[Trace, list[str]]:
    """What a trace has kept of two conversations, and the lines of what happened."""
    trace = Trace(bounds, Redaction())
    lines: list[str] = []
    writing = EventLines()
    trace.subscribe(lambda one, event: lines.extend(f"{line}\n" for line in writing.lines(one, event)))
    tcp = trace.begin("echo", "raw", "tcp", ("::1", 7007), ("::1", 50_000), 1e9, secure=True)
    udp = trace.begin("echo", "", "udp", ("127.0.0.1", 7007), ("127.0.0.1", 9), 1e9 + 1, outgoing=True)
    for number, (what, data, note) in enumerate(steps):
        pieces = what in (H.RECEIVED, H.WRITTEN)
        trace.add((tcp, udp)[number % 2], what, 1e9 + number / 7, data if pieces else b"", note)
    return trace, lines


def shown(conversation: Conversation) -> dict[str, Any]:
    """All of a conversation that a file can hold."""
    names = set(Conversation.__slots__) - {"hiding", "bytesKept"}
    return {name: getattr(conversation, name) for name in names if not name.startswith("_")}


@settings(deadline=None)
@given(STEPS)
def test_whatIsReadIsWhatWasRecorded(steps: list[tuple[Happening, bytes, str]]) -> None:
    trace, lines = recorded(steps, Bounds())
    read = readConversations(lines)
    assert [shown(one) for one in read] == [shown(one) for one in trace.conversations.values()]
    assert b"".join(write(read)) == b"".join(write(trace.conversations.values()))


def test_aLineByItself() -> None:
    """Each can be read by anybody who knows JSON."""
    _, lines = recorded([(H.RECEIVED, b"hi\n", "")], Bounds(pieceBytes=2))
    assert json.loads(lines[2]) == {
        "conversation": 1, "service": "echo", "detail": "raw", "transport": "tcp", "secure": True,
        "outgoing": False, "local": ["::1", 7007], "peer": ["::1", 50000], "opened": 1e9, "event": 2,
        "at": 1e9, "what": "received", "size": 3, "data": "6869", "note": "", "in": 3, "out": 0,
    }  # fmt: skip


def test_linesThatAreMissing() -> None:
    """As after a file was renamed, or the disk was full: what came before them is left out."""
    _, lines = recorded([(H.RECEIVED, bytes([65 + n]), "") for n in range(8)], Bounds())
    mine = [line for line in lines if '"conversation":1' in line]
    (one,) = readConversations([*mine[:2], EventLines().lost(3) + "\n", *mine[3:]])
    assert [event.data for event in one.events] == [b"E", b"G"]
    assert (one.forgotten, one.bytesIn) == (3, 4)
    (again,) = readConversations([*mine[:2], mine[2][:40] + EventLines().lost(3) + "\n", *mine[3:]])
    assert again.events == one.events
    (two,) = readConversations(mine[4:])
    assert (two.forgotten, len(two.events)) == (4, 1)


def test_severalProcesses() -> None:
    """Numbers begin anew with each; they are other conversations."""
    _, lines = recorded([], Bounds())
    later = [line.replace(":100000000", ":100000050") for line in lines]
    assert len(readConversations([*lines, *later])) == 4


def test_aLastLineThatIsCut() -> None:
    _, lines = recorded([(H.RECEIVED, b"x", "")], Bounds())
    assert len(readConversations([*lines, lines[0][:50]])[0].events) == 2


GOOD = recorded([(H.RECEIVED, b"x", "")], Bounds())[1][2]


@pytest.mark.parametrize(
    "bad",
    [
        "{}",
        "{",
        "5",
        "calculator #3  0.0002 < 9 bytes",
        "{" * 100_000,
        GOOD.replace('"tcp"', '"sctp"').strip(),
        GOOD.replace('"78"', '"7"').strip(),
        GOOD.replace('"size":1', '"size":0').strip(),
        GOOD.replace('"received"', '"eaten"').strip(),
        GOOD.replace("50000", "70000").strip(),
        GOOD.replace("50000", "null").strip(),
        GOOD.replace('"event":2', '"event":0').strip(),
        GOOD.replace('"at":1000000000.0', '"at":NaN').strip(),
        GOOD.replace('"at":1000000000.0', '"at":-1').strip(),
        GOOD.replace('["::1",50000]', "5").strip(),
    ],
)
def test_whatIsNoTrace(bad: str) -> None:
    assert bad != GOOD.strip()
    with pytest.raises(BadTraceFile, match="line 2 is no event of a trace"):
        readConversations([GOOD, f"{bad}\n"])


@pytest.mark.parametrize("text", ["", '{"lost":3}\n', "cut"])
def test_whatHasNoEvents(text: str) -> None:
    with pytest.raises(BadTraceFile, match="there is no event of a trace in it, as --trace-file"):
        readConversations(text.splitlines(keepends=True))


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9) | st.integers() | st.just(10**400),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@settings(deadline=None)
@given(st.sampled_from(["tcp", "udp", "unix"]), st.sampled_from(sorted(json.loads(GOOD))), VALUES)
@example("udp", "size", 2**31 - 1)
@example("tcp", "size", 2**31 - 1)
def test_whateverStandsInALine(transport: str, name: str, value: object) -> None:
    """It is a conversation that can be written, or a file that can not be read."""
    line = json.dumps(json.loads(GOOD) | {"transport": transport} | {name: value}) + "\n"
    try:
        read = readConversations([line])
    except BadTraceFile:
        return
    file = b"".join(itertools.islice(write(read), 2))
    assert file.startswith(b"\n\r\r\n")
