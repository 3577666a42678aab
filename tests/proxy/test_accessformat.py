"""
Lines of the access log.
"""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.proxy.accessformat import COMBINED, COMMON, BadFormat, jsonLine, lineFormat
from labnet.proxy.inspection import Finding
from labnet.proxy.journal import Decision, safeURL
from labnet.proxy.rules import Pattern, Rule
from tests.proxy.records import FOUND, asked, record

#: What reads the common and combined formats: a quoted value ends at a quote without a backslash.
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_COMMON = re.compile(rf"(\S+) (\S+) (\S+) \[([^\]]+)\] {_QUOTED} (\d{{3}}|-) (\d+|-)")
_COMBINED = re.compile(rf"{_COMMON.pattern} {_QUOTED} {_QUOTED}")

RECORDS = st.builds(
    lambda method, url, referer, agent, user, why, status: record(
        asked(method, url, [(b"Referer", referer), (b"User-Agent", agent)]),
        user=user,
        why=why,
        status=status,
    ),
    *[st.binary(max_size=3_000)] * 4,
    *[st.text(max_size=100)] * 2,
    st.just(0) | st.integers(100, 999),
)


def unescaped(text: str) -> bytes:
    """What was written as this."""
    return re.sub(
        rb"\\(x..|.)",
        lambda match: bytes.fromhex(match[1][1:].decode()) if match[1][:1] == b"x" else match[1],
        text.encode("ascii"),
    )


def test_theCombinedFormat() -> None:
    head = asked(fields=[(b"Referer", b"http://r.example/"), (b"User-Agent", b"curl/8")])
    assert lineFormat(COMBINED, worker=1)(record(head, user="eve")) == (
        "127.0.0.1 - eve [21/Nov/2026:00:06:21 +0000] "
        '"GET http://o.example/page?q=1 HTTP/1.1" 200 1000 "http://r.example/" "curl/8"\n'
    )


@given(RECORDS)
def test_whateverPeersSendARecordIsOneLine(row: object) -> None:
    """Of printable ASCII and bounded, in each format, and what reads these formats reads it."""
    lines = [lineFormat(text, worker=1)(row) for text in (COMMON, COMBINED)]  # type: ignore[arg-type]
    lines.append(jsonLine(worker=1)(row))  # type: ignore[arg-type]
    for line in lines:
        assert line.endswith("\n")
        assert line[:-1].isascii()
        assert not re.search(r"[^ -~]", line[:-1])
        assert len(line) < 60_000
    assert _COMMON.fullmatch(lines[0][:-1])
    assert _COMBINED.fullmatch(lines[1][:-1])
    assert set(json.loads(lines[2])) >= {"url", "status", "decision"}


@given(st.binary(min_size=1, max_size=2_000))
def test_aQuotedValueCanBeReadBack(agent: bytes) -> None:
    line = lineFormat('"%{user-agent}i"', worker=1)(record(asked(fields=[(b"User-Agent", agent)])))
    assert unescaped(line[1:-2]) == agent


def test_aLongValueIsCut() -> None:
    line = lineFormat("%{user-agent}i", worker=1)(record(asked(fields=[(b"User-Agent", b"x" * 9_000)])))
    assert line == "x" * 1_997 + "...\n"


def test_credentialsAreNotShown() -> None:
    head = asked(fields=[(b"Referer", b"https://name:secret@r.example/?a@b")])
    for line in (lineFormat(COMBINED, worker=1), jsonLine(worker=1)):
        assert "secret" not in line(record(head))
        assert "https://r.example/?a@b" in line(record(head))
    for field in ("Authorization", "proxy-authorization", "COOKIE"):
        with pytest.raises(BadFormat, match="credentials"):
            lineFormat(f"%{{{field}}}i", worker=1)
    with pytest.raises(BadFormat, match="credentials"):
        lineFormat("%{Set-Cookie}o", worker=1)


@pytest.mark.parametrize(
    ("target", "safe"),
    [
        (b"http://name:secret@host/", b"http://host/"),
        (b"name:secret@host:443", b"host:443"),
        (b"http://one@two@host/", b"http://host/"),
        (b"//name@host/", b"//host/"),
        (b"http:/name@host/", b"http:/host/"),
        (b"/path@place", b"/path@place"),
        (b"http://host/path@place?x=@", b"http://host/path@place?x=@"),
        (b"http://host?x=a@b", b"http://host?x=a@b"),
        (b"", b""),
    ],
)
def test_aTargetWithoutItsCredentials(target: bytes, safe: bytes) -> None:
    assert safeURL(target) == safe


def test_theQueryCanBeLeftOut() -> None:
    head = asked(fields=[(b"Referer", b"http://r.example/?token=1")])
    for line in (
        lineFormat('"%r" %U "%q" %{Referer}i', worker=1, query=False),
        jsonLine(worker=1, query=False),
    ):
        shown = line(record(head))
        assert "http://o.example/page" in shown
        assert "q=1" not in shown
        assert "token" not in shown


def test_everyDirective() -> None:
    blocked = record(decision=Decision.BLOCKED, finding=FOUND, why="so", status=404)
    values = {
        "%h": "127.0.0.1", "%l": "-", "%u": "-", "%m": "GET",
        "%r": "GET http://o.example/page?q=1 HTTP/1.1",
        "%U": "http://o.example/page", "%q": "?q=1", "%H": "HTTP/1.1", "%s": "404", "%>s": "404",
        "%b": "1000", "%O": "1000", "%I": "100", "%D": "25000", "%T": "0", "%P": "7", "%{x}i": "-",
        "%{content-encoding}o": "gzip", "%{decision}x": "blocked", "%{why}x": "so", "%{rule}x": "SzamHalo",
        "%{where}x": "body", "%{coding}x": "gzip", "%{origin}x": "o.example:80", "%{reused}x": "-",
        "%{connect}x": "0.001000", "%{firstbyte}x": "0.012500", "%{inspection}x": "0.000020",
        "%{connection}x": "3", "%%": "%",
    }  # fmt: skip
    for directive, value in values.items():
        assert lineFormat(directive, worker=7)(blocked) == f"{value}\n"
    assert lineFormat(" ".join(values), worker=7)(blocked) == " ".join(values.values()) + "\n"


def test_aRuleIsCalledByItsName() -> None:
    """As in the log, in both kinds of lines."""
    rule = Rule(b"g[a-m]+s", Pattern.EXPRESSION, name="the games")
    blocked = record(decision=Decision.BLOCKED, finding=Finding(rule, "body", 5))
    assert lineFormat("%{rule}x", worker=1)(blocked) == "the games\n"
    assert json.loads(jsonLine(worker=1)(blocked))["rule"] == "the games"


def test_whatIsNotKnownIsADash() -> None:
    """A request that could not even be read."""
    nothing = record(url=b"", response=None, origin=None, status=0, bytesOut=0, connect=None)
    nothing = nothing._replace(request=None, firstByte=None, inspection=None)
    text = "%r %m %U %H %s %b %{Referer}i %{A}o %{rule}x %{coding}x %{origin}x %{connect}x %{inspection}x"
    assert set(lineFormat(text, worker=1)(nothing).split()) == {"-"}
    assert json.loads(jsonLine(worker=1)(nothing))["url"] is None


@pytest.mark.parametrize(
    "text", ["%Z", "%", "100%", "%{nothing}x", "%{}i", "%{User-Agent}", "%{é}i", "a\nb", "%{rule}z"]
)
def test_whatIsNoFormat(text: str) -> None:
    with pytest.raises(BadFormat):
        lineFormat(text, worker=1)
