"""
Netcat over TLS, against C{ncat}, C{socat} and itself.
"""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from tests.integration.conversations import (
    NC,
    Program,
    Programs,
    answersAfterTheEnd,
    digest,
    found,
)
from tests.integration.processes import need


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with C{ca.pem}, and with certificates that it signed: C{localhost.pem}, C{other.pem}."""
    directory = tmp_path_factory.mktemp("authority")
    openssl = [need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
               "-nodes", "-days", "2"]  # fmt: skip
    subprocess.run(
        [*openssl, "-subj", "/CN=a test's own", "-keyout", "ca.key", "-out", "ca.pem"],
        cwd=directory, check=True, capture_output=True,
    )  # fmt: skip
    for name in ("localhost", "other"):
        subprocess.run(
            [*openssl, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-CA", "ca.pem",
             "-CAkey", "ca.key", "-addext", "basicConstraints=CA:FALSE", "-keyout", f"{name}.key",
             "-out", f"{name}.pem"],
            cwd=directory, check=True, capture_output=True,
        )  # fmt: skip
    return directory


def tlsListener(programs: Programs, other: str, authority: Path, name: str = "localhost") -> Program:
    certificate, key = str(authority / f"{name}.pem"), str(authority / f"{name}.key")
    return programs.start(*found({
        "ncat": ["ncat", "-v", "-l", "--ssl", "--ssl-cert", certificate, "--ssl-key", key,
                 "127.0.0.1", "0"],
        "socat": ["socat", "-d", "-d", "-t", "20", "-",
                  f"OPENSSL-LISTEN:0,bind=127.0.0.1,verify=0,cert={certificate},key={key}"],
        "ours": [*NC, "-l", "--tls", "--cert", certificate, "--key", key, "0"],
    }[other]))  # fmt: skip


@pytest.mark.parametrize("other", ["socat", "ours"])
def test_tlsHasHalves(programs: Programs, authority: Path, other: str) -> None:
    """Who has ended its half with C{close_notify} still gets the answer."""
    listener = tlsListener(programs, other, authority)
    us = programs.nc("--tls", "--cafile", str(authority / "ca.pem"), "localhost", str(listener.port))
    answersAfterTheEnd(us, listener)


def test_tlsWithNcatListening(programs: Programs, authority: Path) -> None:
    """C{ncat} ends without C{close_notify}: everything arrives, and we say that it may not be all."""
    listener = tlsListener(programs, "ncat", authority)
    us = programs.nc("--tls", "--cafile", str(authority / "ca.pem"), "localhost", str(listener.port))
    us.say(b"question\n")
    listener.saw(b"question\n")
    listener.say(b"answer\n")
    us.saw(b"answer\n")
    listener.end()
    us.end()
    assert us.ends() == 5
    assert "without TLS's close_notify" in us.err[-1]


def test_tlsWithNcatConnecting(programs: Programs, authority: Path) -> None:
    """And C{ncat} accepts our certificate."""
    listener = tlsListener(programs, "ours", authority)
    trusted = ["--ssl-verify", "--ssl-trustfile", str(authority / "ca.pem")]
    them = programs.start(need("ncat"), "--ssl", *trusted, "localhost", str(listener.port))
    them.say(b"question\n")
    listener.saw(b"question\n")
    listener.say(b"answer\n")
    them.saw(b"answer\n")
    listener.end()
    them.end()
    assert them.ends() == 0


def test_tlsWithSocatConnecting(programs: Programs, authority: Path) -> None:
    """Its C{close_notify} ends its half and no more; it accepts our certificate, and our answer."""
    listener = tlsListener(programs, "ours", authority)
    where = f"OPENSSL:localhost:{listener.port},cafile={authority / 'ca.pem'},commonname=localhost"
    answersAfterTheEnd(programs.start(need("socat"), "-t", "20", "-", where), listener)


def test_aLargeFileOverTLS(programs: Programs, authority: Path, large: Path, tmp_path: Path) -> None:
    arrived = tmp_path / "arrived"
    with large.open("rb") as source, arrived.open("wb") as sink:
        certificate = str(authority / "localhost.pem"), "--key", str(authority / "localhost.key")
        listener = programs.nc("-l", "--tls", "--cert", *certificate, "0", stdin=source)
        port = str(listener.port)
        us = programs.nc(
            "--tls", "--insecure", "localhost", port, stdin=subprocess.DEVNULL, stdout=sink
        )  # fmt: skip
        assert (us.ends(), listener.ends()) == (0, 0), us.err + listener.err
    assert digest(arrived) == digest(large)


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("localhost", [], "nobody we trust has signed it"),
        ("other", ["--cafile", "ca.pem"], "the certificate is not made out to 'localhost'"),
    ],
)
def test_whoIsNotWhoItShouldBeIsRefused(
    programs: Programs, authority: Path, name: str, arguments: list[str], sentence: str
) -> None:
    """Nothing is sent to a peer whose certificate nobody has signed, or somebody else's name stands in."""
    listener = tlsListener(programs, "ours", authority, name)
    arguments = [str(authority / word) if word == "ca.pem" else word for word in arguments]
    us = programs.nc("--tls", *arguments, "localhost", str(listener.port), "--send", "a secret")
    assert us.ends() == 9
    assert sentence in us.err[-1]
    listener.end()
    assert listener.ends() == 9 or listener.out == b""
    assert listener.out == b""


def test_insecureIsAskedForByName(programs: Programs) -> None:
    listener = programs.nc("-l", "--tls", "0")
    us = programs.nc("--tls", "--insecure", "127.0.0.1", str(listener.port))
    answersAfterTheEnd(us, listener)


def test_aPeerThatDoesNotSpeakTLS(programs: Programs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        us = programs.nc("--tls", "--insecure", str(listener.getsockname()[1]), "--send", "x")
        peer, _ = listener.accept()
        with peer:
            peer.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            assert us.ends() == 9
    assert us.err[-1].startswith("labnet nc: TLS: ")
