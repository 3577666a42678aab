"""
The lab as a process: everything from one file, found by one another, started and stopped together.
"""

from __future__ import annotations

import json
import re
import signal
import socket
from pathlib import Path

import pytest

from tests.integration.processes import BIN, Running, Twistd, eventually, labnet, student

#: A calculation as a student writes it: one connection, one recv, native struct.
STUDENT = """
import socket, struct, sys
client = socket.socket()
client.connect(("127.0.0.1", int(sys.argv[1])))
client.sendall(struct.pack("ii1s", 12, 34, b"+"))
print(struct.unpack("ii1s", client.recv(16))[0])
"""

CHAIN = """
[discovery]
listen = "udp:0"

[calculator]
listen = ["tcp:0", "udp:0"]

[relay]
listen = "tcp:0"
"""


def lab(directory: Path, text: str, *arguments: str) -> Twistd:
    """A running lab of that file."""
    directory.joinpath("lab.toml").write_text(text)
    return Twistd(directory, "labnet", "--config", "lab.toml", *arguments)


def test_theServersFindOneAnother(tmp_path: Path) -> None:
    """
    Nothing is said about who is where, and every port is the system's choice: the calculator still
    registers with the lab's address server, and the relay still asks the lab's calculator.
    """
    with lab(tmp_path, CHAIN) as running:
        running.waitFor("labnet is ready$")
        calculator = running.port("calculator")
        server = f"udp:127.0.0.1:{running.port('discovery', 'udp')}"
        running.waitFor(rf"calculator is registered as 127\.0\.0\.1:{calculator} ")
        assert labnet("discovery", "--ask", server).stdout == f"127.0.0.1:{calculator}\n"
        assert labnet("calculator", "--discover", server, "12 + 34").stdout == "46\n"
        assert student(STUDENT, str(running.port("relay"))).stdout == "46\n"


def test_theTableSaysWhatListensWhere(tmp_path: Path) -> None:
    """Each listener has a row with its service, which of several it is, and its real address."""
    text = (
        '[discovery]\nlisten = "udp:0"\n'
        '[[calculator]]\nlisten = ["tcp:0", "udp:0"]\n[[calculator]]\nlisten = "net=tcp:0"\n'
    )
    with lab(tmp_path, text) as running:
        running.waitFor("labnet is ready$")
        udp, net = running.port("calculator", "udp"), running.port("calculator (net)")
        rows = [re.split(r"#info\] ", line)[1].split() for line in running.output if "LabService" in line]
    assert rows == [
        ["service", "detail", "address"],
        ["discovery", rows[1][1]],
        ["calculator", "[1]", "struct9", rows[2][3]],
        ["calculator", "[1]", "struct9", f"udp:127.0.0.1:{udp}"],
        ["calculator", "[2]", "net", f"tcp:127.0.0.1:{net}"],
        ["labnet", "is", "ready"],
    ]


def test_twoDialectsAreTwoNames(tmp_path: Path) -> None:
    """A client that asks for the calculator is never sent to one that speaks another dialect."""
    text = (
        '[discovery]\nlisten = "udp:0"\n'
        '[[calculator]]\nlisten = "tcp:0"\nprofile = "net"\n[[calculator]]\nlisten = "tcp:0"\n'
    )
    with lab(tmp_path, text) as running:
        running.waitFor("calculator is registered")
        running.waitFor("calculator-net is registered")
        server = f"udp:127.0.0.1:{running.port('discovery', 'udp')}"
        asked = labnet("calculator", "--discover", server, "--name", "calculator-net", "-p", "net", "7 / 2")
        assert asked.stdout == "3.5\n"
        assert labnet("calculator", "--discover", server, "7 / 2").stdout == "3\n"


def test_theCalculatorLeavesBeforeTheAddressServer(tmp_path: Path) -> None:
    """On SIGTERM each stops before what it uses, so the address is taken away."""
    with lab(tmp_path, CHAIN) as running:
        running.waitFor("calculator is registered")
        # twistd ends by the signal it was sent, once everything has ended.
        assert running.stop() == -signal.SIGTERM
        assert re.search(r"calculator: 127\.0\.0\.1:\d+ left", running.text), running.text


def test_aPortInUseEndsTheLab(tmp_path: Path) -> None:
    """Status 1 and one line that says which server and which port; nothing is ready."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = f'[discovery]\nlisten = "udp:0"\n[calculator]\nlisten = "tcp:{port}"\n'
        with lab(tmp_path, text) as running:
            assert running.wait() == 1
    said = [line for line in running.output if str(port) in line]
    assert len(said) == 1
    assert said[0].endswith(f"calculator: cannot listen on 127.0.0.1:{port}: Address already in use")
    assert "labnet is ready" not in running.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[calculator]\nprofile = "nett"\n',
            r"lab\.toml: calculator\.profile: 'nett' is none of struct9, ",
        ),
        ("[calculator\n", r"lab\.toml: not TOML: .*line 1"),
        ("[chess]\n", r"lab\.toml: chess: no such service; allowed are discovery, "),
    ],
)
def test_aMistakeInTheFileEndsTheLab(tmp_path: Path, text: str, said: str) -> None:
    """Status 1 and one line, with every Twisted."""
    with lab(tmp_path, text) as running:
        assert running.wait() == 1
    (line,) = running.output
    assert re.match(f"labnet: {said}", line)


def test_theLogForMachines(tmp_path: Path) -> None:
    """Every line is a JSON object, and the table's rows have fields."""
    with lab(tmp_path, CHAIN, "--json-logs") as running:
        running.waitFor("labnet is ready")
        running.stop()
    events = [json.loads(line) for line in running.output]
    addresses = [
        event["address"] for event in events if "LabService" in event["source"] and event.get("detail")
    ]
    assert [address.rpartition(":")[0] for address in addresses] == [
        "tcp:127.0.0.1",
        "udp:127.0.0.1",
        "tcp:127.0.0.1",
    ]
    assert [event["text"] for event in events if event["text"] == "labnet is ready"]


def test_underTwist(tmp_path: Path) -> None:
    """C{twist} never calls C{privilegedStartService}, and logs to standard output by itself."""
    tmp_path.joinpath("lab.toml").write_text(CHAIN)
    with Running(
        [str(BIN / "twist"), "--log-format=text", "labnet", "--config", "lab.toml"], cwd=tmp_path
    ) as running:
        running.waitFor("calculator is registered")
        port = int(running.waitFor(r"calculator .* listens on tcp:.*:(\d+)$")[1])
        assert student(STUDENT, str(port)).stdout == "46\n"
        running.stop()
    assert "Traceback" not in running.text


def test_asADaemonItWritesItsLogIntoAFile(tmp_path: Path) -> None:
    """Without C{-n} it goes into the background, and is ended by its process id file."""
    tmp_path.joinpath("lab.toml").write_text(CHAIN)
    command = ["--pidfile=lab.pid", "--logfile=lab.log", "labnet", "--config", "lab.toml"]
    with Running([str(BIN / "twistd"), *command], cwd=tmp_path) as starting:
        assert starting.wait() == 0
    log, pid = tmp_path / "lab.log", tmp_path / "lab.pid"
    try:
        eventually(lambda: log.exists() and "labnet is ready" in log.read_text(), "the lab is ready")
    finally:
        student("import os, signal, sys; os.kill(int(sys.argv[1]), signal.SIGTERM)", pid.read_text())
    eventually(lambda: not pid.exists(), "the daemon ends")
    assert "Traceback" not in log.read_text()
