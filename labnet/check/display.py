"""
Bytes and words of others as they may be shown: nothing of them can colour a terminal, break a line or a
format.
"""

from __future__ import annotations

from dataclasses import dataclass

from labnet.check.evidence import Exhibit

__all__ = ["ROW", "Row", "hexadecimal", "lines", "plain", "rows"]

#: Bytes in a row, and rows above and below the decisive one.
ROW = 16
_AROUND = 1


def plain(text: str, limit: int = 500) -> str:
    """Text of one line: what is not printable is escaped, and what is too long is cut."""
    shown = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode("ascii")
        for letter in text[:limit]
    )
    return shown + (f" and {len(text) - limit} more" if len(text) > limit else "")


def lines(text: str, most: int = 40) -> list[str]:
    """Text of several lines, each of them L{plain}."""
    return [plain(line.replace("\t", "    ")) for line in text.splitlines()[-most:]]


def hexadecimal(data: bytes, limit: int = 32) -> str:
    """Bytes as hexadecimal digits, and as text where all of them are printable."""
    start = data[:limit]
    rest = f" and {len(data) - limit} more" if len(data) > limit else ""
    text = start.decode("ascii", "replace")
    if start and text.isascii() and all(letter.isprintable() or letter in "\r\n" for letter in text):
        quoted = text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n").replace('"', '\\"')
        return f'"{quoted}"{rest}'
    return start.hex(" ") + rest


@dataclass(frozen=True, slots=True)
class Row:
    """
    A row of an exhibit.

    @ivar label: C{"expected"} or C{"came"}.
    @ivar offset: of its first byte.
    @ivar digits: two for each byte.
    @ivar letters: one for each byte, a point for what is not printable.
    @ivar mark: the place of the decisive byte in it, if it is there: behind the last one if it is missing.
    """

    label: str
    offset: int
    digits: tuple[str, ...]
    letters: str
    mark: int | None


def rows(exhibit: Exhibit, width: int = ROW) -> list[Row]:
    """
    The rows around the decisive byte, those of what was expected first.

    @param width: bytes in a row.
    """
    first = max(0, exhibit.offset // width - _AROUND) * width
    last = (exhibit.offset // width + _AROUND + 1) * width
    found: list[Row] = []
    for label, data in (("expected", exhibit.expected), ("came", exhibit.came)):
        # A byte that is missing may be the first of a row of its own.
        for offset in range(first, min(last, max(len(data), exhibit.offset + 1)), width):
            part = data[offset : min(offset + width, last)]
            at = exhibit.offset - offset
            inside = 0 <= at < width and at <= len(part)
            found.append(
                Row(
                    label,
                    offset,
                    tuple(f"{byte:02x}" for byte in part),
                    "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part),
                    at if inside else None,
                )
            )
    return found
