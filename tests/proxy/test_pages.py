"""
Templates: what is filled in, and that it is only ever text.
"""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.proxy.pages import BLOCK_PAGE, ERROR_PAGE, BadPage, Page, Words

WORDS = Words("404 Not Found", "why", "a rule", "http://a.example/")


def test_theWordsAreFilledIn() -> None:
    page = Page(b"{{status}}|{{ reason }}|{{rule}}|{{url}}|{{rule}}|{ {rule} }")
    assert page.filled(WORDS) == b"404 Not Found|why|a rule|http://a.example/|a rule|{ {rule} }"


def test_aPageWithoutPlacesIsAsItIs() -> None:
    source = bytes(range(256))
    assert Page(source).filled(WORDS) == source


@pytest.mark.parametrize("name", ["", "Status", "reason.x", "a b"])
def test_otherPlacesAreRefused(name: str) -> None:
    with pytest.raises(BadPage, match="is none of reason, rule, status, url"):
        Page(b"<p>{{%b}}" % name.encode())


class Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[str]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, [name for name, _ in attributes]))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    "source", [b"<p title=\"{{reason}}\" id='{{reason}}'>{{reason}}</p>", b"{{reason}}"]
)
@given(st.text(max_size=50) | st.sampled_from(['"><script>', "'><b>", "</p>", "&lt;", "\r\n\0", "x" * 999]))
def test_aWordIsOnlyEverText(source: bytes, word: str) -> None:
    """Whatever it is: it makes no tag, leaves no attribute, and is printable ASCII of bounded length."""
    filled = Page(source).filled(Words("", word))
    harmless = Page(source).filled(Words("", "x"))
    parsed, expected = Texts(), Texts()
    parsed.feed(filled.decode("ascii"))
    expected.feed(harmless.decode("ascii"))
    assert parsed.tags == expected.tags
    assert b"\r" not in filled
    assert len(parsed.text) <= 300 * 10


@pytest.mark.parametrize("page", [BLOCK_PAGE, ERROR_PAGE])
def test_theShippedPages(page: Page) -> None:
    """They ask for nothing from elsewhere, and do not name the rule, which may be the blocked string."""
    filled = page.filled(Words("404 Not Found", "a reason", "SzamHalo", "http://a.example/<b>"))
    assert b"a reason" in filled
    assert b"SzamHalo" not in filled
    assert b"<b>" not in filled
    assert b"prefers-color-scheme" in filled
    assert b"src=" not in filled
    assert b"url(" not in filled
