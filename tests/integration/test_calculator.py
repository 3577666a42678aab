"""
The calculator against the course's programs, as separate processes, in both directions.
"""

from __future__ import annotations

import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labnet.calculator.wire import PROFILES
from tests.integration.course import PROGRAMS
from tests.integration.processes import BIN, ENVIRONMENT, PATIENCE, Running, Twistd, labnet, student

NAMES = list(PROFILES)
#: What 7 / 2 and -7 / 2 are.
QUOTIENTS = {
    "struct9": (3, -4), "int4": (3, -3), "text": (3.5, -3.5), "ici": (3, -4), "ici-text": (3.5, -3.5),
    "fcf": (3.0, -4.0), "ffc": (3.5, -3.5), "net": (3.5, -3.5), "framed": (3, -3), "json": (3, -3),
}  # fmt: skip


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twistd]:
    """One process that listens for every profile, over TCP and UDP."""
    listen = [word for name in NAMES for word in ("--listen", f"{name}=tcp:0", "--listen", f"{name}=udp:0")]
    with Twistd(tmp_path_factory.mktemp("calculator"), "labnet-calculator", *listen) as server:
        yield server


def portOf(servers: Twistd, name: str, transport: str) -> int:
    return servers.port(f"calculator ({name})", transport)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("name", NAMES)
def test_aStudentsClientAsksOurServer(servers: Twistd, name: str, transport: str) -> None:
    port = portOf(servers, name, transport)
    source = PROGRAMS[name].client(transport == "udp")
    expressions = ["12 + 34", "4 - 7", "-7 * 6", "7 / 2", "-7 / 2"]
    result = student(source, str(port), *expressions)
    assert result.stderr == ""
    positive, negative = QUOTIENTS[name]
    if (name, transport) == ("struct9", "udp"):
        negative = -3
    expected = [46, -3, -42, positive, negative]
    assert [float(line) for line in result.stdout.split()] == expected
    if name in ("text", "ici-text"):
        assert result.stdout.split() == ["46", "-3", "-42", "3.5", "-3.5"]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("name", NAMES)
def test_ourClientAsksAStudentsServer(name: str, transport: str) -> None:
    """Several questions, of which each is answered by one read of its own."""
    source = PROGRAMS[name].server(transport == "udp")
    with Running([sys.executable, "-c", source]) as server:
        port = server.waitFor(r"listens on (\d+)")[1]
        result = labnet(
            "calculator", "--connect", f"{transport}:127.0.0.1:{port}", "--profile", name,
            stdin="12 + 34\n4 - 7\n-7 * 6\n",
        )  # fmt: skip
        assert result.stderr == ""
        assert [float(line) for line in result.stdout.split()] == [46, -3, -42]
        assert result.returncode == 0
        assert "Traceback" not in server.text


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("name", NAMES)
def test_ourClientAsksOurServer(servers: Twistd, name: str, transport: str) -> None:
    port = portOf(servers, name, transport)
    result = labnet(
        "calculator",
        "-c",
        f"{transport}:127.0.0.1:{port}",
        "-p",
        name,
        stdin="12 + 34\n4 - 7\n7 / 2\n1 ? 2",
    )
    results = [float(line) for line in result.stdout.split()]
    if name in ("int4", "ici"):
        # Their error is a zero, and no client can tell.
        assert (results, result.returncode) == ([46, -3, QUOTIENTS[name][0], 0], 0)
    else:
        assert (results, result.returncode) == ([46, -3, QUOTIENTS[name][0]], 1)
        assert result.stderr.startswith("1 ? 2: the server ")


# The command


def test_oneExpression(servers: Twistd) -> None:
    where = f"tcp:127.0.0.1:{portOf(servers, 'struct9', 'tcp')}"
    for words in (("12", "+", "34"), ("12+34",), ("12 + 34",), ("-5", "+", "51"), ("51", "+", "-5")):
        result = labnet("calculator", "--connect", where, *words)
        assert (result.stdout, result.stderr, result.returncode) == ("46\n", "", 0)


def test_standardInputFromAFile(servers: Twistd, tmp_path: Path) -> None:
    """A file of any length; the last line needs no end."""
    where = f"tcp:127.0.0.1:{portOf(servers, 'struct9', 'tcp')}"
    path = tmp_path / "questions"
    path.write_text("".join(f"{number} * 2\n" for number in range(20_000)) + "1 + 1")
    with path.open() as questions:
        result = subprocess.run(
            [BIN / "labnet", "calculator", "--connect", where],
            stdin=questions, capture_output=True, text=True, env=ENVIRONMENT, timeout=PATIENCE, check=False,
        )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [*(str(number * 2) for number in range(20_000)), "2"]


def test_badLinesAreToldAndTheOthersAnswered(servers: Twistd) -> None:
    where = f"tcp:127.0.0.1:{portOf(servers, 'struct9', 'tcp')}"
    result = labnet("calculator", "--connect", where, stdin="1 + 1\nfoo\n\n2 + 2\n")
    assert result.stdout == "2\n4\n"
    assert result.stderr == "'foo' is not of the form NUMBER OPERATOR NUMBER\n"
    assert result.returncode == 2


def test_aBrokenPipe(servers: Twistd) -> None:
    """Whoever read the results has gone: one line, its own status, and nothing that Python adds."""
    where = f"tcp:127.0.0.1:{portOf(servers, 'struct9', 'tcp')}"
    with subprocess.Popen(
        [BIN / "labnet", "calculator", "--connect", where],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("1 + 1\n")
        process.stdin.flush()
        assert process.stdout.readline() == "2\n"
        process.stdout.close()
        process.stdin.write("2 + 2\n")
        process.stdin.flush()
        assert process.stderr is not None
        assert process.stderr.read() == "labnet calculator: broken pipe: the reader has gone\n"
        assert process.wait(PATIENCE) == 7


def test_anInteractiveUserIsToldAtOnceThatTheServerHasGone(tmp_path: Path) -> None:
    with (
        Twistd(tmp_path, "labnet-calculator", "--listen", "tcp:0") as server,
        subprocess.Popen(
            [BIN / "labnet", "calculator", "--connect", f"tcp:127.0.0.1:{server.port('calculator')}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=ENVIRONMENT,
        ) as process,
    ):  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write("1 + 1\n")
        process.stdin.flush()
        assert process.stdout.readline() == "2\n"
        server.stop()
        process.stdin.write("2 + 2\n")
        process.stdin.flush()
        assert process.stderr.read() == (
            "labnet calculator: connection lost before the answer was complete\n"
        )
        assert process.wait(PATIENCE) == 5


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["-c", "tcp:127.0.0.1:1", "1", "+", "1"], 3, "connection refused: nothing listens there"),
        (["-c", "udp:127.0.0.1:1", "1", "+", "1"], 3, "connection refused: nothing listens there"),
        (["-c", "tcp:no-such-host.invalid:1", "1", "+", "1"], 6, "name not found"),
        (["-c", "udp:no-such-host.invalid:1", "1", "+", "1"], 6, "name not found"),
        (["-c", "tcp:a..b:1", "1", "+", "1"], 2, "'a..b' is neither a name nor an address"),
        (["-p", "foo", "1", "+", "1"], 2, "--profile: 'foo' is none of"),
        (["1", "+"], 2, "'1 +' is not of the form NUMBER OPERATOR NUMBER"),
    ],
)
def test_whatGoesWrongIsOneLineAndAStatus(arguments: list[str], status: int, sentence: str) -> None:
    result = labnet("calculator", *arguments)
    assert (result.returncode, result.stdout) == (status, "")
    assert result.stderr.startswith("labnet calculator: ")
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


SILENT = """
import socket, sys
kind, = sys.argv[1:]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
s.bind(("127.0.0.1", 0))
if kind != "udp":
    s.listen(5)
print("listens on %d" % s.getsockname()[1], flush=True)
if kind == "udp":
    while True:
        s.recvfrom(100)
        print("got one", flush=True)
held = []
while True:
    c, _ = s.accept()
    c.recv(9)
    if kind == "half":
        c.sendall(b"1234")
        c.close()
    elif kind == "junk":
        c.sendall(b"HTTP/1.1 400 Bad Request")
    held.append(c)
"""


@pytest.mark.parametrize(
    ("kind", "status", "sentence"),
    [
        ("tcp", 4, "timed out: no answer came (no reply for 0.3 s)"),
        ("udp", 4, "timed out: no answer came (no answer from udp:127.0.0.1:PORT in 2 tries)"),
        ("half", 5, "connection lost before the answer was complete"),
        ("junk", 9, "the reply is not understood: the mark b' ' is neither R nor E"),
    ],
)
def test_serversThatDoNotAnswer(kind: str, status: int, sentence: str) -> None:
    with Running([sys.executable, "-c", SILENT, kind]) as server:
        port = server.waitFor(r"listens on (\d+)")[1]
        where = f"{'udp' if kind == 'udp' else 'tcp'}:127.0.0.1:{port}"
        result = labnet("calculator", "-c", where, "-t", "0.3", "--tries", "2", "1", "+", "1")
        assert result.stderr == f"labnet calculator: {sentence.replace('PORT', port)}\n"
        assert result.returncode == status
        if kind == "udp":
            server.waitFor("got one")
            assert server.output.count("got one") <= 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(number: signal.Signals) -> None:
    """Whoever ends it knows why: there is a status, and no sentence."""
    source = SILENT.replace("c.recv(9)", 'c.recv(9); print("got", flush=True)')
    with Running([sys.executable, "-c", source, "tcp"]) as server:
        port = server.waitFor(r"listens on (\d+)")[1]
        where = f"tcp:127.0.0.1:{port}"
        client = Running([str(BIN / "labnet"), "calculator", "-c", where, "-t", "1000", "1", "+", "1"])
        server.waitFor("^got")
        assert client.stop(number) == 130
        assert client.text == ""


# The plugin of the client


def plugin(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    before = ["-n", "--pidfile="] if program == "twistd" else []
    return subprocess.run(
        [BIN / program, *before, "labnet-calculator-client", *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, env=ENVIRONMENT, timeout=PATIENCE,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize("program", ["twistd", "twist"])
@pytest.mark.parametrize(
    ("words", "printed", "status"),
    [
        (["12", "+", "34"], "46", 0),
        (["-5", "+", "3"], "-2", 0),
        (["1", "/", "0"], None, 1),
        (["1.5", "+", "1"], None, 2),
    ],
)
def test_theClientAsAPlugin(
    servers: Twistd, program: str, words: list[str], printed: str | None, status: int
) -> None:
    """It does its work, prints the result, and the process ends with the status of the command."""
    where = f"tcp:127.0.0.1:{portOf(servers, 'struct9', 'tcp')}"
    result = plugin(program, "--connect", where, *words)
    assert result.returncode == status, result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert (printed in result.stdout.splitlines()) if printed else True


@pytest.mark.parametrize("program", ["twistd", "twist"])
@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["--connect", "tcp:127.0.0.1:1", "1", "+", "1"], 3, "connection refused"),
        (["--connect", "nonsense", "1", "+", "1"], 1, "--connect: 'nonsense': Unknown endpoint type"),
        (["--profile", "foo"], 1, "--profile: 'foo' is none of"),
    ],
)
def test_thePluginThatFails(program: str, arguments: list[str], status: int, sentence: str) -> None:
    result = plugin(program, *arguments)
    output = result.stdout + result.stderr
    assert result.returncode == status, output
    assert sentence in output
    assert "Traceback" not in output


def test_theDocumentedBytes(servers: Twistd) -> None:
    """C{12 + 34} and C{4 - 7} over a plain socket."""
    import socket

    with socket.create_connection(("127.0.0.1", portOf(servers, "struct9", "tcp")), PATIENCE) as sock:
        sock.sendall(bytes.fromhex("0c000000 22000000 2b"))
        assert sock.recv(100) == bytes.fromhex("2e000000 00000000 52")
        sock.sendall(struct.pack("<ii1s", 4, 7, b"-"))
        assert sock.recv(100) == bytes.fromhex("fdffffff 00000000 52")


@pytest.mark.parametrize("said", [b"\xff\xff\xff\xff", struct.pack("<I", 9) + b"\0" * 9])
def test_whoStillSendsReadsWhyItIsOver(servers: Twistd, said: bytes) -> None:
    """After the answer to a fatal error a mebibyte comes, and is taken: a reset could overtake it."""
    import socket

    with socket.create_connection(("127.0.0.1", portOf(servers, "framed", "tcp")), PATIENCE) as sock:
        sock.sendall(said + b"\xff" * 4)
        assert sock.recv(9, socket.MSG_PEEK)
        for _ in range(64):
            sock.sendall(b"\xff" * (1 << 14))
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := sock.recv(100):
            answer += piece
        assert answer.endswith(struct.pack("<ii1s", 0, 0, b"E"))
