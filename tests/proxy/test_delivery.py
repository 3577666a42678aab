"""
What of a response reaches the client, and when, in whatever pieces it comes.
"""

from __future__ import annotations

import errno
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.proxy.decoding import DecodingLimits
from labnet.proxy.delivery import Cut, Delivery, Held, Streamed
from labnet.proxy.inspection import Finding, Inspector
from labnet.proxy.rules import Rule
from labnet.proxy.spool import Spool
from labnet.proxy.wire import Fields
from labnet.testing import segmentations
from labnet.testing.strategies import segmented

WORD = b"SzamHalo"
RULES = (Rule(WORD), Rule(b"abc"))
PAGE = b"The page before the word SzamHalo and after it."
NONE = Fields()


class Client:
    """Keeps what reaches the client, and in what order things happened."""

    def __init__(self, passes: bool = False) -> None:
        self.sent = b""
        self.events: list[str] = []
        self.finding: Finding | None = None
        self.trailers = NONE
        self.size: int | None = None
        self.passes = passes
        self.over = False
        self.replaced = False

    def _event(self, event: str) -> None:
        assert not self.over, f"{event} after the end"
        self.events.append(event)

    def begin(self, size: int | None) -> None:
        self._event("begin")

    def content(self, piece: bytes) -> None:
        assert not self.over
        assert self.events, "content before the head"
        self.sent += piece

    def complete(self, trailers: Fields) -> None:
        self._event("complete")
        self.trailers = trailers
        self.over = True

    def deliver(self, spool: Spool, trailers: Fields) -> None:
        self._event("deliver")
        self.size = spool.size
        self.sent += b"".join(spool.pieces())
        self.trailers = trailers
        self.over = True

    def replay(self, spool: Spool) -> None:
        self._event("replay")
        self.sent += b"".join(spool.pieces())
        self.replaced = True

    def blocked(self, found: Finding) -> None:
        self._event("blocked")
        self.finding = found
        self.over = True

    def uninspectable(self, why: str) -> bool:
        self._event(why)
        self.over = not self.passes
        return self.passes


def held(client: Client, memory: int = 1000, most: int = 1000, coding: bytes = b"identity") -> Held:
    inspector = Inspector(RULES, [coding], DecodingLimits(size=5_000))
    return Held(client, inspector, RULES, memory, most)


def cutOff(client: Client, memory: int = 0, rules: tuple[Rule, ...] = RULES) -> Cut:
    return Cut(client, Inspector(rules, []), rules, memory)


def play(delivery: Delivery, client: Client, pieces: list[bytes], trailers: Fields = NONE) -> Client:
    """Feed a delivery as an exchange does: until it is over, or streamed from here on."""
    for piece in pieces:
        if client.over:
            break
        (Streamed(client) if client.replaced else delivery).received(piece)
    if not client.over:
        (Streamed(client) if client.replaced else delivery).ended(trailers)
    delivery.close()
    return client


# Streamed


def test_whatIsStreamedGoesThroughAsItComes() -> None:
    for pieces in segmentations(PAGE):
        client = Client()
        client.begin(None)
        play(Streamed(client), client, pieces, Fields([(b"A", b"b")]))
        assert client.sent == PAGE
        assert client.events == ["begin", "complete"]
        assert client.trailers.lines == [(b"A", b"b")]


# Held


@pytest.mark.parametrize("memory", [0, 10, 1000])
def test_ofAPageWithTheWordNothingReachesTheClient(memory: int) -> None:
    """Held in memory or on disk, in whatever pieces it comes."""
    for pieces in segmentations(PAGE):
        client = Client()
        play(held(client, memory), client, pieces)
        assert client.events == ["blocked"]
        assert client.sent == b""
        assert client.finding == Finding(RULES[0], "body", PAGE.index(WORD))


@pytest.mark.parametrize("memory", [0, 10, 1000])
def test_aCleanPageReachesTheClientWhole(memory: int) -> None:
    clean = PAGE.replace(WORD, b"word")
    for pieces in segmentations(clean):
        client = Client()
        play(held(client, memory), client, pieces)
        assert client.events == ["deliver"]
        assert (client.sent, client.size) == (clean, len(clean))


def test_whatReachesTheClientIsStillEncoded() -> None:
    encoded = gzip.compress(b"clean")
    for pieces in segmentations(encoded):
        client = Client()
        play(held(client, coding=b"gzip"), client, pieces)
        assert client.sent == encoded


def test_theWordInGzip() -> None:
    for pieces in segmentations(gzip.compress(PAGE)):
        client = Client()
        play(held(client, coding=b"gzip"), client, pieces)
        assert (client.events, client.sent) == (["blocked"], b"")


def test_anEmptyBody() -> None:
    client = Client()
    play(held(client), client, [])
    assert (client.events, client.size) == (["deliver"], 0)


@pytest.mark.parametrize("make", [held, cutOff])
def test_theWordInTheTrailers(make: type[Held]) -> None:
    client = Client()
    play(make(client), client, [b"clean"], Fields([(b"X", b"a SzamHalo")]))
    assert client.events[-1] == "blocked"
    assert client.finding is not None
    assert client.finding.where == "trailers"


@pytest.mark.parametrize("coding", [b"identity", b"gzip"])
@pytest.mark.parametrize("memory", [0, 20, 100])
def test_whatIsTooLargeIsRefused(memory: int, coding: bytes) -> None:
    client = Client()
    play(held(client, memory, 20), client, [b"x" * 7] * 10)
    assert client.events == ["over 20 bytes"]
    assert client.sent == b""


@pytest.mark.parametrize("memory", [0, 20, 100])
def test_whatIsTooLargePassesIfItMay(memory: int) -> None:
    """All of it, once and in order."""
    pieces = [b"%06d" % i for i in range(20)]
    client = Client(passes=True)
    play(held(client, memory, 20), client, pieces)
    assert client.events == ["over 20 bytes", "replay", "complete"]
    assert client.sent == b"".join(pieces)


def test_theMostIsExact() -> None:
    client = Client()
    play(held(client, 5, 20), client, [b"x" * 20])
    assert client.events == ["deliver"]


@pytest.mark.parametrize("passes", [False, True])
def test_whatIsDamaged(passes: bool) -> None:
    """Is refused, or passes as it came: what was held before the damage, the damage, and the rest."""
    good = gzip.compress(b"x" * 30)
    damaged = good[:-6] + b"\xff" * 6 + b"and more"
    for pieces in segmentations(damaged):
        client = Client(passes)
        play(held(client, 10, coding=b"gzip"), client, pieces)
        assert client.events[0] == "the compressed data is damaged"
        assert client.sent == (damaged if passes else b"")


@pytest.mark.parametrize("passes", [False, True])
def test_whatEndsTooEarly(passes: bool) -> None:
    damaged = gzip.compress(b"x" * 30)[:-1]
    for pieces in segmentations(damaged):
        client = Client(passes)
        play(held(client, coding=b"gzip"), client, pieces)
        assert client.events == ["the compressed data ends too early"] + ["deliver"] * passes
        assert client.sent == (damaged if passes else b"")


def test_aBomb() -> None:
    client = Client()
    play(held(client, coding=b"gzip"), client, [gzip.compress(bytes(10_000))])
    assert client.events == ["over 5000 bytes when decoded"]


@pytest.mark.parametrize("passes", [False, True])
def test_theDiskIsFull(monkeypatch: pytest.MonkeyPatch, passes: bool) -> None:
    """It is refused; or everything passes, once, what the disk did not take as well."""

    def full(spool: Spool) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Spool, "_moveToDisk", full)
    pieces = [b"%06d" % i for i in range(20)]
    client = Client(passes)
    play(held(client, 20), client, pieces)
    assert client.events[0] == "no room to hold it: No space left on device"
    assert client.sent == (b"".join(pieces) if passes else b"")


# Cut


@pytest.mark.parametrize("memory", [0, 1, 5, 30, 1000])
def test_ofTheWordNotAByteReachesTheClient(memory: int) -> None:
    """What comes before it may, up to the longest string's length before; its beginning never does."""
    before = PAGE[: PAGE.index(WORD)]
    for pieces in segmentations(PAGE):
        client = Client()
        play(cutOff(client, memory), client, pieces)
        assert client.events[-1] == "blocked"
        assert before.startswith(client.sent)
        if memory == 1000:
            assert client.events == ["blocked"]


@given(
    st.data(),
    st.lists(st.sampled_from([b"Szam", b"Halo", b"SzamHal", WORD, b"S", b"ab", b"abc", b"-"]), max_size=10),
    st.integers(0, 30),
)
def test_cutInAnyPieces(data: st.DataObject, parts: list[bytes], memory: int) -> None:
    """A clean body arrives whole; of another one no more than what stands before the first string."""
    whole = b"".join(parts)
    client = Client()
    play(cutOff(client, memory), client, data.draw(segmented(whole)))
    starts = [whole.index(rule.pattern) for rule in RULES if rule.pattern in whole]
    if starts:
        assert client.events[-1] == "blocked"
        first = client.finding
        assert first is not None
        assert whole[: first.offset].startswith(client.sent)
    else:
        assert client.sent == whole
        assert client.events in (["deliver"], ["begin", "complete"])


def test_aSmallBodyIsHeldAndHasALength() -> None:
    client = Client()
    play(cutOff(client, 20), client, [b"x" * 10, b"y" * 10], Fields([(b"A", b"b")]))
    assert client.events == ["deliver"]
    assert client.size == 20
    assert client.trailers.lines == [(b"A", b"b")]


def test_aLargeBodyFollowsALittleBehind() -> None:
    """It is not held: all but what a blocked string could begin with is on its way."""
    client = Client()
    delivery = cutOff(client, 20)
    sent = b""
    for i in range(100):
        delivery.received(b"%03dS" % i)
        sent += b"%03dS" % i
        assert client.sent == (sent[:-1] if len(sent) > 20 else b"")
    delivery.ended(NONE)
    assert client.sent == sent
    delivery.close()


def test_aRuleOfOneByteHoldsNothingBack() -> None:
    rules = (Rule(b"!"),)
    for pieces in segmentations(b"Hello! Yes"):
        client = Client()
        play(cutOff(client, 0, rules), client, pieces)
        assert b"Hello".startswith(client.sent)
        assert client.events[-1] == "blocked"


def test_whatWasHeldIsLetGoOnceItIsOnItsWay() -> None:
    client = Client()
    delivery = cutOff(client, 20)
    delivery.received(b"x" * 20)
    delivery.received(b"y")
    assert delivery._spool.size == 0
    delivery.close()
