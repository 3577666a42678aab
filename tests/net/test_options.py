"""
The options that every server shares.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar

import pytest
from twisted.python.usage import UsageError

from labnet.catalogue import Entry, Kind
from labnet.net.endpoints import DatagramAddress
from labnet.net.limits import Limits
from labnet.net.options import ServerOptions, choice, number
from labnet.net.redaction import Redaction
from labnet.net.sockets import SocketOptions
from labnet.net.tracelog import TraceFile, TraceLog

ENTRY = Entry("thing", Kind.SERVER, "nowhere", ("tcp:9010", "udp:9011"), "A thing.")


class Plain(ServerOptions):
    entry = ENTRY


class Various(ServerOptions):
    entry = ENTRY
    variants: ClassVar[tuple[str, ...]] = ("net", "json")
    suited: ClassVar[dict[str, object]] = {"idle-timeout": 7.0, "max-per-peer": 3}


def parsed(kind: type[ServerOptions], *arguments: str) -> ServerOptions:
    options = kind()
    options.parseOptions(arguments)
    return options


def test_theCataloguesEndpointsAreTheDefault() -> None:
    assert [each.description for each in parsed(Plain).listening] == ["tcp:9010", "udp:9011"]


def test_listenIsRepeatable() -> None:
    listening = parsed(
        Various, "--listen", "net=tcp:9010", "--listen", "udp:9011", "--listen", "json=udp:1"
    ).listening
    assert [each.variant for each in listening] == ["net", "", "json"]
    assert [each.description for each in listening] == ["net=tcp:9010", "udp:9011", "json=udp:1"]
    assert listening[2].where == DatagramAddress(1)


def test_anEqualsSignInADescriptionIsNoVariant() -> None:
    (one,) = parsed(Plain, "--listen", "tcp:port=9000:interface=127.0.0.1").listening
    assert one.variant == ""


def test_defaultsAreThoseOfTheLimits() -> None:
    options = parsed(Plain)
    assert options.limits == Limits()
    assert options.sockets == SocketOptions()


def test_aServiceMayHaveDefaultsOfItsOwn() -> None:
    """And they can be overridden, and are not those of the next service."""
    assert parsed(Various).limits.idleTimeout == 7.0
    assert parsed(Various, "--idle-timeout", "8").limits.idleTimeout == 8.0
    assert parsed(Various).limits.maxPerPeer == 3
    assert parsed(Plain).limits.idleTimeout == 300.0


def test_twoCommandLinesShareNothing() -> None:
    assert len(parsed(Plain, "--listen", "tcp:1").listening) == 1
    assert len(parsed(Plain, "--listen", "tcp:2").listening) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--listen", "foo=tcp:1"], "--listen: 'foo=tcp:1': 'foo' is none of net, json"),
        (["--listen", "tcp:x"], "--listen: 'tcp:x': the port must be a number from 0 to 65535"),
        (["--listen"], "option --listen requires argument"),
        (["--max-connections", "x"], "--max-connections: 'x' is not a whole number at least 0"),
        (["--max-connections", "-1"], "--max-connections: '-1' is not a whole number at least 0"),
        (["--max-connections", "9" * 5000], "--max-connections"),
        (["--idle-timeout", "nan"], "--idle-timeout: 'nan' is not a number at least 0.0"),
        (["--idle-timeout", "inf"], "--idle-timeout: 'inf' is not a number at least 0.0"),
        (["--grace", "-0.1"], "--grace: '-0.1' is not a number"),
        (["--no-delay", "maybe"], "--no-delay: 'maybe' is none of on, off"),
        (
            ["--send-buffer", str(2**31)],
            "--send-buffer: '2147483648' is not a whole number from 0 to 2147483647",
        ),
        (["--faults", "cut=3 dely=4ms"], "--faults: character 7, 'dely=4ms': there is no such fault"),
        (["--what"], "option --what not recognized"),
    ],
)
def test_aMistakeIsOneLine(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(Various, *arguments)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_faultsAreALayer() -> None:
    """With a seed that is chosen, if the line has none; without faults there is no layer."""
    assert parsed(Plain).layers.faults is None
    switch = parsed(Plain, "--faults", "cut=3").layers.faults
    assert switch is not None
    assert switch.current is not None
    assert str(switch.current) == f"seed={switch.current.seed}; cut=3/1ms"


def test_withoutVariantsThereAreNone() -> None:
    with pytest.raises(UsageError, match="nothing stands before tcp: or udp: here"):
        parsed(Plain, "--listen", "net=tcp:1")


def test_number() -> None:
    coerce = number(int, "count", 1, 5)
    assert coerce("5") == 5
    for text in ("0", "6", "1.5", "", "x"):
        with pytest.raises(ValueError, match=r"--count: .* is not a whole number from 1 to 5"):
            coerce(text)


def test_choice() -> None:
    coerce = choice("colour", ["red", "blue"])
    assert coerce("red") == "red"
    with pytest.raises(ValueError, match=r"--colour: 'green' is none of red, blue"):
        coerce("green")


def test_helpNamesEveryOption() -> None:
    text = Various().getUsage()
    names = (
        "listen max-connections max-per-peer idle-timeout grace no-delay keep-alive send-buffer json-logs"
    )
    for name in names.split():
        assert f"--{name}" in text


def test_jsonLogsWithoutARunnerChangeNothing(capsys: pytest.CaptureFixture[str]) -> None:
    parsed(Plain, "--json-logs")
    assert capsys.readouterr().out == ""
    assert sys.stdout is not None


# Traces


def test_withoutAnOptionNothingIsTraced() -> None:
    layers = parsed(Plain, "--trace-redact", "x").layers
    assert layers.trace is None
    assert layers.looker is None


def test_whereATraceGoes(tmp_path: Path) -> None:
    """C{--trace} is the log; a file is enough of a wish."""
    assert isinstance(parsed(Plain, "--trace").layers.looker, TraceLog)
    for given in (["--trace"], []):
        layers = parsed(Plain, *given, "--trace-file", str(tmp_path / "new")).layers
        assert isinstance(layers.looker, TraceFile)
    assert parsed(Plain, "--trace-redact", "a(b)", "--trace-redact", "c").layers.redaction == Redaction.of(
        ["a(b)", "c"]
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trace-redact", "("], r"--trace-redact: '\(' is no regular expression: .*"),
        (["--trace-file", "/"], "--trace-file: '/' is not a file"),
        (["--trace-file", ""], "--trace-file: '' is not a file"),
        (["--trace-file", "/nowhere/x"], "--trace-file: /nowhere/x: there is no directory /nowhere"),
        (["--trace-bytes", "16385"], "--trace-bytes: '16385' is not a whole number from 0 to 16384"),
    ],
)
def test_mistakesAboutTraces(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}$"):
        parsed(Plain, *arguments)
