"""
A text in the encodings of the web: what it looks like there, found in whatever pieces, and what can not be.
"""

from __future__ import annotations

import zlib

import pytest

from labnet.proxy.charsets import BEGINNING, declaredCharset, shiftingCharset, spellings
from labnet.proxy.inspection import Finding, ForeignCharset, Inspector, search
from labnet.proxy.rules import Rule
from labnet.testing import segmentations

ENCODINGS = ["utf-8", "utf-16", "utf-16le", "utf-16be", "utf-32", "utf-32le", "utf-32be"]
#: A text, and the encodings in which it can be written.
TEXTS = {
    "SzamHalo": [*ENCODINGS, "ascii", "iso8859-2", "windows-1252", "koi8-r", "shift-jis", "gbk", "big5"],
    "Számháló": [*ENCODINGS, "iso8859-1", "iso8859-2", "windows-1250", "windows-1252", "mac-roman"],
    "tűzőgép": [*ENCODINGS, "iso8859-2", "windows-1250", "iso8859-16"],
    "привет": [*ENCODINGS, "iso8859-5", "windows-1251", "koi8-r", "koi8-u", "cp866", "mac-cyrillic"],
    "şehir": [*ENCODINGS, "iso8859-9", "windows-1254"],
    "γειά": [*ENCODINGS, "iso8859-7", "windows-1253"],
    "שלום": [*ENCODINGS, "iso8859-8", "windows-1255"],
    "日本語": [*ENCODINGS, "shift-jis", "euc-jp", "gb18030", "gbk", "big5", "cp932"],
    "네트워크": [*ENCODINGS, "euc-kr", "cp949"],
    "\N{PILE OF POO}": [*ENCODINGS, "gb18030"],
}
CASES = [(text, encoding) for text, encodings in TEXTS.items() for encoding in encodings]


@pytest.mark.parametrize(("text", "encoding"), CASES)
def test_theTextIsFoundInEveryEncodingInWhateverPieces(text: str, encoding: str) -> None:
    """Whatever the page says of its charset, and across every joint."""
    rules = (Rule(text.encode()),)
    content = f"<p>... {text} ...".encode(encoding)
    expected = search(rules, content, "body")
    assert expected is not None
    for pieces in segmentations(content):
        inspector = Inspector(rules, [])
        found = [f for f in map(inspector.feed, pieces) if f is not None]
        assert found[:1] == [expected]


@pytest.mark.parametrize(("text", "encoding"), CASES)
def test_anotherTextIsNotFound(text: str, encoding: str) -> None:
    """Nor the same without its last character."""
    rules = (Rule(text.encode()),)
    for other in (f"<p>... {text[:-1]} ...", "<p>something else: Q, q, 1"):
        assert search(rules, other.encode(encoding), "body") is None


def test_whereAndInWhatItWasFound() -> None:
    rule = Rule("szó".encode())
    assert search((rule,), b"12szo\xcc\x81", "body") is None
    assert search((rule,), "12szó".encode(), "body") == Finding(rule, "body", 2)
    found = search((rule,), "12szó".encode("utf-16le"), "body")
    assert found == Finding(rule, "body", 4, charset="utf-16")
    found = search((rule,), "12szó".encode("iso8859-1"), "body")
    assert found == Finding(rule, "body", 2, charset="iso8859-1")


def test_anAsciiTextCostsOneSearchWhereNoZerosAre() -> None:
    """In all encodings but those of two and four bytes a character it is the same bytes."""
    rule = Rule(b"SzamHalo")
    assert rule.plain == ((b"SzamHalo", ""),)
    assert [charset for _, charset in rule.wide] == ["", "utf-16", "utf-32"]


def test_oneCharacterIsNotTakenForAByteOfIt() -> None:
    """Of U+0151 in UTF-16 the byte 51 alone is the letter Q."""
    for text in ("ő", "п", "日"):
        assert all(len(spelling) > 1 or charset.startswith(("iso", "cp", "koi", "mac"))
                   for spelling, charset in spellings(text.encode()))  # fmt: skip


def test_bytesThatAreNoTextStandForThemselves() -> None:
    assert spellings(b"\xff\xfe\x80") == ((b"\xff\xfe\x80", ""),)


# What can not be looked into


@pytest.mark.parametrize(
    "name",
    [b"iso-2022-jp", b"ISO-2022-KR", b"ISO_2022_CN", b"csISO2022JP", b"hz-gb-2312", b"HZ", b"utf-7",
     b"UTF7", b"unicode-1-1-utf-7", b"cp037", b"IBM500", b"ibm1140", b"ebcdic", b"scsu"],
)  # fmt: skip
def test_encodingsThatShift(name: bytes) -> None:
    assert shiftingCharset(name)
    for text in (b"text/html; charset=" + name, b'text/html;charset="' + name + b'"',
                 b"<meta charset=" + name + b">", b"<META A=x CONTENT='; CHARSET = " + name + b"'>",
                 b'<?xml version="1.0" encoding="' + name + b'"?>'):  # fmt: skip
        assert declaredCharset([b"", text]) == name.lower()


@pytest.mark.parametrize(
    "name",
    [b"utf-8", b"UTF8", b"utf-16", b"iso-8859-2", b"windows-1250", b"koi8-r", b"gbk", b"big5",
     b"shift_jis", b"cp1250", b"ibm866", b"us-ascii", b"binary", b"nonsense"],
)  # fmt: skip
def test_encodingsInWhichATextIsOneByteString(name: bytes) -> None:
    assert not shiftingCharset(name)
    assert declaredCharset([b"text/html; charset=" + name]) is None


def _feedAll(inspector: Inspector, pieces: list[bytes]) -> None:
    for piece in pieces:
        assert inspector.feed(piece) is None


def test_aShiftingCharsetCanNotBeLookedInto() -> None:
    """Declared in the Content-Type, or by the page in whatever pieces; not far down in it."""
    rules = (Rule(b"SzamHalo"),)
    with pytest.raises(ForeignCharset, match="the charset 'iso-2022-jp'"):
        Inspector(rules, [], types=[b"text/html; charset=ISO-2022-JP"])
    for pieces in segmentations(b"<html><meta charset='hz-gb-2312'>~{~}Szam~{~}Halo"):
        inspector = Inspector(rules, [])
        with pytest.raises(ForeignCharset, match="the charset 'hz"):
            _feedAll(inspector, pieces)
    assert Inspector(rules, []).feed(b" " * BEGINNING + b"charset=utf-7") is None


def test_aShiftingCharsetInsideACodingWithTwoMeanings() -> None:
    """One meaning of C{deflate} being clean does not make the other good."""
    inspector = Inspector((Rule(b"SzamHalo"),), [b"deflate"])
    with pytest.raises(ForeignCharset):
        inspector.feed(zlib.compress(b"<meta charset=utf-7>"))
