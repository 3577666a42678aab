"""
What HTTP adds to the folder, without input or output: ranges, validators, forms, and names in targets
(RFC 9110, RFC 7578).
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from mimetypes import MimeTypes
from urllib.parse import unquote_to_bytes

from labnet.proxy.wire import BadMessage, Fields, parseFields

__all__ = [
    "Content",
    "Form",
    "PartBegins",
    "Unsatisfiable",
    "boundaryOf",
    "contentType",
    "credentials",
    "httpDate",
    "notModified",
    "pathOf",
    "rangeOf",
]

# Targets


def pathOf(target: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """
    The path of an origin-form target, decoded once, and the query's members.

    @raise BadMessage: it is of another form, or a percent sign stands before something else.
    """
    if not target.startswith(b"/"):
        raise BadMessage("the request-target is not a path")
    path, _, query = target.partition(b"?")
    if re.search(rb"%(?![0-9A-Fa-f]{2})", path):
        raise BadMessage("the request-target is not encoded well")
    members = {}
    for part in query.split(b"&")[:20]:
        name, _, value = part.partition(b"=")
        members[unquote_to_bytes(name)] = unquote_to_bytes(value.replace(b"+", b" "))
    return unquote_to_bytes(path), members


def credentials(fields: Fields) -> tuple[str, str] | None:
    """Name and password of C{Authorization: Basic} (RFC 7617), or L{None} when there are none."""
    values = fields.values(b"authorization")
    if len(values) != 1:
        return None
    scheme, _, encoded = values[0].partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        user, colon, password = b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (ValueError, binascii.Error):
        return None
    return (user, password) if colon else None


# Files

#: What a browser may show in place. Everything else is saved: a page of somebody's could act in our name.
_SHOWN = re.compile(r"text/plain|application/pdf|(?:audio|video)/[\w.+-]+|image/(?!svg)[\w.+-]+")
_TYPES = MimeTypes()


def contentType(name: str) -> tuple[bytes, bool]:
    """What a file is, as far as its name tells, and whether a browser may show it in place."""
    kind, encoding = _TYPES.guess_type(name)
    if kind is None or encoding is not None:
        return b"application/octet-stream", False
    shown = _SHOWN.fullmatch(kind) is not None
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    return kind.encode("ascii", "replace"), shown


def httpDate(seconds: float) -> bytes:
    """A time of the HTTP kind."""
    return formatdate(max(0.0, min(seconds, 2.0**37)), usegmt=True).encode("ascii")


def _parsedDate(value: bytes) -> float | None:
    try:
        return parsedate_to_datetime(value.decode("ascii")).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def notModified(fields: Fields, tag: bytes, mtime: float) -> bool:
    """Whether the client has this version already (RFC 9110, 13.1)."""
    if b"if-none-match" in fields:
        tags = fields.members(b"if-none-match")
        return b"*" in tags or tag in [given.removeprefix(b"W/") for given in tags]
    since = fields.values(b"if-modified-since")
    date = _parsedDate(since[0]) if len(since) == 1 else None
    return date is not None and int(mtime) <= date


class Unsatisfiable(Exception):
    """No byte of the file is in the range."""


_RANGE = re.compile(rb"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.IGNORECASE)


def rangeOf(fields: Fields, size: int, tag: bytes, mtime: float) -> tuple[int, int] | None:
    """
    Which part of a file is asked for (RFC 9110, 14.2): the first byte and how many, or L{None} for all of
    it. That is also the answer to several ranges, and to what is no range.

    @raise Unsatisfiable: there is no such part.
    """
    ranges = fields.values(b"range")
    match = _RANGE.fullmatch(ranges[0]) if len(ranges) == 1 else None
    if match is None or match.groups() == (b"", b"") or not _sameVersion(fields, tag, mtime):
        return None
    first, last = match.groups()
    if not first:
        count = min(int(last), size)
        if not count:
            raise Unsatisfiable
        return size - count, count
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        raise Unsatisfiable
    return start, (min(int(last), size - 1) if last else size - 1) - start + 1


def _sameVersion(fields: Fields, tag: bytes, mtime: float) -> bool:
    condition = fields.values(b"if-range")
    if not condition:
        return True
    if len(condition) > 1:
        return False
    return condition[0] == tag or _parsedDate(condition[0]) == int(mtime)


# Forms


@dataclass(frozen=True, slots=True)
class PartBegins:
    """A field of the form: its name, and the name of the file if it is one."""

    name: bytes
    fileName: bytes | None


@dataclass(frozen=True, slots=True)
class Content:
    """A piece of the field that began last."""

    data: bytes


def boundaryOf(fields: Fields) -> bytes:
    """
    What stands between the parts of a form.

    @raise BadMessage: it is no form, or not of that kind.
    """
    kind = fields.values(b"content-type")
    match = (
        re.fullmatch(
            rb'multipart/form-data[ \t]*;[ \t]*boundary=("?)([0-9A-Za-z\'()+_,./:=?-]{1,70})\1',
            kind[0],
            re.IGNORECASE,
        )
        if len(kind) == 1
        else None
    )
    if match is None:
        raise BadMessage("a form of the kind multipart/form-data is needed", 415)
    return match[2]


class Form:
    """
    Takes a C{multipart/form-data} body apart as it comes.

    @ivar done: whether the form has ended.
    """

    _MOST_IN_HEAD = 4_096
    _MOST_PARTS = 20
    _DISPOSITION = re.compile(
        rb'form-data((?:[ \t]*;[ \t]*[\w*-]+=(?:"[^"]*"|[^;"]*))*)[ \t]*', re.IGNORECASE
    )
    _PARAMETER = re.compile(rb';[ \t]*([\w*-]+)=(?:"([^"]*)"|([^;"]*))')

    def __init__(self, boundary: bytes) -> None:
        # The first boundary may be the first line.
        self._buffer = b"\r\n"
        self._delimiter = b"\r\n--" + boundary
        self._inHead = False
        self._parts = 0
        self.done = False

    def feed(self, data: bytes) -> Iterator[PartBegins | Content]:
        """
        Take a piece of the body.

        @raise BadMessage: it is no form.
        """
        self._buffer += data
        while not self.done:
            event = self._takeHead() if self._inHead else self._takeContent()
            if event is None:
                break
            if not isinstance(event, Content) or event.data:
                yield event

    def _takeContent(self) -> Content | None:
        """Up to the next delimiter, or as far as none can have begun; nothing before the first part."""
        at = self._buffer.find(self._delimiter)
        if at < 0:
            keep = len(self._delimiter) - 1
            content, self._buffer = self._buffer[:-keep], self._buffer[-keep:]
            return Content(content) if content and self._parts else None
        content, after = self._buffer[:at], self._buffer[at + len(self._delimiter) :]
        if len(after) < 2:
            # What follows the delimiter says whether it was the last.
            self._buffer = self._buffer[at:]
            return Content(content) if content and self._parts else None
        if after.startswith(b"--"):
            self.done = True
        elif after.startswith(b"\r\n"):
            self._inHead = True
        else:
            raise BadMessage("what follows a boundary is no line")
        self._buffer = after[2:]
        return Content(content if self._parts else b"")

    def _takeHead(self) -> PartBegins | None:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            if len(head) > self._MOST_IN_HEAD:
                raise BadMessage("a part's head is too long")
            return None
        self._parts += 1
        if self._parts > self._MOST_PARTS:
            raise BadMessage(f"over {self._MOST_PARTS} parts")
        self._buffer = rest
        self._inHead = False
        return self._described(parseFields(head + b"\r\n", 20))

    def _described(self, fields: Fields) -> PartBegins:
        values = fields.values(b"content-disposition")
        match = self._DISPOSITION.fullmatch(values[0]) if len(values) == 1 else None
        if match is None:
            raise BadMessage("a part says nothing about itself")
        found = {key.lower(): quoted or plain for key, quoted, plain in self._PARAMETER.findall(match[1])}
        if b"name" not in found:
            raise BadMessage("a part has no name")
        return PartBegins(_unescaped(found[b"name"]), _fileName(found))


def _fileName(found: dict[bytes, bytes]) -> bytes | None:
    return _unescaped(found[b"filename"]) if b"filename" in found else None


def _unescaped(value: bytes) -> bytes:
    """Browsers write three characters of a name with a percent sign, and all others as they are."""
    return value.replace(b"%22", b'"').replace(b"%0D", b"\r").replace(b"%0A", b"\n")
