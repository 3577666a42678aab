"""
Texts in whatever case, and regular expressions: found in every charset, and in whatever pieces they come.
"""

from __future__ import annotations

import gzip
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labnet.proxy.charsets import STATELESS
from labnet.proxy.expressions import BadExpression, regularExpression
from labnet.proxy.inspection import Finding, Inspector, search, unfinished
from labnet.proxy.rules import Pattern, Rule
from labnet.testing import segmentations
from labnet.testing.strategies import segmented

GAMES = Rule(b"Games", Pattern.FOLDED)
EXPRESSION = Rule(rb"g\d{2,3}s", Pattern.EXPRESSION, longest=5)


def found(
    rules: tuple[Rule, ...], pieces: list[bytes], coding: bytes = b"identity", closely: bool = False
) -> Finding | None:
    """What an inspector finds in content that comes in pieces."""
    inspector = Inspector(rules, [coding], closely=closely)
    for piece in pieces:
        finding = inspector.feed(piece)
        if finding is not None:
            return finding
    finding = inspector.rest()
    if finding is None:
        inspector.end()
    return finding


@pytest.mark.parametrize("word", [b"games", b"GAMES", b"gAmEs"])
@pytest.mark.parametrize("coding", [b"identity", b"gzip"])
def test_aTextInWhateverCase(word: bytes, coding: bytes) -> None:
    content = b"<p>no " + word + b" here"
    encoded = gzip.compress(content) if coding == b"gzip" else content
    for pieces in segmentations(encoded):
        assert found((GAMES,), pieces, coding) == Finding(GAMES, "body", 6, coding.decode())


@pytest.mark.parametrize("charset", [*STATELESS, "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", ["JÁTÉK", "ИГРА", "Straße", "ΠΑΙΓΝΊΔΙ"])
def test_lettersBeyondASCIIInWhateverCase(text: str, charset: str) -> None:
    """Upper and lower case, in every charset in which both can be written, split anywhere."""
    rule = Rule(text.encode(), Pattern.FOLDED)
    for case in (text.lower(), text.upper(), text.swapcase()):
        try:
            content = b"<p>" + case.encode(charset) + b"</p>"
        except UnicodeEncodeError:
            continue
        finding = found((rule,), [content])
        assert finding is not None
        assert finding.offset == 3
        for pieces in segmentations(content):
            assert found((rule,), pieces) == finding


def test_otherTextsAreNotFound() -> None:
    assert search((GAMES,), b"gam es game ames", "body") is None
    assert search((Rule(b"j\xc3\xa1t\xc3\xa9k", Pattern.FOLDED),), b"jatek", "body") is None


@pytest.mark.parametrize("closely", [False, True])
@pytest.mark.parametrize("coding", [b"identity", b"gzip"])
def test_anExpressionInPieces(coding: bytes, closely: bool) -> None:
    content = b"g1s g1234s " * 3 + b"<g123s> g12s"
    encoded = gzip.compress(content) if coding == b"gzip" else content
    for pieces in segmentations(encoded):
        finding = found((EXPRESSION,), pieces, coding, closely)
        assert finding == Finding(EXPRESSION, "body", 34, coding.decode())


@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_anExpressionInWideCharsets(charset: str) -> None:
    content = "x g12s".encode(charset)
    start = content.index(b"g")
    for pieces in segmentations(content):
        finding = found((Rule(rb"g\d+s", Pattern.EXPRESSION, longest=40),), pieces)
        assert finding is not None
        assert (finding.offset, finding.charset) == (start, "utf-16 or utf-32")


@pytest.mark.parametrize("charset", ["utf-8", "iso8859-2", "cp1250", "mac-roman", "gb18030"])
def test_anExpressionWithLettersBeyondASCII(charset: str) -> None:
    """They are letters in each charset, and stand for both cases if that is asked."""
    plain = Rule("játé?k".encode(), Pattern.EXPRESSION)
    folded = Rule("játé?k".encode(), Pattern.FOLDED_EXPRESSION)
    for text, by in (("játék", (plain, folded)), ("játk", (plain, folded)), ("JÁTÉK", (folded,))):
        for rule in (plain, folded):
            finding = search((rule,), b"<p>" + text.encode(charset), "body")
            assert (finding is not None and finding.offset == 3) is (rule in by)


def test_whatStandsAroundAMatchCounts() -> None:
    """Also at the joints of pieces and of windows, where more is still to come."""
    rule = Rule(rb"\bend\b(?! of)", Pattern.EXPRESSION, longest=8)
    for content, at in ((b"bend ends end of end", 17), (b"end of ends", None), (b"." * 100 + b"end", 100)):
        for pieces in segmentations(content):
            for closely in (False, True):
                finding = found((rule,), pieces, closely=closely)
                assert (finding.offset if finding else None) == at


def test_theBeginningOfTheContentIsThere() -> None:
    """C{^} is the beginning of the content and of nothing else, however long that is."""
    rule = Rule(b"^%PDF", Pattern.EXPRESSION, longest=8)
    content = b"x" * 20 + b"%PDF" + b"y" * 40_000 + b"%PDF"
    for closely in (False, True):
        assert found((rule,), [content], closely=closely) is None
        assert found((rule,), [b"%PDF" + content], closely=closely) == Finding(rule, "body", 0)


PATTERNS = [
    b"a+b",
    b"(ab|ba)c",
    b"a.?b",
    b"[ab]c{1,3}a",
    b"(?i)AB",
    rb"\ba\B.\b",
    b"c$",
    b"(?<=a)b(?=c)",
    b"a.*c",
]


@settings(deadline=None)
@given(st.data())
def test_theAnswerDoesNotDependOnThePieces(data: st.DataObject) -> None:
    """Whatever the expressions and texts, whatever the content and its pieces."""
    patterns = data.draw(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3, unique=True))
    longest = data.draw(st.integers(1, 6))
    rules = (
        *(Rule(pattern, Pattern.EXPRESSION, longest) for pattern in patterns),
        Rule(b"cba", Pattern.FOLDED),
        Rule(b"bbb"),
    )
    content = data.draw(st.binary(max_size=80).map(lambda b: bytes(b"abcABC. "[byte % 8] for byte in b)))
    closely = data.draw(st.booleans())
    whole = found(rules, [content] if content else [], closely=closely)
    assert found(rules, data.draw(segmented(content)) if content else [], closely=closely) == whole


#: No match of these is longer, or depends on what is further away, than 5 bytes.
NEAR = [
    b"(ab|ba)c",
    b"[ab]c{1,3}a",
    b"(?i)ABC",
    b"(?<=a)b(?=c)",
    b"(?<!a)b(?!c)",
    rb"\bab\b",
    b"^b",
    b"c$",
    b"b(?!a)",
]


@settings(deadline=None)
@given(st.data())
def test_whatIsInTheWholeIsFound(data: st.DataObject) -> None:
    """An expression is found where a search over the whole finds it, and nowhere else."""
    pattern = data.draw(st.sampled_from(NEAR))
    content = data.draw(st.binary(max_size=80).map(lambda b: bytes(b"abcABC. "[byte % 8] for byte in b)))
    rule = Rule(pattern, Pattern.EXPRESSION, longest=5)
    finding = found((rule,), data.draw(segmented(content)) if content else [], closely=True)
    match = re.search(pattern, content)
    assert (finding.offset if finding else None) == (match.start() if match else None)


def test_theEndOfAWindowIsNoEnd() -> None:
    """What comes after it is known before a match at it is decided."""
    for pattern in (b"c$", b"c(?!c|[.])"):
        rule = Rule(pattern, Pattern.EXPRESSION, longest=5)
        assert found((rule,), [b"c" * 40_000 + b"."]) is None
        assert found((rule,), [b"c" * 40_000 + b"."], closely=True) is None
        assert found((rule,), [b"c" * 40_000]) == Finding(rule, "body", 39_999)


def test_theJointsOfWindows() -> None:
    """The same in content of several windows, of which each one may have a match at its edge."""
    size = 16_384
    for pattern, text in ((rb"(?<=x)ab\b", b"xab"), (rb"ab(?!c)", b"ab")):
        rule = Rule(pattern, Pattern.EXPRESSION, longest=5)
        for at in [*range(size - 8, size + 8), *range(2 * size - 8, 2 * size + 8)]:
            content = b"." * at + text + b"." + b"y" * 20
            other = b"abc" * (at // 3) + content
            for whole in (content, other):
                match = re.search(pattern, whole)
                assert match is not None
                finding = found((rule,), [whole])
                assert finding == Finding(rule, "body", match.start())


@settings(deadline=None)
@given(st.data())
def test_aFoldedTextIsFoundWhereTheWholeHasIt(data: st.DataObject) -> None:
    text = data.draw(st.text("abAéÉ", min_size=1, max_size=4))
    content = data.draw(st.text("abABéÉ ", max_size=40))
    rule = Rule(text.encode(), Pattern.FOLDED)
    encoded = content.encode()
    finding = found((rule,), data.draw(segmented(encoded)) if encoded else [])
    at = content.lower().find(text.lower())
    if at >= 0:
        assert finding is not None
        assert finding.offset <= len(content[:at].encode())
    elif finding is not None:
        assert finding.charset


@given(st.text("gamesGAMES ", max_size=20))
def test_whatMayStillBecomeAText(content: str) -> None:
    """As many bytes at the end as are the longest beginning of it."""
    beginnings = ["games"[:size] for size in range(5)]
    expected = max(len(b) for b in beginnings if content.lower().endswith(b))
    assert unfinished((GAMES,), content.encode()) == expected


@pytest.mark.parametrize("pattern", ["a*", "", "(a|)", "x?", "$"])
def test_whatIsEverywhereIsRefused(pattern: str) -> None:
    with pytest.raises(BadExpression, match="matches the empty string"):
        regularExpression(pattern, False)


@pytest.mark.parametrize(
    "pattern", ["(", "a{2,1}", "[z-a]", r"\u00e1", "(?P<a>x)(?P<a>y)", "[áé]", "(?u)a"]
)
def test_whatIsNoExpressionIsRefused(pattern: str) -> None:
    with pytest.raises(BadExpression, match=re.escape(repr(pattern))):
        regularExpression(pattern, False)
