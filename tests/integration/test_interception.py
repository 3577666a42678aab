"""
HTTPS that is looked into, with real clients, real origins, and authorities made by C{labnet ca}.
"""

from __future__ import annotations

import hashlib
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from labnet.authority.certificates import Authority, makeAuthority, makeKey
from labnet.authority.store import loadAuthority, saveAuthority, saveIssued
from tests.integration.processes import ENVIRONMENT, PATIENCE, Running, Twistd, labnet, need

# An origin as a student writes it, a thread for each certificate.
ORIGIN = r"""
import gzip, socket, ssl, sys, threading
page = b"<html><body>" + b"x" * 500 + b"SzamHalo" + b"y" * 500 + b"</body></html>"
def answers(path):
    if path == b"/word":
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(page) + page
    if path == b"/gzip":
        zipped = gzip.compress(page)
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
        return head % len(zipped) + zipped
    if path == b"/large":
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (8 * 2**20) + bytes(range(256)) * 2**15
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 17\r\n\r\n<p>clean page</p>"
def serve(name, listener, context):
    while True:
        connection, _ = listener.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                while request := secure.recv(4096):
                    print(name, "asked", request.split(b"\r\n")[0].decode(), flush=True)
                    secure.sendall(answers(request.split(b" ")[1]))
        except OSError:
            pass
for argument in sys.argv[1:]:
    name, certificate, key = argument.split("=")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(name, listener, context), daemon=True).start()
    print(f"{name} listens on {listener.getsockname()[1]}", flush=True)
threading.Event().wait()
"""


@dataclass(frozen=True)
class Origins:
    """
    Origins with certificates of all kinds.

    @ivar ports: by kind.
    @ivar file: the authority that signed the good ones.
    """

    ports: dict[str, int]
    file: Path


def issued(folder: Path, kind: str, authority: Authority, name: str, days: float = 1.0) -> str:
    """An argument of the origin: a certificate of that kind."""
    key = makeKey()
    issuedAt = datetime.now(UTC) - (timedelta(days=2) if days < 0 else timedelta())
    lifetime = timedelta(days=abs(days))
    certificate = authority.issue([name], key.public_key(), issuedAt, lifetime)
    files = saveIssued(folder, kind, [certificate], key)
    return f"{kind}={files[0]}={files[1]}"


@pytest.fixture(scope="module")
def origins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origins]:
    folder = tmp_path_factory.mktemp("origins")
    now = datetime.now(UTC)
    trusted, stranger = (makeAuthority(now - timedelta(days=3), timedelta(days=30)) for _ in range(2))
    saveAuthority(folder, trusted)
    selfSigned = saveIssued(folder, "selfsigned", [stranger.certificate], stranger.key)
    arguments = [
        issued(folder, "good", trusted, "localhost"),
        issued(folder, "address", trusted, "127.0.0.1"),
        issued(folder, "expired", trusted, "localhost", days=-1.0),
        issued(folder, "stranger", stranger, "localhost"),
        issued(folder, "other", trusted, "other.example"),
        f"selfsigned={selfSigned[0]}={selfSigned[1]}",
    ]
    with Running([sys.executable, "-c", ORIGIN, *arguments]) as running:
        kinds = [argument.partition("=")[0] for argument in arguments]
        ports = {kind: int(running.waitFor(rf"^{kind} listens on (\d+)")[1]) for kind in kinds}
        yield Origins(ports, folder / "ca.pem")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the lab's authority."""
    folder = tmp_path_factory.mktemp("lab") / "ca"
    made = labnet("ca", "--dir", str(folder))
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, lab: Path, origins: Origins) -> Iterator[Twistd]:
    directory = tmp_path_factory.mktemp("proxy")
    with Twistd(
        directory, "labnet-proxy", "--listen", "tcp:0", "--connect-port", "any", "--intercept", "localhost",
        "--ca", str(lab), "--origin-ca", str(origins.file), "--handshake-timeout", "5",
    ) as running:  # fmt: skip
        yield running


def curl(proxy: Twistd, trusted: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [need("curl"), "-sS", "--max-time", str(PATIENCE), "--cacert", str(trusted)]
    command += ["-x", f"http://127.0.0.1:{proxy.port('proxy')}", *arguments]
    return subprocess.run(command, capture_output=True, env=ENVIRONMENT, timeout=PATIENCE, check=False)


def test_curlGetsCleanPages(proxy: Twistd, lab: Path, origins: Origins) -> None:
    """Several over one connection, under the lab's certificate."""
    base = f"https://localhost:{origins.ports['good']}"
    result = curl(proxy, lab / "ca.pem", "-v", f"{base}/clean", f"{base}/large", f"{base}/clean")
    clean, large = b"<p>clean page</p>", bytes(range(256)) * 2**15
    assert result.stdout == clean + large + clean
    assert b"issuer: CN=labnet authority" in result.stderr
    assert b"Re-using existing" in result.stderr
    proxy.waitFor(rf'"CONNECT localhost:{origins.ports["good"]}" 200 intercepted$')


@pytest.mark.parametrize("path", ["/word", "/gzip"])
def test_curlGets404(proxy: Twistd, lab: Path, origins: Origins, path: str) -> None:
    result = curl(
        proxy, lab / "ca.pem", "-i", "--compressed", f"https://localhost:{origins.ports['good']}{path}"
    )
    assert b"\r\n\r\nHTTP/1.1 404 Not Found\r\n" in result.stdout
    assert b"X-Labnet-Filter: blocked; rule=" in result.stdout
    assert b"xxx" not in result.stdout


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("expired", "the certificate is not to be trusted: it has expired"),
        ("stranger", "the certificate is not to be trusted: nobody we trust has signed it"),
        (
            "selfsigned",
            "it is signed by itself and by nobody we trust",
        ),
        ("other", "the certificate is not made out to 'localhost'"),
        ("address", "the certificate is not made out to 'localhost'"),
    ],
)
def test_anOriginThatDoesNotProveWhoItIs(
    proxy: Twistd, lab: Path, origins: Origins, kind: str, why: str
) -> None:
    """502, with the reason; nothing was asked."""
    port = origins.ports[kind]
    result = curl(proxy, lab / "ca.pem", "-i", f"https://localhost:{port}/clean")
    assert b"\r\n\r\nHTTP/1.1 502 Bad Gateway\r\n" in result.stdout
    assert why.replace("'", "&#x27;").encode("ascii") in result.stdout
    assert b"clean page" not in result.stdout
    proxy.waitFor(rf"localhost:{port}/clean\" 502 .*{re.escape(why)}")


def test_anOriginThatDoesNotSpeakTLS(proxy: Twistd, lab: Path) -> None:
    """It is not asked in the clear instead."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        there = f"http://127.0.0.1:{proxy.port('proxy')}"
        asking = [need("curl"), "-sSi", "--cacert", str(lab / "ca.pem"), "-x", there]
        with Running([*asking, f"https://localhost:{port}/"]) as client:
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(1) == b"\x16"
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                client.waitFor("^HTTP/1.1 502 Bad Gateway")


def test_whatIsNotNamedIsTunnelled(proxy: Twistd, origins: Origins) -> None:
    """The client sees the origin's own certificate, and the log says that nobody looked."""
    port = origins.ports["address"]
    result = curl(proxy, origins.file, f"https://127.0.0.1:{port}/word")
    assert b"SzamHalo" in result.stdout
    proxy.waitFor(rf'"CONNECT 127.0.0.1:{port}" 200 not inspected: tunnel$')


def test_aClientThatDoesNotTrustTheLab(proxy: Twistd, origins: Origins) -> None:
    result = curl(proxy, origins.file, f"https://localhost:{origins.ports['good']}/clean")
    assert result.returncode == 60
    proxy.waitFor("the client does not trust the lab's authority, see 'labnet ca show'")


def sClient(proxy: Twistd, origins: Origins, *arguments: str) -> subprocess.CompletedProcess[str]:
    """OpenSSL's own client, in a tunnel."""
    target = f"localhost:{origins.ports['good']}"
    command = [
        need("openssl"),
        "s_client",
        "-proxy",
        f"127.0.0.1:{proxy.port('proxy')}",
        "-connect",
        target,
    ]
    return subprocess.run(
        [*command, *arguments], input="", capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "outcome"),
    [
        (["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"], "unsupported protocol"),
        (["-servername", "other.example"], 'the client asks for "other.example", not for localhost'),
    ],
)
def test_handshakesThatAreRefused(
    proxy: Twistd, origins: Origins, arguments: list[str], outcome: str
) -> None:
    result = sClient(proxy, origins, *arguments)
    assert result.returncode != 0
    assert "no peer certificate available" in result.stdout
    proxy.waitFor(rf"intercepted localhost:\d+: .*{re.escape(outcome)}")


def test_theHandshakeItself(proxy: Twistd, lab: Path, origins: Origins) -> None:
    """HTTP/1.1 is what both speak, though the client would rather have HTTP/2."""
    result = sClient(proxy, origins, "-alpn", "h2,http/1.1", "-CAfile", str(lab / "ca.pem"))
    assert "ALPN protocol: http/1.1" in result.stdout
    assert "Verify return code: 0 (ok)" in result.stdout
    assert "TLSv1.3" in result.stdout


def test_aHandshakeThatIsNeverCompleted(tmp_path: Path, lab: Path, origins: Origins) -> None:
    """It is ended by the limit, and the next client is served."""
    with Twistd(
        tmp_path, "labnet-proxy", "--listen", "tcp:0", "--connect-port", "any", "--intercept", "localhost",
        "--ca", str(lab), "--origin-ca", str(origins.file), "--handshake-timeout", "2",
    ) as running:  # fmt: skip
        with socket.create_connection(("127.0.0.1", running.port("proxy"))) as client:
            client.settimeout(PATIENCE)
            client.sendall(b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n\x16\x03\x01\x02")
            assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
            with pytest.raises(ConnectionResetError):
                client.recv(4096)
        running.waitFor("the TLS handshake took too long")
        result = curl(running, lab / "ca.pem", f"https://localhost:{origins.ports['good']}/clean")
        assert result.stdout == b"<p>clean page</p>"


def browse(proxy: Twistd, authority: Authority, directory: Path, url: str) -> str:
    """The document that a browser ends with that trusts the lab's authority for this run."""
    command = [
        need("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={directory}", f"--proxy-server=http://127.0.0.1:{proxy.port('proxy')}",
        "--proxy-bypass-list=<-loopback>", f"--ignore-certificate-errors-spki-list={authority.keyHash}",
        "--dump-dom", url,
    ]  # fmt: skip
    result = subprocess.run(
        command, capture_output=True, text=True, env=ENVIRONMENT, timeout=3 * PATIENCE, check=True
    )
    return result.stdout


def test_aBrowser(proxy: Twistd, lab: Path, origins: Origins, tmp_path: Path) -> None:
    """As C{labnet ca show} advises: a clean page, and the block page in place of a blocked one."""
    base = f"https://localhost:{origins.ports['good']}"
    authority = loadAuthority(lab)
    assert "<p>clean page</p>" in browse(proxy, authority, tmp_path, f"{base}/clean")
    blocked = browse(proxy, authority, tmp_path, f"{base}/gzip")
    assert "a rule of this proxy blocks it" in blocked
    assert "xxx" not in blocked


NGINX = """
daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log stderr; user root;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {directory}/b; proxy_temp_path {directory}/p;
    fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
    server {{
        listen 127.0.0.1:{port} ssl; root {directory};
        ssl_certificate {directory}/localhost.pem; ssl_certificate_key {directory}/localhost.key;
    }}
}}
"""


def test_nginxWithACertificateOfTheLab(lab: Path, tmp_path: Path) -> None:
    """One authority for both sides: nginx has what C{labnet ca issue} made. A large file passes whole."""
    made = labnet("ca", "issue", "localhost", "--dir", str(lab), "--out", str(tmp_path))
    assert made.returncode == 0, made.stderr
    tmp_path.chmod(0o755)
    large = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(2**19))
    (tmp_path / "large.bin").write_bytes(large)
    (tmp_path / "word.html").write_text("<p>SzamHalo</p>")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "nginx.conf").write_text(NGINX.format(directory=tmp_path, port=port))
    command = [need("nginx"), "-e", "stderr", "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)]
    with (
        Running(command) as nginx,
        Twistd(
            tmp_path, "labnet-proxy", "--listen", "tcp:0", "--connect-port", "any",
            "--intercept", ".localhost", "--ca", str(lab), "--origin-ca", str(lab / "ca.pem"),
        ) as running,
    ):  # fmt: skip
        while True:
            assert nginx.process.poll() is None, nginx.text
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
        base = f"https://localhost:{port}"
        assert curl(running, lab / "ca.pem", f"{base}/large.bin").stdout == large
        blocked = curl(running, lab / "ca.pem", "-w", "%{http_code}", f"{base}/word.html")
        assert blocked.stdout.endswith(b"404")


def test_aServerOfTheLabOnTLS(lab: Path, tmp_path: Path) -> None:
    """What C{labnet ca issue} says one can do with its files."""
    made = labnet("ca", "issue", "localhost", "--dir", str(lab), "--out", str(tmp_path))
    description = re.search(r"--listen (ssl:8443:\S+)", made.stdout)
    assert description is not None
    listen = description[1].replace("ssl:8443", "ssl:0")
    with Twistd(tmp_path, "labnet-web", "--listen", listen) as running:
        url = f"https://localhost:{running.port('web')}/"
        command = [need("curl"), "-sS", "-w", "%{http_code}", "--cacert", str(lab / "ca.pem"), url]
        result = subprocess.run(
            command, capture_output=True, env=ENVIRONMENT, timeout=PATIENCE, check=False
        )
        assert result.stdout.endswith(b"200"), result
