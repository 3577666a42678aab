"""
The look-ups as a real process, with the system's resolver, about this machine only.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path

from tests.integration.processes import BIN, Running, labnet, student

COURSE = """
import socket
print(socket.gethostname())
print(socket.gethostbyname("localhost"))
print(socket.getservbyname("http"), socket.getservbyport(53, "udp"))
print(socket.inet_aton("127.1").hex(" "))
"""


def answers(*arguments: str) -> dict[str, list[str]]:
    """The values by function, of the first call of each."""
    done = labnet("names", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = {}
    for row in json.loads(done.stdout)["answers"]:
        found.setdefault(row["function"], row.get("values", []))
        assert row["seconds"] >= 0
    return found


def test_theSameAsAStudentsProgram() -> None:
    done = student(COURSE)
    assert done.returncode == 0, done.stderr
    name, address, services, data = done.stdout.splitlines()
    assert answers()["gethostname"] == [name]
    assert f"at {address}" in answers("localhost")["gethostbyname_ex"]
    http = answers("--service", "http")["getservbyname"][0]
    domain = answers("--service", "53")["getservbyport"][0]
    assert f"{http} {domain}" == services
    assert answers("127.1")["inet_aton"] == [f"{data} (127.0.0.1)"]


def test_theOrderIsTheOneInWhichAClientTries() -> None:
    """Both families, as C{getaddrinfo} has them here."""
    tried = [place[0] for *_, place in socket.getaddrinfo("localhost", 80, 0, socket.SOCK_STREAM)]
    found = answers("localhost", "80")["getaddrinfo"]
    assert len(found) == len(tried)
    for number, (host, line) in enumerate(zip(tried, found, strict=True), 1):
        assert line.startswith(f"{number}. ")
        assert host in line


def test_aTableForPeople() -> None:
    done = labnet("names", "--bytes", "7f000001")
    assert done.returncode == 0, done.stderr
    assert "inet_ntoa" in done.stdout
    assert "127.0.0.1 (IPv4)" in done.stdout
    assert " ms" in done.stdout
    assert "\x1b" not in done.stdout


def test_whatIsNotFoundIsSixAndASentence() -> None:
    """A service, because no server of names has to be asked for it."""
    done = labnet("names", "--service", "no-such-service")
    assert done.returncode == 6
    assert "name not found (no-such-service/tcp" in done.stdout


def test_asPlugin(tmp_path: Path) -> None:
    command = [str(BIN / "twistd"), "-n", "--pidfile=", "labnet-names-client", "--bytes", "7f000001"]
    with Running(command, cwd=tmp_path) as running:
        running.waitFor(r"inet_ntoa .* 127\.0\.0\.1")
        assert running.wait() == 0
