"""
The scanner as a real process, on the loopback interface and nowhere else: against known ports, against
nmap, and against the lab and programs of students.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.processes import BIN, ENVIRONMENT, PATIENCE, Running, Twistd, labnet, need

#: An address of the loopback interface where nobody listens by name.
QUIET = "127.0.0.77"


def scanned(*arguments: str) -> dict[str, Any]:
    """What our command reports."""
    done = labnet("scan", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def openPorts(report: dict[str, Any], host: int = 0) -> list[int]:
    return [row["port"] for row in report["hosts"][host]["open"]]


@contextmanager
def listening(count: int, host: str = QUIET) -> Iterator[list[int]]:
    """So many open ports."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        servers = [
            stack.enter_context(socket.create_server((host, 0), family=family)) for _ in range(count)
        ]
        yield sorted(server.getsockname()[1] for server in servers)


@contextmanager
def dropping() -> Iterator[int]:
    """A port whose attempts get no answer: its queue is full, and Linux drops what does not fit."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind((QUIET, 0))
        server.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        probe = stack.enter_context(socket.socket())
        probe.settimeout(0.3)
        try:
            probe.connect(server.getsockname())
        except TimeoutError:
            yield server.getsockname()[1]
        else:
            pytest.skip("a full queue drops nothing here")


def test_openClosedAndFiltered() -> None:
    with listening(1) as last:
        pass
    with listening(3) as opened, dropping() as dropped:
        wanted = sorted({*opened, dropped, *last})
        report = scanned(QUIET, ",".join(map(str, wanted)), "--timeout", "1", "--tries", "2")
        (host,) = report["hosts"]
        assert openPorts(report) == opened
        assert host["filtered"] == {"no answer": str(dropped)}
        assert host["closed"] == {"refused": str(last[0])}
        assert report["attempts"] == len(wanted) + 1


def nmapped(ports: str, *options: str) -> dict[str, set[int]]:
    """The same from nmap: for each state, the ports."""
    command = [need("nmap"), "-sT", "-n", "-Pn", "-oX", "-", "-p", ports, *options, QUIET]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE * 2, check=True)
    states: dict[str, set[int]] = {"open": set(), "closed": set(), "filtered": set()}
    for port, state in re.findall(r'portid="(\d+)"><state state="(\w+)"', done.stdout):
        states[state].add(int(port))
    return states


def test_nmapSaysTheSame() -> None:
    """On a known set of open, closed and dropped ports, with each closed port named by both."""
    with listening(12) as opened, dropping() as dropped, ExitStack() as stack:
        shut = stack.enter_context(listening(5))
        stack.pop_all().close()
        ports = ",".join(map(str, sorted({*opened, *shut, dropped})))
        theirs = nmapped(ports)
        (host,) = scanned(QUIET, ports)["hosts"]
    assert theirs == {"open": set(opened), "closed": set(shut), "filtered": {dropped}}
    assert {row["port"] for row in host["open"]} == theirs["open"]
    assert expanded(host["closed"]) == theirs["closed"]
    assert expanded(host["filtered"]) == theirs["filtered"]


def expanded(groups: dict[str, str]) -> set[int]:
    ports: set[int] = set()
    for item in ",".join(groups.values()).split(","):
        first, _, last = item.partition("-")
        ports.update(range(int(first), int(last or first) + 1))
    return ports


NFTABLES = """
table inet scanned {
  chain input {
    type filter hook input priority 0;
    tcp dport 101-105 drop
    tcp dport 106 reject with tcp reset
    ip protocol tcp tcp dport 107 reject with icmp type admin-prohibited
    ip protocol tcp tcp dport 108 reject with icmp type host-unreachable
  }
}
"""

INSIDE = """
import json, socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["nft", "-f", "-"], input=sys.argv[1], text=True, check=True)
servers = [socket.create_server(("127.0.0.1", port)) for port in (22, 103, 200)]
ours = subprocess.run([sys.executable, "-m", "labnet", "scan", "--json", "127.0.0.1", "1-300", "-t", "0.2"],
                      capture_output=True, text=True, check=True).stdout
theirs = subprocess.run([sys.argv[2], "-sT", "-n", "-Pn", "-oX", "-", "-p", "1-300", "127.0.0.1"],
                        capture_output=True, text=True, check=True).stdout
print(json.dumps([json.loads(ours)["hosts"][0], theirs]))
"""


def test_nmapSaysTheSameBehindAFirewall() -> None:
    """In a network of its own, with packets dropped and rejected by rule; needs root for that."""
    nmap = need("nmap")
    need("ip")
    need("nft")
    need("unshare")
    if os.geteuid():
        pytest.skip("needs root")
    if subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no network namespace to be had")
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", INSIDE, NFTABLES, nmap],
        capture_output=True, text=True, env=ENVIRONMENT, timeout=PATIENCE * 2, check=False,
    )  # fmt: skip
    if "nft" in done.stderr:
        pytest.skip("no rules can be made here")
    assert done.returncode == 0, done.stderr
    host, theirs = json.loads(done.stdout)
    assert [row["port"] for row in host["open"]] == [22, 200]
    assert host["filtered"]["no answer"] == "101-105"
    assert "108" in host["filtered"]["host unreachable"]
    filtered = expanded(host["filtered"])
    assert {int(port) for port in re.findall(r'portid="(\d+)"><state state="filtered"', theirs)} == filtered
    assert {int(port) for port in re.findall(r'portid="(\d+)"><state state="open"', theirs)} == {22, 200}
    assert expanded(host["closed"]) == set(range(1, 301)) - filtered - {22, 200}


def test_everyPortOfTheLoopbackInterface() -> None:
    """All 65,535, and every one of ours among the open ones; connections to themselves are none."""
    with listening(50) as opened:
        report = scanned(QUIET, "-")
    found = openPorts(report)
    assert set(opened) <= set(found)
    (host,) = report["hosts"]
    assert len(expanded(host["closed"])) + len(found) + sum(
        len(expanded({"": ports})) for ports in host["filtered"].values()
    ) == 65_535  # fmt: skip


def test_fewDescriptorsAreEnough() -> None:
    """With a limit of 60 the result is the same."""
    with listening(20) as opened, dropping() as dropped:
        ports = ",".join(map(str, [*opened, dropped, *range(1, 101)]))
        done = subprocess.run(
            [sys.executable, "-m", "labnet", "scan", "--json", QUIET, ports, "--timeout", "0.5"],
            capture_output=True, text=True, env=ENVIRONMENT, timeout=PATIENCE, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60)),
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(opened) <= set(openPorts(json.loads(done.stdout)))


def test_IPv6() -> None:
    try:
        with listening(2, "::1") as opened:
            for target in ("::1", "[::1]"):
                report = scanned(target, ",".join(map(str, opened)))
                assert openPorts(report) == opened
                assert report["hosts"][0]["address"] == "::1"
    except OSError:
        pytest.skip("no IPv6 here")


def test_severalHostsAndANetwork() -> None:
    with listening(1, "127.0.0.77") as (one,), listening(1, "127.0.0.78") as (other,):
        report = scanned("127.0.0.76/30", f"{one},{other}")
        assert [host["address"] for host in report["hosts"]] == ["127.0.0.77", "127.0.0.78"]
        assert one in openPorts(report, 0)
        assert other in openPorts(report, 1)


def test_aTableForPeople() -> None:
    with listening(1) as (port,):
        done = labnet("scan", QUIET, f"1,{port}")
    assert done.returncode == 0, done.stderr
    assert re.search(rf"^ ?{port} +open +connected", done.stdout, re.MULTILINE)
    assert "1 open (connected), 1 closed (refused)" in done.stdout
    assert done.stderr == ""
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("192.0.2.1", "80"), "192.0.2.1 is neither loopback nor private"),
        (("[2001:db8::1]", "80"), "2001:db8::1 is neither loopback nor private"),
        ((QUIET, "0"), "port 0: ports go from 1 to 65535"),
        ((QUIET, "65536"), "port 65536: ports go from 1 to 65535"),
    ],
)
def test_whatIsRefusedIsRefusedBeforeAnyPacket(arguments: tuple[str, ...], sentence: str) -> None:
    """The addresses are of documentation's networks, and nothing is sent to them."""
    done = labnet("scan", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_asPlugin(tmp_path: Path) -> None:
    with listening(1) as (port,):
        command = [str(BIN / "twistd"), "-n", "--pidfile=", "labnet-scan-client", QUIET, str(port)]
        with Running(command, cwd=tmp_path) as running:
            running.waitFor(rf"{port} +open +connected")
            assert running.wait() == 0


#: What each listener of the lab that speaks TCP is recognised as: service and detail.
OURS = {
    "calculator": {"struct9": ("calculator", "struct9 or ffc"), "int4": ("calculator", "int4"),
                   "text": ("calculator", "text"), "ffc": ("calculator", "struct9 or ffc"),
                   "net": ("calculator", "net"), "json": ("calculator", "json")},
    "chat": {"plain": ("chat", ""), "line": ("chat", ""), "framed": ("chat", "framed"),
             "web": ("http", "")},
    "checksum": {"": ("checksum server", "")},
    "classic": {"chargen": ("chargen", ""), "daytime": ("daytime", ""), "time": ("time", ""),
                "qotd": ("unknown", ""), "discard": ("unknown", "says nothing")},
    "collector": {"": ("unknown", "says nothing")},
    "echo": {"prefix": ("echo", "prefix"), "upper": ("echo", "upper"), "ack": ("echo", "ack"),
             "raw": ("echo", "raw"), "framed": ("framed echo", "")},
    "files": {"course": ("files", ""), "framed": ("files", "framed"), "http": ("http", "")},
    "greeting": {"": ("greeting", "")},
    "guess": {"": ("guess a number", "")},
    "netcopy": {"": ("unknown", "says nothing")},
    "proxy": {"": ("http", "")},
    "web": {"": ("http", "")},
}  # fmt: skip


def test_theLabsServersStayUpAndAreNamed(tmp_path: Path) -> None:
    """
    Every server of the lab, on ports that say nothing: who they are is found by speaking to them. None of
    them takes harm, and each is asked on ports of its own, and only on these.
    """
    expected, found = {}, {}
    with ExitStack() as stack:
        servers = {}
        for name, variants in OURS.items():
            listen = [word for one in variants for word in ("--listen", f"{one}=tcp:0" if one else "tcp:0")]
            servers[name] = stack.enter_context(Twistd(tmp_path, f"labnet-{name}", *listen))
        for name, variants in OURS.items():
            for variant, identity in variants.items():
                called = f"{name} ({variant})" if variant else name
                expected[servers[name].port(called)] = (called, *identity)
        report = scanned("127.0.0.1", ",".join(map(str, expected)), "--identify")
        for row in report["hosts"][0]["open"]:
            answers = row["answers"]
            found[row["port"]] = (expected[row["port"]][0], answers["service"], answers["detail"])
        assert found == expected
        assert [name for name, server in servers.items() if server.process.poll() is not None] == []


# Programs in the manner of the course: one recv, sendall, no framing; they end with a traceback when a
# client upsets them.
GREETING = """
c.sendall(b"Hello, client! Connection established.")
"""
ECHO = """
data = c.recv(1024)
if data: c.sendall(b"Echo: " + data)
"""
UPPER = """
data = c.recv(1024)
if data: c.sendall(data.decode().upper().encode())
"""
CALCULATOR = """
data = c.recv(packer.size)
if data:
    a, b, op = packer.unpack(data)
    c.sendall(packer.pack(a + b, 0, b"R"))
"""
FILES = """
name = c.recv(1024).decode()
if name and "\\0" not in name and not os.path.exists(name): c.sendall(b"NOT_FOUND")
"""
CHAT = """
c.sendall(b"Enter your username: ")
name = c.recv(1024).decode()
"""
HOSTILE = """
c.sendall(b"\\x1b[2J\\x1b]52;c;eA==\\x07\\r\\n22   open   connected   ssh")
"""
PROGRAM = """
import os, socket, struct
packer = struct.Struct("ii1s")
s = socket.socket()
s.bind(("127.0.0.77", 0))
s.listen(5)
print("port", s.getsockname()[1])
while True:
    c, _ = s.accept()
%s
    c.close()
"""


@contextmanager
def studentsServer(body: str) -> Iterator[tuple[Running, int]]:
    source = PROGRAM % "\n".join(f"    {line}" for line in body.strip("\n").split("\n"))
    with Running([sys.executable, "-c", source]) as running:
        yield running, int(running.waitFor(r"port (\d+)")[1])


@pytest.mark.parametrize(
    ("body", "service", "detail"),
    [
        (GREETING, "greeting", ""),
        (ECHO, "echo", "prefix"),
        (UPPER, "echo", "upper"),
        (CALCULATOR, "calculator", "struct9 or ffc"),
        (FILES, "files", ""),
        (CHAT, "chat", ""),
    ],
)
def test_aStudentsServerIsNamedAndSurvives(body: str, service: str, detail: str) -> None:
    """It is recognised, and asking has not ended it with an exception."""
    with studentsServer(body) as (running, port):
        report = scanned(QUIET, str(port), "--identify")
        answers = report["hosts"][0]["open"][0]["answers"]
        assert (answers["service"], answers["detail"]) == (service, detail)
        assert running.process.poll() is None
        assert "Traceback" not in running.text


def test_aHostileBannerIsHarmless() -> None:
    """It can neither command the terminal nor write a row of its own."""
    with studentsServer(HOSTILE) as (_, port):
        done = labnet("scan", QUIET, str(port), "--identify")
    assert done.returncode == 0
    assert r"\x1b[2J" in done.stdout
    assert not set(done.stdout) & {"\x1b", "\x07", "\r"}
    assert not re.search(r"^ *22 +open", done.stdout, re.MULTILINE)


def test_TLSIsNamed(tmp_path: Path) -> None:
    """With its version, whom its certificate names, and what speaks inside."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=lab.example",
         "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    command = [
        openssl,
        "s_server",
        "-accept",
        "127.0.0.77:0",
        "-cert",
        "cert.pem",
        "-key",
        "key.pem",
        "-www",
    ]
    with Running(command, cwd=tmp_path) as running:
        port = int(running.waitFor(r"ACCEPT 127\.0\.0\.77:(\d+)")[1])
        report = scanned(QUIET, str(port), "--identify")
    answers = report["hosts"][0]["open"][0]["answers"]
    assert answers["service"] in ("tls", "http over tls")
    assert answers["detail"].startswith("TLSv1.")
    assert '"lab.example"' in answers["said"]
