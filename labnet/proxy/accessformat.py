"""
Lines of the access log: a record as text, by a format like Apache's or as JSON.

A line is printable ASCII and bounded, whatever a peer sends: what is neither is escaped, and what is too
long is cut. Credentials are never in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter

from labnet.proxy.journal import Record, safeURL
from labnet.proxy.wire import Fields

__all__ = ["COMBINED", "COMMON", "BadFormat", "Line", "jsonLine", "lineFormat"]

COMMON = '%h %l %u %t "%r" %>s %b'
COMBINED = COMMON + ' "%{Referer}i" "%{User-Agent}i"'

Line = Callable[[Record], str]

#: Bytes of one value; what is longer is cut, with three dots in place of the rest.
_LONGEST = 2_000

_DIRECTIVE = re.compile(r"%(?:\{([^{}]*)\}([a-z])|(>?[A-Za-z%])|)")
_PLAIN = re.compile(rb"[ !#-\[\]-~]*+")
_ESCAPES = [
    {0x22: '\\"', 0x5C: "\\\\"}.get(byte, chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}")
    for byte in range(256)
]
#: Fields whose values are nobody's business.
_SECRET = frozenset((b"authorization", b"cookie", b"proxy-authorization", b"set-cookie"))
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class BadFormat(ValueError):
    """A format that can not be followed; the text is one line for people."""


def lineFormat(text: str, *, worker: int, query: bool = True) -> Line:
    """
    Make lines by a format string. Its directives are in C{docs/proxy-operations.md}.

    @param worker: the number of this process, for C{%P}.
    @param query: whether what follows the question mark of a URL is shown.
    @raise BadFormat: it has a directive that we do not know.
    """
    if not text.isascii() or not text.isprintable():
        raise BadFormat("a format is one line of printable ASCII")
    template = ""
    values: list[Line] = []
    at = 0
    for match in _DIRECTIVE.finditer(text):
        template += text[at : match.start()]
        at = match.end()
        if match[3] == "%":
            template += "%%"
        else:
            template += "%s"
            values.append(_directive(match, worker, query))
    template += text[at:] + "\n"
    if len(values) == 1:
        value = values[0]
        return lambda record: template % value(record)
    return lambda record: template % tuple([value(record) for value in values])


def _directive(match: re.Match[str], worker: int, query: bool) -> Line:
    name, kind, letter = match.groups()
    if letter == "P":
        return lambda record: str(worker)
    if letter == "t":
        return _clock()
    if letter in ("r", "U", "q"):
        return _requestValue(letter, query)
    if letter in _LETTERS:
        return _LETTERS[letter]
    if kind == "x" and name in _OURS:
        return _OURS[name]
    if kind in ("i", "o") and name and name.isascii():
        return _fieldValue(name, kind, query)
    raise BadFormat(f"{match[0]!r} is not a directive of the access log")


def _fieldValue(name: str, kind: str, query: bool) -> Line:
    lowered = name.lower().encode("ascii")
    if lowered in _SECRET:
        raise BadFormat(f"%{{{name}}}{kind}: credentials are not written to the log")
    message = attrgetter("request" if kind == "i" else "response")

    def value(record: Record) -> str:
        head = message(record)
        if head is None or lowered not in head.fields:
            return "-"
        return _escaped(_field(head.fields, lowered, query)) or "-"

    return value


def _field(fields: Fields, name: bytes, query: bool) -> bytes:
    value = b", ".join(fields.values(name))
    return _asAllowed(safeURL(value), query) if name == b"referer" else value


def _requestValue(letter: str, query: bool) -> Line:
    def line(record: Record) -> str:
        head = record.request
        if head is None:
            return "-"
        url = _asAllowed(record.url, query)
        return _escaped(b"%b %b %b" % (head.method, url, head.version.value))

    def path(record: Record) -> str:
        return _escaped(record.url.partition(b"?")[0]) or "-"

    def asked(record: Record) -> str:
        return _escaped(b"".join(record.url.partition(b"?")[1:])) if query else ""

    return {"r": line, "U": path, "q": asked}[letter]


def _asAllowed(url: bytes, query: bool) -> bytes:
    return url if query else url.partition(b"?")[0]


def _clock() -> Line:
    """The time as Apache writes it, in UTC; made anew only when a second has passed."""
    last, text = -1, ""

    def value(record: Record) -> str:
        nonlocal last, text
        second = int(record.at)
        if second != last:
            when = datetime.fromtimestamp(second, UTC)
            last, text = second, f"[{when:%d}/{_MONTHS[when.month - 1]}/{when:%Y:%H:%M:%S} +0000]"
        return text

    return value


def _escaped(data: bytes) -> str:
    if len(data) > _LONGEST:
        data = data[: _LONGEST - 3] + b"..."
    if _PLAIN.fullmatch(data):
        return data.decode("ascii")
    return "".join([_ESCAPES[byte] for byte in data])


def _text(text: str) -> str:
    return _escaped(text.encode("utf-8", "backslashreplace"))


#: Clients come again and again.
_host = lru_cache(1_024)(_text)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.6f}"


#: The directives of one letter, as Apache has them.
_LETTERS: dict[str, Line] = {
    "h": lambda record: _host(record.host),
    "l": lambda record: "-",
    "u": lambda record: _text(record.user).replace(" ", "\\x20") if record.user else "-",
    "m": lambda record: "-" if record.request is None else _escaped(record.request.method),
    "H": lambda record: "-" if record.request is None else record.request.version.value.decode("ascii"),
    "s": lambda record: str(record.status or "-"),
    ">s": lambda record: str(record.status or "-"),
    "b": lambda record: str(record.bytesOut or "-"),
    "O": lambda record: str(record.bytesOut),
    "I": lambda record: str(record.bytesIn),
    "D": lambda record: str(round(record.seconds * 1e6)),
    "T": lambda record: str(int(record.seconds)),
}

#: The directives C{%{NAME}x}, which Apache has not.
_OURS: dict[str, Line] = {
    "decision": lambda record: record.decision.value,
    "why": lambda record: _text(record.why) or "-",
    "rule": lambda record: "-" if record.finding is None else _text(str(record.finding.rule)),
    "where": lambda record: "-" if record.finding is None else _text(record.finding.where),
    "coding": lambda record: _escaped(_coding(record)) or "-",
    "origin": lambda record: "-" if record.origin is None else _text(str(record.origin)),
    "reused": lambda record: "reused" if record.reused else "-",
    "connect": lambda record: _seconds(record.connect),
    "firstbyte": lambda record: _seconds(record.firstByte),
    "inspection": lambda record: _seconds(record.inspection),
    "connection": lambda record: str(record.connection),
}


def _coding(record: Record) -> bytes:
    """The content codings of what the origin sent."""
    return (
        b"" if record.response is None else b", ".join(record.response.fields.values(b"content-encoding"))
    )


def jsonLine(*, worker: int, query: bool = True) -> Line:
    """Make lines that are JSON objects; see L{lineFormat} for the parameters."""
    encode = json.JSONEncoder(separators=(",", ":")).encode

    def line(record: Record) -> str:
        request, finding = record.request, record.finding
        row = {
            "time": datetime.fromtimestamp(record.at, UTC).isoformat(timespec="milliseconds"),
            "client": record.host,
            "user": record.user or None,
            "method": None if request is None else _decoded(request.method),
            "url": None if request is None else _decoded(_asAllowed(record.url, query)),
            "version": None if request is None else _decoded(request.version.value),
            "referer": None if request is None else _decoded(_field(request.fields, b"referer", query)),
            "userAgent": None
            if request is None
            else _decoded(_field(request.fields, b"user-agent", query)),
            "status": record.status or None,
            "bytesIn": record.bytesIn,
            "bytesOut": record.bytesOut,
            "origin": None if record.origin is None else str(record.origin),
            "reused": record.reused,
            "decision": record.decision.value,
            "why": _shown(record.why),
            "rule": None if finding is None else _shown(str(finding.rule)),
            "where": None if finding is None else finding.where,
            "coding": _decoded(_coding(record)),
            "seconds": round(record.seconds, 6),
            "connect": _rounded(record.connect),
            "firstByte": _rounded(record.firstByte),
            "inspection": _rounded(record.inspection),
            "connection": record.connection,
            "worker": worker,
        }
        return encode(row) + "\n"

    return line


def _decoded(data: bytes) -> str | None:
    if len(data) > _LONGEST:
        data = data[: _LONGEST - 3] + b"..."
    return data.decode("utf-8", "backslashreplace") or None


def _shown(text: str) -> str | None:
    return _decoded(text.encode("utf-8", "backslashreplace"))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
