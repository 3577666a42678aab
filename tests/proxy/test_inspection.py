"""
Looking for blocked strings through every content coding, in whatever pieces the content comes.
"""

from __future__ import annotations

import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.proxy import inspection
from labnet.proxy.decoding import AVAILABLE_CODINGS, Bomb, DecodingLimits, Undecodable
from labnet.proxy.inspection import Finding, Inspector, search, unfinished
from labnet.proxy.rules import Rule
from labnet.testing import segmentations
from labnet.testing.strategies import segmented

try:
    from compression import zstd
except ImportError:
    from backports import zstd

WORD = b"SzamHalo"
RULES = (Rule(WORD),)
PAGE = b"<html><p>A page that holds the word SzamHalo somewhere.</p></html>"
CLEAN = PAGE.replace(WORD, b"szamhalo")
STEP = 256 * 1024


@pytest.fixture(scope="module", params=["stringzilla", "bytes"], autouse=True)
def finder(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test here runs with the fast search, where it is installed, and with Python's own."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "bytes":
            patch.setattr(inspection, "_find", bytes.find)
        else:
            patch.setattr(inspection, "_find", pytest.importorskip("stringzilla").find)
        yield


def rawDeflate(data: bytes) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    return stream.compress(data) + stream.flush()


def blocks(data: bytes, wbits: int) -> bytes:
    """Every byte in a block of its own, flushed."""
    stream = zlib.compressobj(9, zlib.DEFLATED, wbits)
    parts = [stream.compress(data[i : i + 1]) + stream.flush(zlib.Z_FULL_FLUSH) for i in range(len(data))]
    return b"".join(parts) + stream.flush()


def brotliBlocks(data: bytes) -> bytes:
    stream = brotli.Compressor()
    parts = [stream.process(data[i : i + 1]) + stream.flush() for i in range(len(data))]
    return b"".join(parts) + stream.finish()


def each(encode: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Every byte in a member or frame of its own."""
    return lambda data: b"".join(encode(data[i : i + 1]) for i in range(len(data)))


ENCODERS: list[tuple[str, list[bytes], Callable[[bytes], bytes]]] = [
    ("identity", [], bytes),
    ("identity named", [b"identity"], bytes),
    ("gzip", [b"gzip"], gzip.compress),
    ("x-gzip", [b"x-gzip"], gzip.compress),
    ("gzip members", [b"gzip"], each(gzip.compress)),
    ("gzip padded", [b"gzip"], lambda data: gzip.compress(data) + bytes(20)),
    ("gzip padded between", [b"gzip"],
     lambda data: gzip.compress(data[:36]) + bytes(3) + gzip.compress(data[36:])),
    ("gzip blocks", [b"gzip"], lambda data: blocks(data, 31)),
    ("gzip stored", [b"gzip"], lambda data: gzip.compress(data, 0)),
    ("zlib", [b"deflate"], zlib.compress),
    ("zlib blocks", [b"deflate"], lambda data: blocks(data, 15)),
    ("raw deflate", [b"deflate"], rawDeflate),
    ("raw deflate blocks", [b"deflate"], lambda data: blocks(data, -15)),
    ("br", [b"br"], brotli.compress),
    ("br blocks", [b"br"], brotliBlocks),
    ("zstd", [b"zstd"], zstd.compress),
    ("zstd frames", [b"zstd"], each(zstd.compress)),
    ("zstd skippable", [b"zstd"], lambda data: b"\x50\x2a\x4d\x18\2\0\0\0ab" + zstd.compress(data)),
    ("gzip, br", [b"gzip", b"br"], lambda data: brotli.compress(gzip.compress(data))),
    ("br, gzip", [b"br", b"gzip"], lambda data: gzip.compress(brotli.compress(data))),
    ("deflate, deflate", [b"deflate", b"deflate"], lambda data: rawDeflate(zlib.compress(data))),
    ("zstd, identity, deflate", [b"zstd", b"identity", b"deflate"],
     lambda data: zlib.compress(zstd.compress(data))),
]  # fmt: skip
CASES = pytest.mark.parametrize(
    ("codings", "encode"), [case[1:] for case in ENCODERS], ids=[case[0] for case in ENCODERS]
)


def inspect(
    pieces: Iterable[bytes], codings: Sequence[bytes] = (), rules: Sequence[Rule] = RULES
) -> Finding | str | int:
    """What an inspector finds; or why it can not; or how many bytes it has looked at."""
    inspector = Inspector(rules, codings)
    try:
        for piece in pieces:
            found = inspector.feed(piece)
            if found is not None:
                return found
        inspector.end()
    except Undecodable as problem:
        return str(problem)
    return inspector.inspected


# Found, whatever the coding and the pieces


@CASES
def test_theWordIsFoundInWhateverPieces(codings: list[bytes], encode: Callable[[bytes], bytes]) -> None:
    """The encoded stream cut at every place, and byte by byte; with the right offset and coding."""
    names = ", ".join(c.decode() for c in codings if c != b"identity") or "identity"
    expected = Finding(RULES[0], "body", PAGE.index(WORD), names)
    for pieces in segmentations(encode(PAGE)):
        assert inspect(pieces, codings) == expected


@CASES
def test_whatIsCleanIsClean(codings: list[bytes], encode: Callable[[bytes], bytes]) -> None:
    """To its end: every decoded byte was looked at."""
    for pieces in segmentations(encode(CLEAN)):
        assert inspect(pieces, codings) == len(CLEAN)


@CASES
def test_wherEverTheWordStands(codings: list[bytes], encode: Callable[[bytes], bytes]) -> None:
    for at in range(0, 20, 3):
        for page in (b"." * at + WORD, b"." * at + WORD + b"."):
            found = inspect([encode(page)], codings)
            assert isinstance(found, Finding)
            assert found.offset == at


@CASES
def test_anEmptyBodyIsClean(codings: list[bytes], encode: Callable[[bytes], bytes]) -> None:
    """Both the coding of nothing, and nothing at all, as after a 304 that names a coding."""
    assert inspect([], codings) == 0
    assert inspect([b""], codings) == 0
    assert inspect([encode(b"")], codings) in (0, "the compressed data ends too early")


@given(st.data(), st.sampled_from([case[1:] for case in ENCODERS]))
def test_anyContentInAnyPieces(
    data: st.DataObject, case: tuple[list[bytes], Callable[[bytes], bytes]]
) -> None:
    codings, encode = case
    content = data.draw(st.lists(st.sampled_from([b"Szam", b"Halo", WORD, b"S", b"", b"zz"]), min_size=1))
    page = b"".join(content) + b"!"
    found = inspect(data.draw(segmented(encode(page))), codings)
    if WORD in page:
        assert isinstance(found, Finding)
        assert found.offset == page.index(WORD)
    else:
        assert found == len(page)


@CASES
def test_aTruncatedBodyIsNotClean(codings: list[bytes], encode: Callable[[bytes], bytes]) -> None:
    """Cut anywhere it is clean only where it may end there: behind a member or in its padding."""
    if not codings or codings == [b"identity"]:
        return
    encoded = encode(CLEAN)
    whole = 0
    for end in range(1, len(encoded)):
        found = inspect([encoded[:end]], codings)
        assert isinstance(found, (str, int))
        whole += isinstance(found, int)
    assert whole <= max(20, len(CLEAN))
    if encode in (gzip.compress, zlib.compress, rawDeflate, brotli.compress, zstd.compress):
        assert whole == 0


# Pieces of decoded content


LARGE = [case for case in ENCODERS if not case[0].endswith(("members", "blocks", "frames"))]


@pytest.mark.parametrize("size", [STEP - 1, STEP, STEP + 1, 2 * STEP, 2 * STEP + 3, 300_000, 1_000_003])
@pytest.mark.parametrize(
    ("codings", "encode"), [case[1:] for case in LARGE], ids=[case[0] for case in LARGE]
)
def test_contentThatFillsWholeSteps(
    codings: list[bytes], encode: Callable[[bytes], bytes], size: int
) -> None:
    """
    What a decoder holds back after its last byte of input is looked at, too, up to the last byte; bytes
    that compress well, and the word as the very last.
    """
    assert inspect([encode(bytes(size))], codings) == size
    found = inspect([encode(bytes(size - len(WORD)) + WORD)], codings)
    assert isinstance(found, Finding)
    assert found.offset == size - len(WORD)


@pytest.mark.parametrize("encode", [rawDeflate, zlib.compress])
def test_everySizeAroundAStepIsReadToItsEnd(encode: Callable[[bytes], bytes]) -> None:
    """A match that a decoder has read and not yet written out does not count as truncation."""
    for size in range(STEP - 300, STEP + 3_000, 97):
        assert inspect([encode(bytes(size))], [b"deflate"]) == size


# What is not what it says


@pytest.mark.parametrize("codings", [[b"gzip"], [b"deflate"], [b"br"], [b"zstd"], [b"gzip", b"br"]])
@pytest.mark.parametrize("body", [PAGE, b"\0", bytes(100), b"\x1f\x8b", b"{}", b"\xff" * 40])
def test_aBodyThatLiesAboutItsCoding(codings: list[bytes], body: bytes) -> None:
    """Is never clean, in whatever pieces it comes."""
    for pieces in segmentations(body):
        assert isinstance(inspect(pieces, codings), str)


@given(st.binary(min_size=1, max_size=60), st.sampled_from([b"gzip", b"deflate", b"br", b"zstd"]))
def test_junkIsNothingButUndecodable(junk: bytes, coding: bytes) -> None:
    """Or, by chance, decodable; no other exception comes out."""
    inspect([junk], [coding])


@pytest.mark.parametrize(
    ("coding", "encode"),
    [(b"gzip", gzip.compress), (b"deflate", zlib.compress), (b"deflate", rawDeflate),
     (b"br", brotli.compress), (b"zstd", zstd.compress)],
)  # fmt: skip
@pytest.mark.parametrize("junk", [b"junk", WORD, b"\x01"])
def test_junkAfterTheEnd(coding: bytes, encode: Callable[[bytes], bytes], junk: bytes) -> None:
    """Some clients would show it, some would not: it is not looked at, and not clean."""
    encoded = encode(CLEAN) + junk
    for pieces in segmentations(encoded):
        assert isinstance(inspect(pieces, [coding]), str)


def test_zerosAfterABodyOfOneStream() -> None:
    for coding, encoded in ((b"deflate", zlib.compress(CLEAN)), (b"br", brotli.compress(CLEAN))):
        assert isinstance(inspect([encoded + bytes(4)], [coding]), str)


def test_aDamagedByteIsNoticed() -> None:
    """In every place where the format has a check; where it has none the content is looked at."""
    for coding, encode in ((b"gzip", gzip.compress), (b"deflate", zlib.compress)):
        encoded = bytearray(encode(CLEAN))
        encoded[len(encoded) // 2] ^= 0x40
        assert isinstance(inspect([bytes(encoded)], [coding]), str)


@pytest.mark.parametrize("coding", [b"compress", b"aws-chunked", b"", b"gzip;q=1", b"\xff", b"utf-8", b"*"])
def test_anUnknownCoding(coding: bytes) -> None:
    with pytest.raises(Undecodable, match="unknown content coding"):
        Inspector(RULES, [coding])


def test_tooManyCodings() -> None:
    Inspector(RULES, [b"gzip"] * 3 + [b"identity"])
    with pytest.raises(Undecodable, match="more than 3"):
        Inspector(RULES, [b"gzip"] * 4)


def test_theWrongOrderOfCodings() -> None:
    """The field lists them in the order in which they were applied (RFC 9110, 8.4)."""
    encoded = brotli.compress(gzip.compress(PAGE))
    assert isinstance(inspect([encoded], [b"gzip", b"br"]), Finding)
    assert isinstance(inspect([encoded], [b"br", b"gzip"]), str)


def test_aZstdWindowOverEightMegabytes() -> None:
    """No sender may ask for more (RFC 9659), and it is our memory."""
    for windowLog, good in ((23, True), (24, False)):
        options = {zstd.CompressionParameter.window_log: windowLog}
        stream = zstd.ZstdCompressor(options=options)
        encoded = stream.compress(CLEAN) + stream.flush()
        assert isinstance(inspect([encoded], [b"zstd"]), int) is good


def test_allCodingsAreThere() -> None:
    """The extra C{compress} is part of the tests."""
    assert set(AVAILABLE_CODINGS) == {b"gzip", b"x-gzip", b"deflate", b"br", b"zstd"}


def test_theFirstBytesOfDeflateDoNotDecideWhatItIs() -> None:
    """
    A body that begins like a zlib stream and is bare compressed data with the word: who goes by its first
    two bytes does not see it, and some clients do not go by them.
    """
    # 78 is a stored block that is not the last; its length and the complement come next, the first byte
    # of the length being the second of a zlib header.
    length = 0x0001
    while (0x7800 + (length & 0xFF)) % 31 or length & 0x20:
        length += 1
    filler = bytes(length)
    header = bytes([0x78, length & 0xFF, length >> 8, ~length & 0xFF, ~length >> 8 & 0xFF])
    polyglot = header + filler + rawDeflate(PAGE)
    found = inspect([polyglot], [b"deflate"])
    assert isinstance(found, Finding)
    assert found.offset == length + PAGE.index(WORD)


# Bombs


BOMBS = [
    (b"gzip", gzip.compress), (b"deflate", zlib.compress), (b"deflate", rawDeflate),
    (b"br", partial(brotli.compress, quality=5)), (b"zstd", zstd.compress),
]  # fmt: skip


@pytest.mark.parametrize(("coding", "encode"), BOMBS)
def test_aBombIsNoticedBySize(coding: bytes, encode: Callable[[bytes], bytes]) -> None:
    inspector = Inspector(RULES, [coding], DecodingLimits(size=10**6))
    with pytest.raises(Bomb, match="over 1000000 bytes"):
        inspector.feed(encode(bytes(3 * 10**6)))
    assert inspector.inspected < 10**6 + 2 * STEP


@pytest.mark.parametrize(("coding", "encode"), BOMBS)
def test_aBombIsNoticedByItsRatio(coding: bytes, encode: Callable[[bytes], bytes]) -> None:
    limits = DecodingLimits(size=0, ratio=50, ratioFrom=10**6)
    inspector = Inspector(RULES, [coding], limits)
    with pytest.raises(Bomb, match="50 times"):
        inspector.feed(encode(bytes(8 * 10**6)))
    assert inspector.inspected < 10**6 + 3 * STEP
    noise = random.Random(1).randbytes(2 * 10**6)
    harmless = Inspector(RULES, [coding], limits)
    harmless.feed(encode(noise))
    harmless.end()
    assert harmless.inspected == len(noise)


@pytest.mark.parametrize(("coding", "encode"), BOMBS)
def test_aBombInsideTwoLayers(coding: bytes, encode: Callable[[bytes], bytes]) -> None:
    """Small outside, and what it is between the layers is already too much."""
    inside = encode(bytes(3 * 10**6))
    for outer, wrap in ((b"gzip", gzip.compress), (b"br", brotli.compress)):
        inspector = Inspector(RULES, [coding, outer], DecodingLimits(size=10**6))
        with pytest.raises(Bomb):
            inspector.feed(wrap(inside))


def test_aBombBetweenTwoLayers() -> None:
    """The outer layer becomes too much although the inner makes little of it, as of skippable frames."""
    skippable = b"\x50\x2a\x4d\x18" + (3 * 10**6).to_bytes(4, "little") + bytes(3 * 10**6)
    inspector = Inspector(RULES, [b"zstd", b"gzip"], DecodingLimits(size=10**6))
    with pytest.raises(Bomb):
        inspector.feed(gzip.compress(skippable + zstd.compress(CLEAN)))


@pytest.mark.parametrize(("coding", "encode"), BOMBS)
def test_memoryIsBoundedWhileABombIsDecoded(coding: bytes, encode: Callable[[bytes], bytes]) -> None:
    """30 MB come out of it; no more than a few steps are ever held."""
    encoded = encode(bytes(30 * 10**6))
    inspector = Inspector(RULES, [coding], DecodingLimits(size=0, ratio=10**9))
    tracemalloc.start()
    try:
        inspector.feed(encoded)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    inspector.end()
    assert inspector.inspected == 30 * 10**6
    assert peak < 4 * 2**20


# Several rules


@given(
    st.data(),
    st.lists(st.text("ab", min_size=1, max_size=4).map(str.encode), min_size=1, max_size=4, unique=True),
    st.text("abc", min_size=1, max_size=24).map(str.encode),
)
def test_theSameRuleIsNamedInWhateverPieces(
    data: st.DataObject, patterns: list[bytes], content: bytes
) -> None:
    """The string that is complete first, wherever the content was cut."""
    rules = tuple(map(Rule, patterns))
    found = inspect(data.draw(segmented(content)), (), rules)
    assert found == inspect([content], (), rules)
    ends = [(content.index(p) + len(p), i) for i, p in enumerate(patterns) if p in content]
    if ends:
        assert isinstance(found, Finding)
        end, first = min(ends)
        assert (found.rule, found.offset) == (rules[first], end - len(patterns[first]))
    else:
        assert found == len(content)


def test_searching() -> None:
    rules = (Rule(b"later"), Rule(b"soon"))
    assert search(rules, b"soon, later", "trailers") == Finding(rules[1], "trailers", 0)
    assert search(rules, b"never", "body") is None
    assert search((), b"soon", "body") is None


@given(st.text("abS", max_size=12).map(str.encode), st.lists(st.text("abS", min_size=1), min_size=1))
def test_whatMayBeTheBeginningOfABlockedString(data: bytes, patterns: list[str]) -> None:
    """The longest end of the data with which one of them begins in one of its spellings."""
    rules = tuple(Rule(pattern.encode()) for pattern in patterns)
    beginnings = [s[:size] for rule in rules for s, _ in rule.wide for size in range(len(s))]
    assert unfinished(rules, data) == max(len(b) for b in beginnings if data.endswith(b))


def test_aRuleIsNotEmpty() -> None:
    """Everything would contain it."""
    with pytest.raises(ValueError, match="empty"):
        Rule(b"")


def test_withoutRulesNothingIsFound() -> None:
    assert inspect([PAGE], (), ()) == len(PAGE)
