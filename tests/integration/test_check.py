"""
The examiner as a command: its statuses and files, and programs that would harm it if they could. None of
them hangs it, none of them survives it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labnet.check.unread import Progress, listens, progress
from tests.integration.processes import BIN, Running, eventually, labnet

PROGRAMS = Path(__file__).parents[1] / "check" / "programs" / "calculator"
SERVER = [sys.executable, str(PROGRAMS / "correct_selector_server.py")]
CLIENT = [sys.executable, str(PROGRAMS / "correct_asking_client.py")]
PLACE = ["{host}", "{port}"]
QUICK = ["--timeout", "2", "--idle", "0.3", "--again", "0", "--seed", "1"]
#: Of programs that are ended for what they do.
PATIENT = ["--timeout", "20"]


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    return labnet("check", "calculator", *arguments)


def examine(tmp_path: Path, source: str, *options: str, side: str = "server") -> dict[str, object]:
    """The JSON report of a program that is given as text; its first argument is a file it may write."""
    program = tmp_path / "program.py"
    program.write_text(source)
    what = ["--client"] if side == "client" else ["--server", "tcp:127.0.0.1:0"]
    command = [sys.executable, str(program), str(tmp_path / "note"), *PLACE]
    result = check(*what, *QUICK, "--format", "json", *options, "--", *command)
    assert result.stderr == "", result.stderr
    report: dict[str, object] = json.loads(result.stdout)
    return report


def ids(report: dict[str, object]) -> list[str]:
    mistakes = report["mistakes"]
    assert isinstance(mistakes, list)
    return [mistake["id"] for mistake in mistakes]


def isGone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"


# As a command


def test_aServerThatIsStartedForIt() -> None:
    result = check("--server", "tcp:127.0.0.1:0", "--only", "plain,segmentation", "--", *SERVER, *PLACE)
    assert (result.returncode, result.stderr) == (0, "")
    assert re.search(
        r"^(\d+) of \1 scenarios passed, \1 of \1 points \(100 %\)", result.stdout, re.MULTILINE
    )
    assert "\x1b" not in result.stdout


LISTENING = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print("port", server.getsockname()[1], flush=True)
held = [server.accept() for _ in sys.argv[1:]]
sys.stdin.read()
"""


def test_aServerThatRunsAlready() -> None:
    with Running([sys.executable, "-c", LISTENING, "accepts"], stdin=subprocess.PIPE) as silent:
        port = silent.waitFor(r"port (\d+)")[1]
        result = check("--server", f"tcp:127.0.0.1:{port}", "--timeout", "0.2", "--again", "0")
    assert result.returncode == 1
    assert "nothing came" in result.stdout
    assert "not run" in result.stdout


def test_aClientOnAFixedPort() -> None:
    """Its scenarios are played one after the other, for there is one port."""
    with Running([sys.executable, "-c", LISTENING], stdin=subprocess.PIPE) as finding:
        port = finding.waitFor(r"port (\d+)")[1]
    result = check("--client", "--port", port, "--only", "plain,reset", "--", *CLIENT, "127.0.0.1", port)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout


HASTY = """
import socket, struct, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as server:
    server.sendall(struct.pack("ii1s", 12, 34, b"+"))
    print(struct.unpack("ii1s", server.recv(9))[0])
"""


def test_aClientThatFailsOnAFixedPort() -> None:
    """It is run again as soon as it has ended, and the port is free by then."""
    with Running([sys.executable, "-c", LISTENING], stdin=subprocess.PIPE) as finding:
        port = finding.waitFor(r"port (\d+)")[1]
    client = [sys.executable, "-c", HASTY, "127.0.0.1", port]
    result = check("--client", "--port", port, "--only", "plain,answer-cut", "--", *client)
    assert (result.returncode, result.stderr) == (1, ""), result.stderr
    assert "[short-recv]" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["--server", "tcp:127.0.0.1:1"], 3, "nobody listens on tcp:127.0.0.1:1"),
        (["--client", "--", "no-such-program"], 2, "there is no program 'no-such-program'"),
    ],
)
def test_whatGoesWrongIsOneLineAndAStatus(arguments: list[str], status: int, sentence: str) -> None:
    result = check(*arguments)
    assert (result.returncode, result.stdout) == (status, "")
    assert result.stderr == f"labnet check: {sentence}\n"


@pytest.mark.parametrize(("form", "beginning"), [("junit", "<?xml"), ("html", "<!DOCTYPE html>")])
def test_theReportInAFile(tmp_path: Path, form: str, beginning: str) -> None:
    """On the terminal there is the last line."""
    path = tmp_path / "report"
    command = ["--server", "tcp:127.0.0.1:0", "--only", "one-calculation", "--format", form]
    result = check(*command, "--output", str(path), "--", *SERVER, *PLACE)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("1 of 1 scenario passed, 1 of 1 points (100 %)")
    assert path.read_text().startswith(beginning)


def test_aSeedMakesTheSameRunAgain() -> None:
    wrong = [sys.executable, str(PROGRAMS / "short_recv_server.py"), *PLACE]

    def said(seed: str) -> list[object]:
        options = ["--server", "tcp:127.0.0.1:0", "--only", "byte-by-byte", "--format", "json"]
        result = check(*options, *QUICK[:-1], seed, "--", *wrong)
        (scenario,) = json.loads(result.stdout)["scenarios"]
        return [step for step in scenario["steps"] if step["who"] == "examiner"]

    assert said("7") == said("7")


def test_whatPassesTheSecondTimeIsUnsteady(tmp_path: Path) -> None:
    """It gets its points, and is shown."""
    source = """
import os, runpy, sys
if not os.path.exists(sys.argv[1]):
    open(sys.argv[1], "w").close()
    sys.exit("not today")
sys.argv = sys.argv[1:]
"""
    source += f"runpy.run_path({SERVER[1]!r}, run_name='__main__')"
    report = examine(tmp_path, source, "--only", "plain", "--again", "1")
    first, *others = report["scenarios"]  # type: ignore[misc]
    assert (first["outcome"], first["attempts"], first["output"]) == ("unsteady", 2, "not today")
    assert {one["outcome"] for one in others} == {"passed"}
    assert report["passed"] is True


def test_aRunningServerThatDies(tmp_path: Path) -> None:
    """Nobody can start it again, so the rest is not examined: it is not to blame for what it can not do."""
    program = PROGRAMS / "input_kills_server.py"
    with Running([sys.executable, "-c", LISTENING], stdin=subprocess.PIPE) as finding:
        port = finding.waitFor(r"port (\d+)")[1]
    server = Running([sys.executable, str(program), "127.0.0.1", port])
    eventually(lambda: listens("127.0.0.1", int(port), "tcp"), "it listens")
    options = ["--server", f"tcp:127.0.0.1:{port}", "--only", "one-calculation,input"]
    report = json.loads(check(*options, *QUICK, "--format", "json").stdout)
    server.wait()
    assert [one["outcome"] for one in report["scenarios"]] == ["passed", "failed", *["not examined"] * 2]
    assert ids(report) == ["input-kills"]


# Programs that would do harm


def test_aProgramThatCrashesAtOnce(tmp_path: Path) -> None:
    """Its last words are in the report, and what it did not do is not run."""
    report = examine(tmp_path, "raise SystemExit('no configuration')")
    assert ids(report) == ["not-started"]
    first, *others = report["scenarios"]  # type: ignore[misc]
    assert "no configuration" in first["output"]
    assert {one["outcome"] for one in others} == {"not examined"}


def test_aProgramThatNeverListens(tmp_path: Path) -> None:
    assert ids(examine(tmp_path, "import time\ntime.sleep(1000)", "--timeout", "0.3")) == ["not-started"]


FLOODS = "while True: print('x' * 1000)"


def test_outputWithoutEnd(tmp_path: Path) -> None:
    report = examine(tmp_path, FLOODS, *PATIENT)
    assert ids(report) == ["endless-output"]
    assert len(json.dumps(report)) < 1_000_000


def test_moreMemoryThanThereIs(tmp_path: Path) -> None:
    source = "x = []\nwhile True: x.append(bytearray(b'x' * 1000000))"
    report = examine(tmp_path, source, "--memory", "64", *PATIENT)
    assert ids(report) == ["too-much-memory"]


def test_processesWithoutEnd(tmp_path: Path) -> None:
    """A hundred of them, each in a session of its own; none is left."""
    report = examine(
        tmp_path,
        """
import os, sys, time
with open(sys.argv[1], "w") as file:
    file.write(str(os.getpid()))
for _ in range(300):
    if os.fork() == 0:
        os.setsid()
        time.sleep(1000)
time.sleep(1000)
""",
        *PATIENT,
    )
    assert ids(report) == ["endless-forks"]
    assert isGone(int((tmp_path / "note").read_text()))


DAEMON = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        os.chdir("/")
        for descriptor in range(3):
            os.close(descriptor)
        with open(sys.argv[1] + "~", "w") as file:
            file.write(str(os.getpid()))
        os.rename(sys.argv[1] + "~", sys.argv[1])
        time.sleep(1000)
    os._exit(0)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
"""


HANGS = "time.sleep(1000)"
ENDINGS = ["", FLOODS, f"os.kill(os.getppid(), signal.SIGTERM)\n{FLOODS}"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_aDaemonDoesNotSurvive(tmp_path: Path, ending: str) -> None:
    """One that has left its session, whose parent has ended or is ended, and that takes no signal."""
    examine(tmp_path, DAEMON + ending, *PATIENT, "--only", "plain")
    assert isGone(int((tmp_path / "note").read_text()))


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[tuple[Running, Path]]:
    """An examiner that waits for a client that hangs, and the file with the pid of that client's daemon."""
    program, note = tmp_path / "program.py", tmp_path / "note"
    program.write_text(DAEMON + HANGS)
    options = ["--client", "--only", "plain", "--timeout", "100", "--idle", "100"]
    command = [*options, "--", sys.executable, str(program), str(note)]
    running = Running([str(BIN / "labnet"), "check", "calculator", *command])
    eventually(note.exists, "the program has started")
    yield running, note
    eventually(lambda: isGone(int(note.read_text())), "the program has ended")


def test_nothingSurvivesTheExaminer(hanging: tuple[Running, Path]) -> None:
    """Also not when that is killed in the middle."""
    examiner, _ = hanging
    examiner.process.send_signal(signal.SIGKILL)
    assert examiner.wait() == -signal.SIGKILL


def test_interrupted(hanging: tuple[Running, Path]) -> None:
    examiner, _ = hanging
    assert examiner.stop(signal.SIGINT) == 130


def test_aProgramThatKillsItsKeeper(tmp_path: Path) -> None:
    source = "import os, signal, sys, time\nopen(sys.argv[1], 'w').write(str(os.getpid()))\n"
    report = examine(tmp_path, source + "os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(1000)")
    assert report["passed"] is False
    eventually(lambda: isGone(int((tmp_path / "note").read_text())), "the program has ended")


def test_anAnswerWithoutEnd(tmp_path: Path) -> None:
    """What a server sends is bounded, too."""
    report = examine(
        tmp_path,
        """
import socket, sys
server = socket.create_server((sys.argv[2], int(sys.argv[3])))
while True:
    client, _ = server.accept()
    try:
        while True:
            client.sendall(b"0" * 65536)
    except OSError:
        pass
""",
        "--profile", "text",
    )  # fmt: skip
    first, *_ = report["scenarios"]  # type: ignore[misc]
    assert first["outcome"] == "failed"
    assert len(first["exhibit"]["came"]) <= 2 * 4096


def test_aClientThatNeverEnds(tmp_path: Path) -> None:
    source = """
import socket, struct, sys, time
server = socket.create_connection((sys.argv[2], int(sys.argv[3])))
server.sendall(struct.pack("<ii1s", 12, 34, b"+"))
print(struct.unpack("<ii1s", server.recv(9)))
time.sleep(1000)
"""
    report = examine(tmp_path, source, "--only", "answer-and-end", side="client")
    assert ids(report) == ["ignores-end"]


def test_whatIsPrintedColoursNoTerminal(tmp_path: Path) -> None:
    source = r"print('\x1b[31mred \x9b31m \u202e <b>&', flush=True); raise SystemExit(1)"
    for form in ("text", "html", "junit"):
        program = tmp_path / "program.py"
        program.write_text(source)
        result = check("--client", *QUICK, "--format", form, "--", sys.executable, str(program))
        assert result.returncode == 1
        assert not set(result.stdout) & {"\x1b", "\x9b", "\u202e"}
        if form != "text":
            assert "<b>" not in result.stdout


# What the kernel tells


def test_howFarAProgramHasRead() -> None:
    """Bytes that have arrived, and those of them that wait; nothing of a connection that there is not."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert listens(*server.getsockname(), "tcp") is True
        assert listens(*server.getsockname(), "udp") is False
        with socket.create_connection(server.getsockname()) as client, server.accept()[0] as accepted:
            client.sendall(b"12345")
            ends = client.getsockname(), client.getpeername()
            eventually(lambda: progress(*ends) == Progress(5, 5), "five bytes have arrived")
            accepted.recv(2)
            assert progress(*ends) == Progress(5, 3)
            accepted.recv(9)
            assert progress(*ends) == Progress(5, 0)
        nowhere = "127.0.0.1", 1
        assert progress(nowhere, nowhere) is None
    assert listens("127.0.0.1", ends[1][1], "tcp") is False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        assert listens(*datagrams.getsockname(), "udp") is True
        assert listens("localhost", datagrams.getsockname()[1], "udp") is True
