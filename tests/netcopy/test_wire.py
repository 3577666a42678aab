"""
The checksum server's grammar, cut anywhere.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.netcopy.wire import (
    LONGEST_CHECKSUM,
    LONGEST_ID,
    Announcement,
    Lookup,
    NotUnderstood,
    RequestReader,
    encodeAnnouncement,
    encodeLookup,
    isIdentifier,
    readChecksum,
    readStored,
)

# Identifiers that could be taken for the end of one, and for the beginning of a request.
identifiers = st.one_of(
    st.sampled_from([b"1", b"BE", b"KI", b"KIBE", b"0", b"\xff\xfe", b"x" * LONGEST_ID]),
    st.binary(min_size=1, max_size=20).filter(isIdentifier),
)
requests = st.one_of(
    st.builds(
        lambda identifier, seconds, checksum: Announcement(
            identifier, seconds, b"%d" % len(checksum), checksum
        ),
        identifiers,
        st.integers(0, 10**9 - 1),
        st.binary(min_size=1, max_size=LONGEST_CHECKSUM),
    ),
    st.builds(Lookup, identifiers),
)


def encode(request: Announcement | Lookup) -> bytes:
    if isinstance(request, Lookup):
        return encodeLookup(request.identifier)
    return encodeAnnouncement(request.identifier, request.seconds, request.checksum)


@given(st.lists(requests, max_size=6), st.lists(st.integers(1, 40), min_size=1))
def test_everyCutGivesTheSameRequests(expected: list[Announcement | Lookup], cuts: list[int]) -> None:
    """Several in one segment, one over several segments: the last C{KI} ends when it is quiet."""
    stream, reader = b"".join(map(encode, expected)), RequestReader()
    found, at, turn = [], 0, 0
    while at < len(stream):
        step = cuts[turn % len(cuts)]
        found += reader.feed(stream[at : at + step])
        at, turn = at + step, turn + 1
    found += reader.quiet()
    assert reader.broken is None
    assert found == expected
    assert not reader.pending


@given(st.lists(st.binary(max_size=300)))
def test_anythingIsTakenAndLittleIsKept(pieces: list[bytes]) -> None:
    reader = RequestReader()
    for piece in pieces:
        reader.feed(piece)
        assert len(reader._buffer) < 1024


def test_aLookupEndsWithALineToo() -> None:
    reader = RequestReader()
    assert reader.feed(b"KI|1\r\n\nKI|2\n") == [Lookup(b"1"), Lookup(b"2")]
    assert not reader.pending


def test_nothingIsALookupBeforeItsIdentifier() -> None:
    reader = RequestReader()
    assert reader.feed(b"KI|") == []
    assert not reader.endsWhenQuiet
    assert reader.quiet() == []
    reader.feed(b"1")
    assert reader.endsWhenQuiet


def test_anAnnouncementDoesNotEndWhenQuiet() -> None:
    reader = RequestReader()
    assert reader.feed(b"BE|1|60|3|ab") == []
    assert reader.quiet() == []
    assert reader.feed(b"c") == [Announcement(b"1", 60, b"3", b"abc")]


@pytest.mark.parametrize(
    "stream",
    [
        b"XX|1",
        b"GET / HTTP/1.1\r\n",
        b"be|1|2|1|x",
        b"KI||",
        b"KI|KI|",
        b"KI|1|2",
        b"KI|\n",
        b"KI|\0\n",
        b"KI|" + b"x" * (LONGEST_ID + 3),
        b"BE||60|1|x",
        b"BE|1|-1|1|x",
        b"BE|1|1e9|1|x",
        b"BE|1|60|0|",
        b"BE|1|60|129|",
        b"BE|1|60|99999|",
        b"BE|1|" + b"9" * 300,
        b"BE|" + b"x" * 300,
    ],
)
def test_whatIsNoRequestIsNotReadOn(stream: bytes) -> None:
    """What came before it is answered, and nothing that comes after it."""
    reader = RequestReader()
    assert reader.feed(b"KI|1\n" + stream) == [Lookup(b"1")]
    assert reader.broken is not None
    assert reader.feed(b"KI|1\n") == []
    assert not reader.pending


@pytest.mark.parametrize(
    ("answer", "checksum"), [(b"0|", b""), (b"3|abc", b"abc"), (b"03|abc", b"abc"), (b"3|a|c", b"a|c")]
)
def test_anAnswerIsReadWhenItIsAllThere(answer: bytes, checksum: bytes) -> None:
    for end in range(len(answer)):
        assert readChecksum(answer[:end]) is None
    assert readChecksum(answer) == checksum
    assert [readStored(said) for said in (b"", b"O", b"OK", b"OK\n")] == [None, None, True, True]


@pytest.mark.parametrize("answer", [b"|", b"x", b"-1|", b"99999", b"129|", b"\xff"])
def test_whatIsNoAnswerIsSaidSo(answer: bytes) -> None:
    with pytest.raises(NotUnderstood):
        readChecksum(answer)
    with pytest.raises(NotUnderstood):
        readStored(answer)
