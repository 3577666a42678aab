"""
What a lab has recorded, read by tshark: what was said, and that nothing about the packets is wrong.
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
from functools import cached_property
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

FIELDS = (
    "frame.interface_name", "frame.cap_len", "frame.comment", "ip.checksum.status", "ipv6.addr",
    "tcp.stream", "tcp.flags.syn", "tcp.flags.fin", "tcp.flags.reset", "tcp.analysis.flags",
    "tcp.checksum.status", "udp.length", "udp.checksum", "udp.checksum.status", "http.request.method",
    "http.request.uri", "http.response.code", "http.file_data", "_ws.malformed", "_ws.expert.severity",
    "_ws.expert.message",
)  # fmt: skip
#: What tshark warns of has this severity, or more.
WARNING = 0x600000


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

    @cached_property
    def packets(self) -> list[dict[str, str]]:
        """Each packet as tshark has taken it apart: the values by field, empty where there is none."""
        wanted = [word for name in FIELDS for word in ("-e", name)]
        rows = self.tshark("-T", "fields", "-E", "occurrence=a", *wanted)
        return [dict(zip(FIELDS, row.split("\t"), strict=True)) for row in rows]

    def values(self, *names: str) -> list[tuple[str, ...]]:
        """The values of these fields in the packets that have the first one."""
        return [tuple(packet[name] for name in names) for packet in self.packets if packet[names[0]]]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    need("tshark")
    return Recorded(tmp_path_factory.mktemp("lab"))


def test_HTTPIsTakenApart(recorded: Recorded) -> None:
    """Requests and responses, those of the proxy among them."""
    requests = recorded.values("http.request.method", "http.request.uri")
    assert [method for method, _ in requests] == ["GET"] * 3
    assert [uri.endswith("/?Hello") for _, uri in requests] == [False, True, True]
    responses = recorded.values("http.response.code", "frame.interface_name", "http.file_data")
    assert [response[:2] for response in responses] == [
        ("200", "web"),
        ("200", "web"),
        ("404", "proxy (forward)"),
    ]
    assert all("Hello" in body for _, _, body in responses)


def test_nothingAboutThePacketsIsWrong(recorded: Recorded) -> None:
    """Neither a checksum nor a number; the one reset, which was one, is all that there is to warn of."""
    assert recorded.values("_ws.malformed") == recorded.values("tcp.analysis.flags") == []
    for protocol in ("ip", "tcp", "udp"):
        statuses = [status for (status,) in recorded.values(f"{protocol}.checksum.status")]
        assert "1" in statuses
        assert "0" not in statuses
    warnings = [
        message
        for severities, message in recorded.values("_ws.expert.severity", "_ws.expert.message")
        if any(int(severity) >= WARNING for severity in severities.split(","))
    ]
    assert all("Connection reset (RST)" in message for message in warnings)


def test_datagrams(recorded: Recorded) -> None:
    """Those that were cut are as long as they were; their checksum, which nobody knows, is not there."""
    shown = recorded.values("udp.length", "udp.checksum", "udp.checksum.status", "frame.cap_len")
    assert [row[0] for row in shown] == ["17", "17", "30008", "30008"]
    assert [row[2] for row in shown[:2]] == ["1", "1"]
    assert [row[1] for row in shown[2:]] == ["0x0000", "0x0000"]
    assert [row[3] for row in shown] == ["37", "37", "16412", "16412"]


def test_whatTheCommentsSay(recorded: Recorded) -> None:
    """Every packet is synthetic; what the bytes mean, what was cut, and what is made up is said."""
    comments = [packet["frame.comment"] for packet in recorded.packets]
    assert all(comment.startswith("synthetic: ") for comment in comments)
    every = "\n".join(comments)
    for said in ("request 1: 12 + 34", "reply 1: 46", "request 1: 5 * 6", "request 1: 7 - 4"):
        assert said in every
    assert "a UNIX socket" in every
    assert "cut: of 30000 bytes the trace has kept 16384" in every
    assert "notice: " in every
    (six,) = {address for (both,) in recorded.values("ipv6.addr") for address in both.split(",")}
    assert six == "::1"


def test_theEnds(recorded: Recorded) -> None:
    """Every connection begins with a handshake, and ends as it did. Others of this machine may look in."""
    begun, ended, reset = set(), set(), set()
    for packet in recorded.packets:
        stream = packet["tcp.stream"]
        if packet["tcp.flags.syn"] == "1":
            begun.add(stream)
        if "1" in (packet["tcp.flags.fin"], packet["tcp.flags.reset"]):
            ended.add(stream)
        if packet["tcp.flags.reset"] == "1":
            reset.add(packet["frame.interface_name"])
    assert len(begun) >= 6
    assert begun == ended
    assert "echo (raw)" in reset


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
