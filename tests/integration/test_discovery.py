"""
The address server and its clients as real processes, against plain-socket programs as students write them.
"""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.integration.processes import Running, Twistd, eventually, labnet, student

ASK_A = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b"Hello server", ("127.0.0.1", int(sys.argv[1])))
data, _ = s.recvfrom(200)
host, port = data.decode().split(":")
print(host, int(port))
"""

ASK_B = """
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b"GET", ("127.0.0.1", int(sys.argv[1])))
data, _ = s.recvfrom(struct.calcsize("15si"))
host, port = struct.unpack("15si", data)
print(host.decode().strip("\\x00"), port)
"""

REGISTER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server = ("127.0.0.1", int(sys.argv[1]))
def say(line):
    s.sendto(line.encode(), server)
    print(s.recvfrom(512)[0].decode())
say("REGISTER chat 127.0.0.1:9999 60")
say("RENEW chat 127.0.0.1:9999")
say("LOOKUP chat")
say("LIST")
say("UNREGISTER chat 127.0.0.1:9999")
say("LOOKUP chat")
"""

# It says on which port, because the system has chosen it, and answers one question.
SERVER_A = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print("port", s.getsockname()[1])
data, who = s.recvfrom(200)
if data == b"Hello server":
    s.sendto("localhost:9000".encode(), who)
"""

SERVER_B = """
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print("port", s.getsockname()[1])
data, who = s.recvfrom(3)
if data == b"GET":
    s.sendto(struct.pack("15si", b"localhost", 9000), who)
"""

CALCULATE = """
import socket, struct, sys
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.sendto(b"Hello server", ("127.0.0.1", int(sys.argv[1])))
host, port = u.recvfrom(200)[0].decode().split(":")
t = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
t.connect((host, int(port)))
packer = struct.Struct("ii1s")
t.sendall(packer.pack(12, 34, b"+"))
print(packer.unpack(t.recv(packer.size))[0])
t.close()
"""


def printed(source: str, port: int) -> str:
    """What a student's program prints when it is given a port."""
    done = student(source, str(port))
    assert done.returncode == 0, done.stderr
    return done.stdout


def answered(*arguments: str) -> str:
    """What our command prints."""
    done = labnet("discovery", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def serving(directory: Path, *options: str) -> Twistd:
    return Twistd(directory, "labnet-discovery", "--listen", "udp:0", *options)


@pytest.mark.parametrize("source", [ASK_A, ASK_B])
def test_aStudentsClientGetsTheAddress(tmp_path: Path, source: str) -> None:
    with serving(tmp_path) as server:
        assert printed(source, server.port("discovery", "udp")) == "localhost 9000\n"


def test_aStudentsProgramRegistersAService(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        lines = printed(REGISTER, server.port("discovery", "udp"))
        assert lines == "OK 60\nOK 60\n127.0.0.1:9999\nchat\nOK 0\nNONE\n"
        server.waitFor(r"chat: 127\.0\.0\.1:9999 joined for 60 s")
        server.waitFor(r"chat: 127\.0\.0\.1:9999 left")


def test_theProgramInTheDocumentationDoesWhatItSays(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/protocols/discovery.md").read_text()
    program = page.partition("```python\n")[2].partition("```")[0]
    with serving(tmp_path) as server:
        done = student(program.replace("10001", str(server.port("discovery", "udp"))))
        first, second = done.stdout.splitlines()
        assert f"prints `{first}` and `{second}`." in page


@pytest.mark.parametrize(("source", "form"), [(SERVER_A, "A"), (SERVER_B, "B")])
def test_ourClientAsksAStudentsServer(source: str, form: str) -> None:
    with Running([sys.executable, "-c", source]) as server:
        port = server.waitFor(r"port (\d+)")[1]
        assert answered("--ask", f"udp:127.0.0.1:{port}", "--form", form) == "localhost:9000\n"


def test_ourClientAsksOurServer(tmp_path: Path) -> None:
    with serving(tmp_path, "--address", "pc-17:7007") as server:
        ask = ("--ask", f"udp:localhost:{server.port('discovery', 'udp')}")
        assert answered(*ask) == "pc-17:7007\n"
        assert answered(*ask, "--form", "B") == "pc-17:7007\n"
        assert answered(*ask, "--register", "echo=127.0.0.1:7007", "--ttl", "60") == "60\n"
        assert answered(*ask, "--list") == "echo\n"
        assert answered(*ask, "--lookup", "echo") == "127.0.0.1:7007\n"
        assert answered(*ask, "--unregister", "echo=127.0.0.1:7007") == ""
        missing = labnet("discovery", *ask, "--lookup", "echo")
        assert (missing.returncode, missing.stdout) == (1, "")
        assert missing.stderr == "labnet discovery: nothing is registered as echo\n"


def test_ourClientAsPlugin(tmp_path: Path) -> None:
    """C{twistd labnet-discovery-client} prints the answer and ends with its status."""
    with serving(tmp_path) as server:
        ask = f"udp:127.0.0.1:{server.port('discovery', 'udp')}"
        directory = tmp_path / "client"
        directory.mkdir()
        with Twistd(directory, "labnet-discovery-client", "--ask", ask) as client:
            assert client.wait() == 0
            assert "localhost:9000" in client.output
        with Twistd(directory, "labnet-discovery-client", "--ask", ask, "--lookup", "x") as client:
            assert client.wait() == 1


def test_nobodyThereIsOneLineAndAStatusOfItsOwn() -> None:
    """A port that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    done = labnet("discovery", "--ask", f"udp:127.0.0.1:{port}")
    assert done.returncode == 3
    assert done.stderr.startswith("labnet discovery: connection refused")
    assert done.stderr.count("\n") == 1


def test_silenceIsOneLineAndAStatusOfItsOwn() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        ask = f"udp:127.0.0.1:{silent.getsockname()[1]}"
        done = labnet("discovery", "--ask", ask, "--timeout", "0.05", "--tries", "2")
    assert done.returncode == 4
    assert done.stderr.startswith("labnet discovery: timed out")
    assert done.stderr.count("\n") == 1


# The chain: a calculator registers, a client asks and calculates.


def calculating(directory: Path, port: int, *options: str) -> Twistd:
    directory.mkdir()
    register = f"udp:127.0.0.1:{port}"
    return Twistd(directory, "labnet-calculator", "--listen", "tcp:0", "--register", register, *options)


def test_theChainFromTheCalculatorToAStudentsClient(tmp_path: Path) -> None:
    with serving(tmp_path, "--address", "") as discovery:
        port = discovery.port("discovery", "udp")
        with calculating(tmp_path / "calculator", port) as calculator:
            at = calculator.port("calculator")
            discovery.waitFor(rf"calculator: 127\.0\.0\.1:{at} joined")
            assert printed(CALCULATE, port) == "46\n"
            found = labnet("calculator", "--discover", f"udp:127.0.0.1:{port}", "12", "+", "34")
            assert (found.returncode, found.stdout) == (0, "46\n"), found.stderr
            named = labnet(
                "calculator", "--discover", f"udp:127.0.0.1:{port}", "--name", "calculator", "12 + 34"
            )
            assert (named.returncode, named.stdout) == (0, "46\n"), named.stderr
            # SIGTERM: it leaves at once, long before its lease ends.
            assert calculator.stop() == -signal.SIGTERM
            discovery.waitFor(rf"calculator: 127\.0\.0\.1:{at} left")
        assert answered("--ask", f"udp:127.0.0.1:{port}", "--list") == ""


def test_calculatorsTakeTurns(tmp_path: Path) -> None:
    with serving(tmp_path) as discovery:
        port = discovery.port("discovery", "udp")
        with calculating(tmp_path / "one", port) as one, calculating(tmp_path / "two", port) as two:
            both = {one.port("calculator"), two.port("calculator")}
            for at in both:
                discovery.waitFor(rf"calculator: 127\.0\.0\.1:{at} joined")
            asked = [int(printed(ASK_A, port).split()[1]) for _ in range(4)]
            assert asked[:2] == asked[2:]
            assert set(asked) == both


def test_aCalculatorStartedFirstRegistersOnceTheAddressServerIsThere(tmp_path: Path) -> None:
    """It runs without; one line says that the address server is missing, one that it is back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
        with calculating(tmp_path / "calculator", port) as calculator:
            calculator.waitFor(r"address server .* is lost")
            chosen.close()
            where = ("labnet-discovery", "--listen", f"udp:{port}")
            with Twistd(tmp_path, *where) as discovery:
                discovery.waitFor("calculator: .* joined")
                calculator.waitFor(r"address server .* is back")
            assert calculator.text.count("is lost") == 1


def test_aCalculatorOnAllInterfacesRegistersAnAddressThatCanBeReached(tmp_path: Path) -> None:
    with serving(tmp_path) as discovery:
        port = discovery.port("discovery", "udp")
        where = ("--listen", "tcp:0:interface=0.0.0.0")
        directory = tmp_path / "calculator"
        directory.mkdir()
        register = f"udp:127.0.0.1:{port}"
        with Twistd(directory, "labnet-calculator", *where, "--register", register):
            discovery.waitFor(r"calculator: 127\.0\.0\.1:\d+ joined")
            assert printed(CALCULATE, port) == "46\n"


def test_aStopIsNotHeldUpByAnAddressServerThatHasGone(tmp_path: Path) -> None:
    with serving(tmp_path) as discovery:
        port = discovery.port("discovery", "udp")
        with calculating(tmp_path / "calculator", port) as calculator:
            discovery.waitFor("calculator: .* joined")
            discovery.stop()
            assert calculator.stop() == -signal.SIGTERM


# Mistakes, and datagrams that are none.


def test_aPortInUseIsOneLineAndStatusOne(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with Twistd(tmp_path, "labnet-discovery", "--listen", f"udp:{port}") as server:
            assert server.wait() == 1
            server.waitFor(f"discovery: cannot listen on 127.0.0.1:{port}: ")


def test_aBadOptionIsOneLineAndStatusOne(tmp_path: Path) -> None:
    with Twistd(tmp_path, "labnet-discovery", "--listen", "tcp:10001") as server:
        assert server.wait() == 1
        server.waitFor("--listen: 'tcp:10001' is not of the form udp:PORT")


def test_itOutlivesEveryDatagramAndAnswersNoneOfThem(tmp_path: Path) -> None:
    """From nothing to the largest there is; what is answered next is the answer to the question."""
    nonsense = [b"", b"\0", b"GET\n", b"x" * 65507, b"\xc0\xaf", b"LIST\x00", bytes(20), b"localhost:9000",
                b"OK 30", b"NONE", b"ERROR no", b"a\nb\n...", b"Echo: GET"]  # fmt: skip
    with serving(tmp_path) as server:
        port = server.port("discovery", "udp")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(30)
            peer.connect(("127.0.0.1", port))
            for datagram in nonsense:
                peer.send(datagram)
            peer.send(b"Hello server")
            assert peer.recv(512) == b"localhost:9000"
        assert server.stop() == -signal.SIGTERM
        server.waitFor(rf"{len(nonsense)} discovery datagrams dropped: ")


def test_twoServersDoNotFeedEachOther(tmp_path: Path) -> None:
    """
    Each gets, from the other's port as it were, every reply the other can give. A forged source needs
    privileges; a go-between that hands the bytes over does the same.
    """
    questions = [b"Hello server", b"GET", b"LIST", b"LOOKUP chat", b"LOOKUP x", b"LOOKUP",
                 b"REGISTER chat 127.0.0.1:1 60", b"RENEW chat 127.0.0.1:1",
                 b"UNREGISTER x 127.0.0.1:1"]  # fmt: skip
    (tmp_path / "two").mkdir()
    with (
        serving(tmp_path) as one,
        serving(tmp_path / "two") as two,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
    ):
        peer.settimeout(30)
        ports = [one.port("discovery", "udp"), two.port("discovery", "udp")]
        for port, other in (ports, reversed(ports)):
            for question in questions:
                peer.sendto(question, ("127.0.0.1", port))
                reply, source = peer.recvfrom(2048)
                assert source[1] == port
                # The other one is silent, and then answers something else.
                peer.sendto(reply, ("127.0.0.1", other))
                peer.sendto(b"LOOKUP nobody", ("127.0.0.1", other))
                assert peer.recvfrom(2048) == (b"NONE", ("127.0.0.1", other))


def test_aFloodIsCutAndOthersAreStillAnswered(tmp_path: Path) -> None:
    """3,000 questions at once from one address; another address of this machine gets its answer."""
    with serving(tmp_path, "--datagram-rate", "50") as server:
        port = server.port("discovery", "udp")
        flooder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with flooder, other:
            flooder.bind(("127.0.0.2", 0))
            other.bind(("127.0.0.3", 0))
            other.settimeout(0.2)
            for _ in range(3000):
                flooder.sendto(b"Hello server", ("127.0.0.1", port))

            def isAnswered() -> bool:
                other.sendto(b"Hello server", ("127.0.0.1", port))
                try:
                    return other.recv(200) == b"localhost:9000"
                except TimeoutError:
                    return False

            eventually(isAnswered, "an answer to the other one")
        assert server.stop() == -signal.SIGTERM
        dropped = server.waitFor(r"discovery datagrams dropped: .*?(\d+) above the rate")
        assert int(dropped[1]) > 0
