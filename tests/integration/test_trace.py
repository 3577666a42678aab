"""
Servers with C{--trace}, and plain sockets on the other side.
"""

from __future__ import annotations

import re
import socket
import ssl
import struct
from pathlib import Path

from tests.integration.certificates import certificateIn
from tests.integration.processes import PATIENCE, Twistd

REQUEST = struct.pack("ii1s", 12, 34, b"+")


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def told(server: Twistd, service: str) -> list[str]:
    """What the trace has told of one service, without its numbers."""
    lines = [re.search(rf"\b{service} #\d+ +[\d.]* *([-<>=].*)$", line) for line in server.output]
    return [match[1] for match in lines if match is not None]


def test_aCalculator(tmp_path: Path) -> None:
    """The pieces of a plain socket, what they mean, the answer, and how both sides ended."""
    with Twistd(tmp_path, "labnet-calculator", "--listen", "tcp:0", "--trace") as server:
        with connected(server.port("calculator")) as sock:
            sock.sendall(REQUEST[:4])
            server.waitFor("< 4 bytes")
            sock.sendall(REQUEST[4:])
            assert sock.recv(9)[:4] == struct.pack("i", 46)
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(9) == b""
        server.waitFor("the end:")
    first, *others = told(server, "calculator")
    assert first.startswith("- connected from 127.0.0.1:")
    assert others == [
        "< 4 bytes  0c 00 00 00  |....|",
        "= operand a 12",
        '< 5 bytes  22 00 00 00 2b  |"...+|',
        "= request 1: 12 + 34 (operand b 34, operator +)",
        "> 9 bytes  2e 00 00 00 00 00 00 00 52  |........R|",
        "= reply 1: 46 (result 46, unused 0, mark R)",
        "< FIN: the peer ends its half",
        "> we end the connection",
        "- the end: FIN from the peer; in 9 bytes, 2 pieces; out 9 bytes, 1 piece",
    ]


def test_TLSAndAReset(tmp_path: Path) -> None:
    """Over TLS the bytes are those inside, without the secret; a reset is called one. All in a file."""
    secure = certificateIn(tmp_path).listen()
    with Twistd(
        tmp_path, "labnet-echo", "--listen", f"raw={secure}", "--listen", "upper=tcp:0",
        "--trace-file", "trace.txt", "--trace-redact", "sec(ret)",
    ) as server:  # fmt: skip
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(connected(server.port("echo (raw)"))) as sock:
            sock.sendall(b"a secret")
            assert sock.recv(100) == b"a secret"
        with connected(server.port("echo (upper)")) as sock:
            sock.sendall(b"x")
            assert sock.recv(1) == b"X"
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.waitFor("lost")
    text = (tmp_path / "trace.txt").read_text("utf-8")
    assert '< 8 bytes  "a sec***"' in text
    assert '> 8 bytes  "a sec***"' in text
    assert "over TCP with TLS" in text
    assert "the end: reset by the peer" in text
    assert "a sec***" not in server.text
