"""
The lab's options: what runs, on which ports, and the one line about what can not.
"""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from twisted.logger import Logger
from twisted.python.usage import Options as AnyOptions

import labnet.lab
from labnet.calculator.tap import Options as CalculatorOptions
from labnet.catalogue import servers
from labnet.discovery.tap import Options as DiscoveryOptions
from labnet.lab.config import Arity, argv
from labnet.lab.tap import Options, grammarOf, makeService
from labnet.net.endpoints import DatagramAddress
from labnet.net.options import UsageError
from labnet.net.service import listeners

EXAMPLE = Path(labnet.lab.__file__).with_name("example.toml")


def options(*arguments: str) -> Options:
    parsed = Options()
    parsed.parseOptions(arguments)
    return parsed


def mistake(*arguments: str) -> str:
    with pytest.raises(UsageError) as caught:
        options(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A file to write a lab into."""
    return tmp_path / "lab.toml"


def built(parsed: Options) -> list[tuple[str, str, object]]:
    """What the parts listen on, without listening: service, detail, endpoint or datagram address."""
    return [
        (listener.serviceName, listener.detail, getattr(listener, "where", None) or listener.endpoint)
        for part in parsed.parts
        for listener in listeners(part.build({}))
    ]


def ports(parsed: Options) -> list[int]:
    return [
        where.port if isinstance(where, DatagramAddress) else where.endpoint._port
        for _, _, where in built(parsed)
    ]


# Without a file


def test_everythingRuns() -> None:
    """Without a file it is every server of the catalogue, in its order."""
    assert [part.service for part in options().parts] == [entry.name for entry in servers()]


def test_onlySome() -> None:
    assert [part.service for part in options("--only", "calculator, discovery").parts] == [
        "discovery",
        "calculator",
    ]


@pytest.mark.parametrize("name", ["calculater", "", "calculator,,"])
def test_onlyWhatThereIs(name: str) -> None:
    known = ", ".join(entry.name for entry in servers())
    assert mistake("--only", name).endswith(f"is none of {known}")


def test_theDefaultPorts() -> None:
    assert ports(options("--only", "discovery,calculator")) == [10001, 9000, 9001]


def test_allPortsMove() -> None:
    assert ports(options("--only", "discovery,calculator", "--port-offset", "100")) == [10101, 9100, 9101]


def test_anOffsetBeyondThePortsIsRefused() -> None:
    message = mistake("--only", "calculator", "--port-offset", "60000")
    assert message == (
        "calculator: --port-offset: 'tcp:9000:interface=127.0.0.1' moved by 60000 is port 69000, "
        "outside 1 to 65535"
    )


def test_anOffsetIsANumber() -> None:
    assert "whole number from -65535 to 65535" in mistake("--port-offset", "many")


def test_everyServerCanBeMoved() -> None:
    """No server of the catalogue has an endpoint, or a reference, that the offset breaks."""
    assert len(options("--port-offset", "100").parts) == len(servers())


def test_referencesMoveWithTheLab() -> None:
    """What the relay expects by default is the calculator of this lab, wherever it is."""
    relay = next(part for part in options("--port-offset", "100").parts if part.service == "relay")
    assert relay.open == {"to": ("calculator", "udp")}
    assert relay.uses == {"calculator"}


def test_theCalculatorIsToRegisterWithTheLabsAddressServer() -> None:
    """The option is left open for the lab to fill in; a filled one makes the registration."""
    (part,) = options("--only", "calculator").parts
    assert part.open == {"register": ("discovery", "udp")}
    assert len(list(part.build({"register": "udp:127.0.0.1:10001"}))) == len(list(part.build({}))) + 1


def test_whatTheAddressServerAnswersByDefaultMoves() -> None:
    """It starts before the calculator, so the lab can not tell it; it moves with the ports."""
    (part,) = options("--only", "discovery", "--port-offset", "100").parts
    assert part.open == {}
    (listener,) = listeners(part.build({}))
    assert str(listener.protocol.policy.fallback) == "localhost:9100"


# With a file


def test_theFileSaysWhatRuns(lab: Path) -> None:
    lab.write_text(
        '[[calculator]]\nlisten = ["net=tcp:1", "udp:2"]\n'
        '[[calculator]]\nlisten = "tcp:3"\nprofile = "json"\nmodulo = true\n'
    )
    parsed = options("--config", str(lab))
    assert [(service, detail) for service, detail, _ in built(parsed)] == [
        ("calculator", "net"),
        ("calculator", "struct9"),
        ("calculator", "json"),
    ]
    assert [part.number for part in parsed.parts] == [1, 2]


def test_aFileIsReducedByOnly(lab: Path) -> None:
    lab.write_text("[calculator]\n[discovery]\n")
    assert [part.service for part in options("--config", str(lab), "--only", "calculator").parts] == [
        "calculator"
    ]
    assert mistake("--config", str(lab), "--only", "proxy") == f"--only: {lab} has no proxy"


def test_aFilesPortsMoveAndPortZeroDoesNot(lab: Path) -> None:
    lab.write_text('[calculator]\nlisten = ["tcp:9500", "udp:0"]\n')
    assert ports(options("--config", str(lab), "--port-offset", "7")) == [9507, 0]


def test_aFilesReferencesMoveWhenTheyPointIntoTheLab(lab: Path) -> None:
    lab.write_text(
        '[discovery]\nlisten = "udp:10001"\n'
        '[[calculator]]\nlisten = "tcp:9000"\nregister = "udp:127.0.0.1:10001"\n'
        '[[calculator]]\nlisten = "tcp:9001"\nregister = "udp:127.0.0.1:20001"\n'
    )
    _, *calculators = options("--config", str(lab), "--port-offset", "7").parts
    targets = [str(list(part.build({}))[-1]._target) for part in calculators]
    assert targets == ["udp:127.0.0.1:10008", "udp:127.0.0.1:20001"]
    assert [part.open for part in calculators] == [{}, {}]


def test_anyAddressOfTheLabMoves(lab: Path) -> None:
    """Whatever option an address of the lab stands in; a word that is none, as one to block, stays."""
    lab.write_text(
        '[calculator]\nlisten = "tcp:9000"\n'
        '[proxy]\nlisten = "tcp:8080"\ntarget = "127.0.0.1:9000"\nblock = ["localhost:9000"]\n'
    )
    (_, listener) = [
        listener
        for part in options("--config", str(lab), "--port-offset", "7").parts
        for listener in listeners(part.build({}))
    ]
    assert listener.detail == "to 127.0.0.1:9007"
    assert [rule.pattern for rule in listener.factory.policy.rules] == [b"localhost:9000"]


def test_anEmptyRegisterIsNone(lab: Path) -> None:
    lab.write_text('[discovery]\n[calculator]\nregister = ""\n')
    part = options("--config", str(lab)).parts[1]
    assert part.open == {}
    assert len(list(part.build({}))) == len(list(listeners(part.build({}))))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[[calculator]]\n[[calculator]]\nlisten = "tcp:1"\nprofile = "nett"\n',
            "calculator[2].profile: 'nett' is none of struct9, int4, ",
        ),
        ("[calculator]\nidle-timeout = -1\n", "calculator.idle-timeout: '-1' is not a number at least 0.0"),
        ("[calculator]\nno-delay = 'yes'\n", "calculator.no-delay: 'yes' is none of on, off"),
        ("[calculator]\nlisten = 'tcp:99999'\n", "calculator.listen: 'tcp:99999': the port must be"),
        (
            "[calculator]\nlisten = 'nett=tcp:1'\n",
            "calculator.listen: 'nett=tcp:1': 'nett' is none of struct9",
        ),
        (
            "[calculator]\nregister = 'here'\n",
            "calculator.register: 'here' is not of the form udp:HOST:PORT",
        ),
        ("[discovery]\nlisten = 'tcp:1'\n", "discovery.listen: 'tcp:1' is not of the form udp:PORT"),
        ("[calculator]\nlistne = 'tcp:1'\n", "calculator.listne: no such option; allowed are "),
        ("[calculator]\nhelp = true\n", "calculator.help: no such option"),
        ("[calculator]\nversion = true\n", "calculator.version: no such option"),
        (
            "[[calculator]]\n[[calculator]]\n",
            "calculator[2].listen: missing, and calculator[1] has the default endpoints",
        ),
        ("[calculator]\nfaults = 'cut'\n", "calculator.faults: character 1, 'cut': how small?"),
        ("[calculator\n", "not TOML: "),
        (
            "[chess]\n",
            "chess: no such service; allowed are discovery, calculator, relay, proxy, ",
        ),
    ],
)
def test_aMistakeInTheFileIsOneLine(lab: Path, text: str, message: str) -> None:
    """It names the file and the key, and says what is allowed there."""
    lab.write_text(text)
    assert mistake("--config", str(lab)).startswith(f"{lab}: {message}")


def test_aFileThatIsNotThere(lab: Path) -> None:
    assert mistake("--config", str(lab)) == f"--config: {lab}: No such file or directory"
    assert mistake("--config", str(lab.parent)) == f"--config: {lab.parent}: Is a directory"


def test_aFileThatIsNotText(lab: Path) -> None:
    lab.write_bytes(b"# \xff\n")
    assert mistake("--config", str(lab)) == f"--config: {lab}: not UTF-8 at byte 2"


def test_theExampleIsALab() -> None:
    """The documented example is accepted as it stands, and has every server of the catalogue."""
    parsed = options("--config", str(EXAMPLE))
    assert {part.service for part in parsed.parts} == {entry.name for entry in servers()}


def test_everyOptionOfTheCommandLineIsAKey() -> None:
    """Each option of a server that is more than a question to the program can stand in the file."""
    calculator = CalculatorOptions()
    grammar = grammarOf(calculator)
    everything = {name.rstrip("=").replace("_", "-") for name in calculator.longOpt}
    assert everything - set(grammar) == {"help", "version", "json-logs"}
    assert grammar["listen"] is Arity.REPEATED
    assert grammar["modulo"] is Arity.FLAG
    assert grammar["profile"] is Arity.VALUE


# What it prints


def test_theList(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """C{--list} prints every server with its default endpoints and ends the process with 0."""
    written = StringIO()
    monkeypatch.setattr("sys.__stdout__", written)
    with pytest.raises(SystemExit) as caught:
        options("--list")
    assert caught.value.code == 0
    head, *rows = written.getvalue().splitlines()
    assert head.split() == ["service", "listens", "on", "what", "it", "is"]
    assert [row.split()[:2] for row in rows] == [
        [entry.name, endpoint] for entry in servers() for endpoint in entry.endpoints
    ]


def test_theListOfAFile(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.write_text('[[calculator]]\n[[calculator]]\nlisten = "tcp:1"\n')
    written = StringIO()
    monkeypatch.setattr("sys.__stdout__", written)
    with pytest.raises(SystemExit):
        options("--config", str(lab), "--list", "--port-offset", "1")
    assert [row.split()[:2] for row in written.getvalue().splitlines()[1:]] == [
        ["calculator[1]", "tcp:9001:interface=127.0.0.1"],
        ["calculator[1]", "udp:9002:interface=127.0.0.1"],
        ["calculator[2]", "tcp:2"],
    ]


@pytest.mark.parametrize("way", ["option", "file"])
def test_jsonLogsForTheWholeLab(lab: Path, way: str) -> None:
    """The runner above the options logs through our observer, whether the option or the file says so."""
    lab.write_text(("json-logs = true\n" if way == "file" else "") + "[discovery]\n")
    parsed = Options()
    parsed.parent = AnyOptions()
    parsed.parent["fileLogObserverFactory"] = None
    parsed.parseOptions(["--config", str(lab), *(["--json-logs"] if way == "option" else [])])
    stream = StringIO()
    Logger(observer=parsed.parent["fileLogObserverFactory"](stream)).info("hello {name}", name="you")
    assert json.loads(stream.getvalue())["text"] == "hello you"


def test_theServiceHasTheParts() -> None:
    parsed = options("--only", "discovery")
    assert makeService(parsed).parts == parsed.parts


@pytest.mark.parametrize(
    ("text", "arguments", "traced"),
    [
        ("[discovery]\n[calculator]\n", [], {}),
        ("trace = true\n[discovery]\n[calculator]\n", [], {"discovery": 64, "calculator": 64}),
        ("trace = true\n[discovery]\n[calculator]\ntrace = false\n", [], {"discovery": 64}),
        ("trace-bytes = 9\n[discovery]\n[calculator]\ntrace = true\n", [], {"calculator": 9}),
        ("[discovery]\n[calculator]\n", ["--trace"], {"discovery": 64, "calculator": 64}),
        (
            "trace = true\ntrace-bytes = 9\n[discovery]\n[calculator]\n",
            ["--trace-bytes", "5", "--trace-redact", "x"],
            {"discovery": 5, "calculator": 5},
        ),
    ],
)
def test_whoIsTraced(lab: Path, text: str, arguments: list[str], traced: dict[str, int]) -> None:
    """Each by its own table; all by what stands above the tables, or on the command line, which wins."""
    lab.write_text(text)
    parsed = options("--config", str(lab), *arguments)
    found = {}
    for section in parsed.sections:
        service = {"discovery": DiscoveryOptions, "calculator": CalculatorOptions}[section.service]()
        service.parseOptions(argv(section.settings))
        if service.layers.looker is not None:
            found[section.service] = service["trace-bytes"]
        assert service["trace-redact"] == arguments[3:]
    assert found == traced
