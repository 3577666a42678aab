"""
What a lab has recorded, read by tshark: what was said, and that nothing about the packets is wrong.
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.processes import ENVIRONMENT, PATIENCE, Twistd, labnet, need

LAB = """
trace-file = "lab.jsonl"

[web]
listen = "tcp:0"

[proxy]
listen = "tcp:0"
block = "Hello"

[calculator]
listen = ["tcp:0:interface=\\\\:\\\\:1", "udp:0", "net=unix:calculator"]

[echo]
listen = ["raw=tcp:0", "raw=udp:0"]

[dashboard]
listen = "tcp:0"
"""


class Recorded:
    """A lab in which something was said, and the file of it."""

    def __init__(self, folder: Path) -> None:
        folder.joinpath("lab.toml").write_text(LAB)
        self.folder = folder
        self.file = folder / "lab.pcapng"
        with Twistd(folder, "labnet", "--config", "lab.toml") as lab:
            lab.waitFor("labnet is ready")
            self.url = lab.waitFor(r"dashboard: (http\S+)")[1]
            web, proxy = lab.port("web"), lab.port("proxy")
            plain, blocked = f"http://127.0.0.1:{web}/", f"http://127.0.0.1:{web}/?Hello"
            assert labnet("get", plain).returncode == 0
            assert labnet("get", "-x", f"http://127.0.0.1:{proxy}", blocked).returncode == 0
            for where, *words in (
                (rf"tcp:\:\:1:{lab.port('calculator', 'tcp')}", "12", "+", "34"),
                (f"udp:127.0.0.1:{lab.port('calculator', 'udp')}", "5", "*", "6"),
                (f"unix:{folder / 'calculator'}", "--profile", "net", "7", "-", "4"),
            ):
                assert labnet("calculator", "--connect", where, *words).returncode == 0
            self._reset(lab.port("echo"))
            self._send(lab.port("echo", "udp"))
            self.exported = labnet("export", str(self.file), "--dashboard", self.url)
            self.again = labnet("export", str(self.file), "--dashboard", self.url)
            self.nobody = labnet("export", str(folder / "no"), "--dashboard", self.url, "--service", "chat")
            self.stranger = labnet("export", str(folder / "no"), "--dashboard", self.url + "x")
            self.figures = labnet("get", self.url.replace("/?", "/metrics?"), "--quiet").stdout

    @staticmethod
    def _reset(port: int) -> None:
        """A client that leaves with a RST."""
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"hello")
            assert client.recv(1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    @staticmethod
    def _send(port: int) -> None:
        """A client whose datagram is more than the trace keeps of a piece."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE)
            client.sendto(bytes(30_000), ("127.0.0.1", port))
            assert len(client.recv(65_535)) == 30_000

    def tshark(self, *arguments: str, file: str = "") -> list[str]:
        """What tshark says about the file, in lines."""
        checked = [f"{name}.check_checksum:TRUE" for name in ("ip", "tcp", "udp")]
        command = [need("tshark"), "-r", file or str(self.file)]
        command += [word for option in checked for word in ("-o", option)]
        ended = subprocess.run(
            [*command, *arguments],
            capture_output=True,
            text=True,
            env=ENVIRONMENT,
            timeout=PATIENCE,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.splitlines()

    def fields(self, shown: str, *names: str) -> list[list[str]]:
        """The values of these fields, for each packet that the filter shows."""
        wanted = [word for name in names for word in ("-e", name)]
        rows = self.tshark("-Y", shown, "-T", "fields", "-E", "occurrence=a", *wanted)
        return [row.split("\t") for row in rows]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    need("tshark")
    return Recorded(tmp_path_factory.mktemp("lab"))


def test_HTTPIsTakenApart(recorded: Recorded) -> None:
    """Requests and responses, those of the proxy among them."""
    requests = recorded.fields("http.request", "http.request.method", "http.request.uri")
    assert [method for method, _ in requests] == ["GET"] * 3
    assert [uri.endswith("/?Hello") for _, uri in requests] == [False, True, True]
    assert recorded.fields("http.response", "http.response.code") == [["200"], ["200"], ["404"]]
    ((body, interface),) = recorded.fields(
        "http.response.code == 404", "http.file_data", "frame.interface_name"
    )
    assert "Hello" in body
    assert interface == "proxy (forward)"


def test_nothingAboutThePacketsIsWrong(recorded: Recorded) -> None:
    """Neither a checksum nor a number; the one reset, which was one, is all that there is to remark."""
    assert recorded.fields("_ws.malformed || tcp.analysis.flags", "frame.number") == []
    for protocol in ("ip", "tcp", "udp"):
        assert recorded.fields(f"{protocol}.checksum.status == 0", "frame.number") == []
    warnings = recorded.fields("_ws.expert.severity >= 0x600000", "_ws.expert.message")
    assert all("Connection reset (RST)" in message for (message,) in warnings)
    assert recorded.fields("tcp.checksum.status == 1", "frame.number")
    assert recorded.fields("ip.checksum.status == 1", "frame.number")


def test_datagrams(recorded: Recorded) -> None:
    """Those that were cut are as long as they were; their checksum, which nobody knows, is not there."""
    shown = recorded.fields("udp", "udp.length", "udp.checksum", "udp.checksum.status", "frame.cap_len")
    assert [row[0] for row in shown] == ["17", "17", "30008", "30008"]
    assert [row[2] for row in shown[:2]] == ["1", "1"]
    assert [row[1] for row in shown[2:]] == ["0x0000", "0x0000"]
    assert [row[3] for row in shown] == ["37", "37", "16412", "16412"]


def test_whatTheCommentsSay(recorded: Recorded) -> None:
    """Every packet is synthetic; what the bytes mean, what was cut, and what is made up is said."""
    rows = recorded.fields("frame", "frame.comment")
    assert all(row[0].startswith("synthetic: ") for row in rows)
    every = "\n".join(row[0] for row in rows)
    for said in ("request 1: 12 + 34", "reply 1: 46", "request 1: 5 * 6", "request 1: 7 - 4"):
        assert said in every
    assert "a UNIX socket" in every
    assert "cut: of 30000 bytes the trace has kept 16384" in every
    assert "notice: " in every
    (six,) = {address for row in recorded.fields("ipv6", "ipv6.addr") for address in row[0].split(",")}
    assert six == "::1"


def test_theEnds(recorded: Recorded) -> None:
    """Every connection begins with a handshake, and ends as it did. Others of this machine may look in."""
    begun = recorded.fields("tcp.flags.syn == 1 && tcp.flags.ack == 0", "tcp.stream")
    ended = recorded.fields("tcp.flags.fin == 1 || tcp.flags.reset == 1", "tcp.stream")
    assert len(begun) >= 6
    assert {stream for (stream,) in ended} == {stream for (stream,) in begun}
    echo = 'frame.interface_name == "echo (raw)" && tcp.flags.reset == 1'
    assert recorded.fields(echo, "frame.number")


def test_theCommand(recorded: Recorded) -> None:
    """It says nothing when all is well, replaces nothing, and has a sentence for what goes wrong."""
    assert (recorded.exported.returncode, recorded.exported.stdout, recorded.exported.stderr) == (0, "", "")
    assert recorded.again.returncode == 2
    assert recorded.again.stderr.endswith("lab.pcapng is there already; --replace replaces it\n")
    assert recorded.nobody.returncode == 1
    assert "There are no such conversations" in recorded.nobody.stderr
    assert recorded.stranger.returncode == 2
    assert "the dashboard answered 401" in recorded.stranger.stderr
    assert not recorded.folder.joinpath("no").exists()
    assert not list(recorded.folder.glob("*.part"))


def test_theTracesOwnFile(recorded: Recorded) -> None:
    """It makes the same file, filtered, into a pipe; and each of its lines is an object."""
    lines = recorded.folder.joinpath("lab.jsonl").read_text().splitlines()
    assert {json.loads(line)["service"] for line in lines} == {"calculator", "web", "proxy", "echo"}
    export = [sys.executable, "-m", "labnet", "export", "-", "--trace", "lab.jsonl", "--service", "web"]
    tshark = [need("tshark"), "-r", "-", "-Y", "http", "-T", "fields", "-e", "_ws.col.Info"]
    with subprocess.Popen(
        export, stdout=subprocess.PIPE, cwd=recorded.folder, env=ENVIRONMENT
    ) as exporting:
        shown = subprocess.run(
            tshark, stdin=exporting.stdout, capture_output=True, text=True, timeout=PATIENCE, check=True
        ).stdout
        assert exporting.wait(PATIENCE) == 0
    assert [row.split(" ")[0] for row in shown.splitlines()] == ["GET", "HTTP/1.0"] * 2
    whole = labnet(
        "export", str(recorded.folder / "again.pcapng"), "--trace", str(recorded.folder / "lab.jsonl")
    )
    assert whole.returncode == 0
    again = recorded.tshark(
        "-T", "fields", "-e", "frame.comment", file=str(recorded.folder / "again.pcapng")
    )
    assert again == recorded.tshark("-T", "fields", "-e", "frame.comment")


def test_theFigures(recorded: Recorded) -> None:
    """On the dashboard's port, of every service of the lab."""
    found = {
        (sample.name, sample.labels["service"], sample.labels["detail"]): sample.value
        for family in text_string_to_metric_families(recorded.figures)
        for sample in family.samples
        if sample.name.startswith(("labnet_connections", "labnet_datagrams", "labnet_listener_up"))
        and "reason" not in sample.labels
    }
    assert found["labnet_connections_total", "web", ""] >= 2
    assert found["labnet_connections_total", "proxy", "forward"] >= 1
    assert found["labnet_datagrams_answered_total", "calculator", "struct9"] >= 1
    assert found["labnet_connections_open", "dashboard", ""] >= 1
    up = [service for (name, service, _), value in found.items() if name == "labnet_listener_up" and value]
    assert set(up) == {"web", "proxy", "calculator", "echo", "dashboard"}
    assert "labnet_proxy_blocked_total{" in recorded.figures
