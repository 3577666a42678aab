"""
Length-prefixed framing.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.net.framing import FramingError, LengthPrefixed, MessageTooLong, TruncatedMessage
from labnet.testing import assertSameInAnyPieces

MESSAGES = [b"one", b"", b"three"]


def test_bytesOfAMessage() -> None:
    assert LengthPrefixed(10).encode(b"abc") == b"\0\0\0\3abc"
    assert LengthPrefixed(10, "little").encode(b"abc") == b"\3\0\0\0abc"


def test_everySegmentation() -> None:
    """Every cut in two and in three, and byte by byte, gives the same messages."""

    def read(pieces: Sequence[bytes]) -> list[bytes]:
        framing = LengthPrefixed(5)
        got = [message for piece in pieces for message in framing.feed(piece)]
        assert not framing.pending
        framing.end()
        return got

    stream = b"".join(LengthPrefixed(5).encode(message) for message in MESSAGES)
    assertSameInAnyPieces(read, stream, expected=MESSAGES, pairs=len(stream) ** 2)


@given(
    st.lists(st.binary(max_size=50)),
    st.lists(st.integers(1, 20), min_size=1),
    st.sampled_from(["big", "little"]),
    st.booleans(),
)
def test_whatIsEncodedIsDecoded(messages: list[bytes], sizes: list[int], order: str, signed: bool) -> None:
    framing = LengthPrefixed(50, order, signed=signed)  # type: ignore[arg-type]
    stream = b"".join(framing.encode(message) for message in messages)
    got: list[bytes] = []
    for size in itertools.cycle(sizes):
        if not stream:
            break
        got += framing.feed(stream[:size])
        stream = stream[size:]
    assert got == messages


@pytest.mark.parametrize("length", [11, 2**31 - 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("signed", [False, True])
def test_aLengthThatLies(length: int, signed: bool) -> None:
    """It is refused with its last byte, nothing is kept for it, and the stream stays broken."""
    framing = LengthPrefixed(10, signed=signed)
    prefix = struct.pack(">I", length)
    assert framing.feed(prefix[:3]) == []
    with pytest.raises(MessageTooLong):
        framing.feed(prefix[3:])
    assert not framing.pending
    for _ in range(2):
        with pytest.raises(MessageTooLong):
            framing.feed(b"\0\0\0\1a")
    assert isinstance(framing.broken, FramingError)


def test_messagesBeforeABadLengthAreReturned() -> None:
    framing = LengthPrefixed(10)
    assert framing.feed(framing.encode(b"good") + b"\xff\xff\xff\xff" + b"x") == [b"good"]
    assert framing.broken is not None
    with pytest.raises(MessageTooLong):
        framing.feed(b"")


def test_theLongestMessage() -> None:
    """The limit itself is allowed, one more is not, in both directions."""
    framing = LengthPrefixed(10)
    assert framing.feed(framing.encode(b"x" * 10)) == [b"x" * 10]
    with pytest.raises(ValueError, match="11 bytes, allowed are 10"):
        framing.encode(b"x" * 11)


@pytest.mark.parametrize("size", [1, 3, 4, 5])
def test_theEndInTheMiddle(size: int) -> None:
    framing = LengthPrefixed(10)
    framing.feed(framing.encode(b"ab")[:size])
    assert framing.pending
    with pytest.raises(TruncatedMessage, match=f"after {size} bytes"):
        framing.end()
