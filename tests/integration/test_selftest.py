"""
The self-test against real proxies: ours, a student's, one that hangs, and Privoxy.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.processes import Running, Twistd, eventually, labnet, need

# A filtering proxy as a student writes it: what recv gives is searched, and passed on.
STUDENT = r"""
import socket, sys, threading

def serve(client):
    request = b""
    while b"\r\n\r\n" not in request:
        data = client.recv(4096)
        if not data:
            return client.close()
        request += data
    method, url, rest = request.split(b" ", 2)
    host, _, path = url.removeprefix(b"http://").partition(b"/")
    name, _, port = host.partition(b":")
    try:
        origin = socket.create_connection((name, int(port or 80)))
        origin.sendall(method + b" /" + path + b" " + rest)
        while True:
            data = origin.recv(4096)
            if not data:
                break
            if b"SzamHalo" in data:
                data = b"HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nblocked"
                client.sendall(data)
                break
            client.sendall(data)
        origin.close()
    except (OSError, ValueError):
        pass
    client.close()

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(50)
print("proxy listens on", listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""

# One that never answers whoever asks for a range.
HANGING = STUDENT.replace(
    "    method, url", '    if b"Range" in request:\n        return hung.append(client)\n    method, url'
)
HANGING = HANGING.replace("listener = ", "hung = []\nlistener = ")

PRIVOXY = """
confdir {directory}
templdir /etc/privoxy/templates
logdir {directory}
actionsfile block.action
filterfile block.filter
listen-address 127.0.0.1:{port}
"""


def outcomes(port: int, *arguments: str, scheme: str = "http") -> tuple[int, dict[str, str]]:
    """Exit status of the self-test, and what it says of each scenario."""
    host = "127.0.0.1" if scheme == "http" else "localhost"
    ran = labnet("proxy-selftest", "--proxy", f"{scheme}://{host}:{port}", "--json", *arguments)
    assert ran.stderr == ""
    found = json.loads(ran.stdout)["scenarios"]
    return ran.returncode, {one["name"]: one["outcome"] for one in found}


def test_nothingGetsThroughOurs(tmp_path: Path) -> None:
    """Every way around is closed, and every clean page arrives."""
    with Twistd(tmp_path, "labnet-proxy", "--listen", "tcp:0", "--connect-port", "any") as running:
        status, found = outcomes(running.port("proxy"))
    assert not [name for name, outcome in found.items() if outcome in ("got through", "broken")]
    assert not [name for name, outcome in found.items() if outcome == "could not tell"]
    assert status == 0
    assert found["tunnel"] == "note"


def test_ourFixedTarget(tmp_path: Path) -> None:
    """The origin stands where the proxy was told; the proxy is asked as if it were the site."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{free.getsockname()[1]}"
    with Twistd(tmp_path, "labnet-proxy", "--listen", "tcp:0", "--target", where) as running:
        port = running.port("proxy")
        status, found = outcomes(port, "--reverse", "--listen", where, "--only", "pieces,ranges,gzip")
    assert status == 0
    assert set(found.values()) == {"blocked", "right"}


def test_ourProxyOverTLS(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(command, check=True, capture_output=True)
    listen = f"ssl:0:privateKey={key}:certKey={certificate}"
    only = ("--only", "plain,clean,gzip")
    with Twistd(tmp_path, "labnet-proxy", "--listen", listen) as running:
        port = running.port("proxy", "(?:ssl|tls|tcp)")
        trusted = outcomes(port, *only, "--cafile", str(certificate), scheme="https")
        untrusted = labnet("proxy-selftest", "--proxy", f"https://localhost:{port}", *only)
    assert trusted == (0, {"plain": "blocked", "clean": "right", "gzip": "blocked"})
    assert untrusted.returncode != 0
    assert "labnet proxy-selftest: the proxy: " in untrusted.stderr


def test_theStudentsProxyLeaks() -> None:
    """It finds the word where recv gives all of it in one piece, and nowhere else."""
    with Running([sys.executable, "-c", STUDENT]) as running:
        status, found = outcomes(int(running.waitFor(r"proxy listens on (\d+)")[1]))
    assert status == 1
    assert {
        name for name in ("plain", "field", "image", "clean") if found[name] in ("blocked", "right")
    } == {
        "plain",
        "field",
        "image",
        "clean",
    }
    leaks = {
        "segments",
        "bytes",
        "two-chunks",
        "chunk-bytes",
        "gzip",
        "br",
        "utf-16-be",
        "range-halves",
        "multipart",
    }
    assert {name for name in leaks if found[name] == "got through"} == leaks


def test_aProxyThatHangsHoldsUpNothingElse() -> None:
    with Running([sys.executable, "-c", HANGING]) as running:
        port = int(running.waitFor(r"proxy listens on (\d+)")[1])
        status, found = outcomes(port, "--only", "range-halves,plain,clean", "--timeout", "1")
    assert status == 1
    assert found == {"plain": "blocked", "clean": "right", "range-halves": "broken"}


@pytest.fixture
def privoxy(tmp_path: Path) -> Iterator[int]:
    """Privoxy with a filter that takes the word out; it has to be told its port."""
    program = need("privoxy")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tmp_path.joinpath("config").write_text(PRIVOXY.format(directory=tmp_path, port=port))
    tmp_path.joinpath("block.action").write_text("{ +filter{word} }\n/\n")
    tmp_path.joinpath("block.filter").write_text("FILTER: word takes it out\ns@SzamHalo@@g\n")

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    with Running([program, "--no-daemon", str(tmp_path / "config")]) as running:
        eventually(listens, f"Privoxy listens: {running.text}")
        yield port


def test_privoxy(privoxy: int) -> None:
    """It finds what is in a text of up to 4 MiB, but not what is larger, or called an image."""
    only = ("--only", "plain,segments,two-chunks,gzip,clean,clean-8m,8m,image")
    assert outcomes(privoxy, *only) == (
        1,
        {
            "plain": "blocked",
            "segments": "blocked",
            "two-chunks": "blocked",
            "gzip": "blocked",
            "clean": "right",
            "clean-8m": "right",
            "8m": "got through",
            "image": "got through",
        },
    )
