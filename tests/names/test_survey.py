"""
What is asked about a host, a service, an address; and that whoever answers can not write on our terminal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import DNSLookupError, TimeoutError
from twisted.internet.task import Clock

from labnet.names import survey
from labnet.names.client import Endpoint, Family, HostEntry
from labnet.names.report import Answer, Group, asJSON, unanswered
from labnet.names.survey import MOST_REVERSE, Survey
from labnet.net.outcome import ExitStatus

V4 = Endpoint(Family.IPV4, "10.0.0.1", 80)
V6 = Endpoint(Family.IPV6, "fd00::1", 80)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces the look-ups by ones that know what they are told to know."""

    def replace(**results: object) -> None:
        for function, result in results.items():
            monkeypatch.setattr(survey, function, _giving(result))

    replace(
        hostByName=HostEntry("x.example", ("www.example",), ("10.0.0.1",)),
        addresses=[V6, V4],
        hostByAddress=HostEntry("x.example", (), ("10.0.0.1",)),
        nameInfo=("x.example", "http"),
        serviceByName=80,
        serviceByPort="http",
        fullName="x.example",
    )
    return replace


def _giving(result: object) -> Callable[..., Deferred[Any]]:
    def look(*arguments: object, **named: object) -> Deferred[Any]:
        return fail(result) if isinstance(result, Exception) else succeed(result)

    return look


def asked(do: Callable[[Survey], Any], family: Family | None = None) -> list[Answer]:
    asking = Survey(Clock(), family)  # type: ignore[arg-type]
    problems: list[Any] = []
    Deferred.fromCoroutine(do(asking)).addErrback(problems.append)
    assert not problems
    return asking.answers


def told(answers: list[Answer]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(answer.function, answer.of, answer.values) for answer in answers]


@pytest.mark.usefixtures("resolver")
def test_aHostForwardAndBack() -> None:
    assert told(asked(lambda asking: asking.host("www.example", "80"))) == [
        ("gethostbyname_ex", "www.example", ("x.example", "also www.example", "at 10.0.0.1")),
        ("getaddrinfo", "www.example 80", ("1. [fd00::1]:80 (IPv6)", "2. 10.0.0.1:80 (IPv4)")),
        ("gethostbyaddr", "fd00::1", ("x.example", "at 10.0.0.1")),
        ("getnameinfo", "[fd00::1]:80", ("x.example http",)),
        ("gethostbyaddr", "10.0.0.1", ("x.example", "at 10.0.0.1")),
        ("getnameinfo", "10.0.0.1:80", ("x.example http",)),
    ]


@pytest.mark.usefixtures("resolver")
def test_theFunctionForIPv4OnlyIsNotAskedForIPv6() -> None:
    answers = asked(lambda asking: asking.host("www.example"), Family.IPV6)
    assert "gethostbyname_ex" not in [answer.function for answer in answers]


def test_aHostWithVeryManyAddressesIsNotAskedBackForAll(resolver: Callable[..., None]) -> None:
    resolver(addresses=[V4] * 1_000)
    answers = asked(lambda asking: asking.host("www.example"))
    assert sum(answer.function == "gethostbyaddr" for answer in answers) == MOST_REVERSE


@pytest.mark.usefixtures("resolver")
def test_services() -> None:
    assert told(asked(lambda asking: asking.service("http"))) == [
        ("getservbyname", "http/tcp", ("80",)),
        ("getservbyname", "http/udp", ("80",)),
    ]
    byPort = told(asked(lambda asking: asking.service("80")))
    assert byPort[:2] == [("getservbyport", "80/tcp", ("http",)), ("getservbyport", "80/udp", ("http",))]
    assert byPort[2][:2] == ("htons", "80")
    assert byPort[2][2][0].endswith("(on the wire 00 50)")


def test_addressesAndBytes() -> None:
    assert told(asked(lambda asking: asking.address("127.0.0.1"))) == [
        ("inet_pton", "127.0.0.1", ("7f 00 00 01 (IPv4)",)),
        ("inet_aton", "127.0.0.1", ("7f 00 00 01 (127.0.0.1)",)),
    ]
    assert told(asked(lambda asking: asking.bytes(b"\x7f\0\0\1"))) == [
        ("inet_ntoa", "7f 00 00 01", ("127.0.0.1 (IPv4)",))
    ]
    assert told(asked(lambda asking: asking.bytes(bytes(16))))[0][2] == (":: (IPv6)",)


@pytest.mark.usefixtures("resolver")
def test_thisHost() -> None:
    assert [answer.function for answer in asked(lambda asking: asking.thisHost())] == [
        "gethostname",
        "getfqdn",
    ]


def test_oneFailureDoesNotEndTheRest(resolver: Callable[..., None]) -> None:
    resolver(
        hostByName=DNSLookupError("www.example: no"), hostByAddress=TimeoutError("10.0.0.1 took over 5 s")
    )
    answers = asked(lambda asking: asking.host("www.example"))
    assert [(answer.function, answer.status) for answer in answers[:4]] == [
        ("gethostbyname_ex", ExitStatus.NAME_NOT_FOUND),
        ("getaddrinfo", ExitStatus.OK),
        ("gethostbyaddr", ExitStatus.TIMED_OUT),
        ("getnameinfo", ExitStatus.OK),
    ]
    assert answers[0].problem == "name not found (www.example: no)"
    assert unanswered(answers) is None


def test_nothingAnsweredIsTheExitStatus(resolver: Callable[..., None]) -> None:
    resolver(hostByName=DNSLookupError("no"), addresses=DNSLookupError("no"))
    answers = asked(lambda asking: asking.host("www.example"))
    problem = unanswered(answers)
    assert problem is not None
    assert problem.status == ExitStatus.NAME_NOT_FOUND


def test_aBugIsNoAnswer(resolver: Callable[..., None]) -> None:
    resolver(hostByName=ZeroDivisionError())
    asking = Survey(Clock())  # type: ignore[arg-type]
    problems: list[Any] = []
    Deferred.fromCoroutine(asking.host("x")).addErrback(problems.append)
    assert problems[0].check(ZeroDivisionError)


def test_whoeverAnswersWritesNothingOnOurTerminal(resolver: Callable[..., None]) -> None:
    """The owner of an address chooses its name, and may choose an escape sequence."""
    evil = "\x1b]0;x\x07\n127.0.0.1 bank.example\u202e"
    resolver(
        hostByName=HostEntry(evil, (evil,), ("10.0.0.1",)),
        hostByAddress=HostEntry(evil, (), ()),
        nameInfo=(evil, evil),
        fullName=evil,
    )
    answers = asked(lambda asking: asking.host("www.example", "80"))
    answers += asked(lambda asking: asking.thisHost())
    cells = [cell for answer in answers for row in answer.rows() for cell in row]
    assert all(cell.isascii() and cell.isprintable() for cell in cells)
    assert all(value.isascii() for row in asJSON(answers)["answers"] for value in row["values"])


def test_rowsAndObjects() -> None:
    good = Answer(Group.FORWARD, "f", "x", ("a", "b"), 0.0123)
    bad = Answer(Group.REVERSE, "g", "y", (), 1.0, "name not found", ExitStatus.NAME_NOT_FOUND)
    assert good.rows() == [("f", "x", "a", "12.3 ms"), ("", "", "b", "")]
    assert bad.rows() == [("g", "y", "- name not found", "1000.0 ms")]
    forward, reverse = asJSON([good, bad])["answers"]
    assert forward == {
        "about": "name to addresses",
        "function": "f",
        "of": "x",
        "seconds": 0.0123,
        "values": ["a", "b"],
    }
    assert reverse == {
        "about": "address to name",
        "function": "g",
        "of": "y",
        "seconds": 1.0,
        "problem": "name not found",
    }
    assert unanswered([bad]) is None
