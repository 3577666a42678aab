"""
The byte strings that one text becomes in the character encodings of the web.

What a page says of its charset need not be believed: a blocked string is looked for in every encoding that
a browser knows and in which a text is one byte string, whatever is declared. Encodings in which the same
text can be written in ever new ways, with shifts between sets of characters, can not be looked into like
that; a declaration of one of them is recognised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["BEGINNING", "STATELESS", "declaredCharset", "shiftingCharset", "spellings"]

#: Of the Encoding Standard of the WHATWG, what has no state: there a text is one byte string.
STATELESS = (
    "utf-8",
    *(f"iso8859-{part}" for part in range(1, 17) if part not in (9, 12)),
    *(f"cp{page}" for page in (866, 874, *range(1250, 1259))),
    "koi8-r",
    "koi8-u",
    "mac-roman",
    "mac-cyrillic",
    "gb18030",
    "big5",
    "euc-jp",
    "shift-jis",
    "euc-kr",
)

#: Encodings that shift between sets of characters, or in which not even ASCII is itself (of those the ones
#: that Python knows); how their names begin when only letters and digits are looked at.
_SHIFTING = (
    *(b"iso2022", b"csiso2022", b"hz", b"utf7", b"xutf7", b"unicode11utf7", b"csunicode11utf7"),
    *(b"unicode20utf7", b"scsu", b"bocu", b"ebcdic"),
    *(prefix + page for prefix in (b"cp", b"ibm", b"csibm") for page in
      (b"037", b"273", b"424", b"500", b"875", b"1026", b"1140")),
)  # fmt: skip
_NOT_ALPHANUMERIC = re.compile(rb"[^0-9a-z]+")

#: How many bytes of a page are searched for its own word on its charset, as browsers do.
BEGINNING = 1_024

_NAME = re.compile(rb"[\t\n\f\r ]*=[\t\n\f\r \"']*([0-9a-z_.:+-]+)")


def spellings(pattern: bytes) -> tuple[tuple[bytes, str], ...]:
    """
    The byte strings to look for in place of a text.

    @param pattern: the text in UTF-8; or any bytes, which then stand for themselves alone.
    @return: each with what it is called; first C{pattern} itself, whose name is empty. Encodings in which
        the text looks the same have one entry, and those in which it can not be written have none.
    """
    found = {pattern: ""}
    try:
        text = pattern.decode("utf-8")
    except UnicodeDecodeError:
        return tuple(found.items())
    for charset in STATELESS:
        try:
            found.setdefault(text.encode(charset), charset)
        except UnicodeEncodeError:
            continue
    for width in (2, 4):
        charset = f"utf-{8 * width}"
        little, big = text.encode(f"{charset}-le"), text.encode(f"{charset}-be")
        if max(text) < "\u0100":
            # But for the zeros at its ends it is the same in both orders.
            found.setdefault(little[: 1 - width], charset)
        else:
            found.setdefault(little, f"{charset}le")
            found.setdefault(big, f"{charset}be")
    return tuple(found.items())


def shiftingCharset(charset: bytes) -> bool:
    """Whether this is the name of an encoding that can not be looked into."""
    return _NOT_ALPHANUMERIC.sub(b"", charset.lower()).startswith(_SHIFTING)


def declaredCharset(texts: Iterable[bytes]) -> bytes | None:
    """
    The first encoding that is declared and can not be looked into, if there is one.

    @param texts: the values of Content-Type fields, or the first bytes of a page.
    """
    for text in texts:
        lowered = text.lower()
        for word in (b"charset", b"encoding"):
            # A search for the word first: a regular expression costs ten times as much.
            at = lowered.find(word)
            while at >= 0:
                name = _NAME.match(lowered, at + len(word))
                if name is not None and shiftingCharset(name[1]):
                    return name[1]
                at = lowered.find(word, at + 1)
    return None
