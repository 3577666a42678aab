"""
What has no end, through a real proxy: a connection that changes its protocol, and events as they come.
"""

from __future__ import annotations

import socket
from pathlib import Path

from tests.integration.processes import Twistd

PATIENCE = 20.0


def test_aWebSocketPassesWhereItIsAllowed(tmp_path: Path) -> None:
    """Both sides speak as they like after the 101, until one leaves; the log says that nobody looked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = b"127.0.0.1:%d" % listener.getsockname()[1]
        with Twistd(
            tmp_path, "labnet-proxy", "--listen", "tcp:0", "--allow-upgrade", "websocket"
        ) as running:
            with socket.create_connection(("127.0.0.1", running.port("proxy")), PATIENCE) as client:
                client.sendall(
                    b"GET http://%b/ HTTP/1.1\r\nHost: %b\r\n"
                    b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" % (where, where)
                )
                origin, _ = listener.accept()
                origin.settimeout(PATIENCE)
                assert b"\r\nUpgrade: websocket\r\n" in readHead(origin)
                origin.sendall(
                    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
                )
                assert readHead(client).startswith(b"HTTP/1.1 101 ")
                client.sendall(b"\x81\x04ping")
                assert origin.recv(6, socket.MSG_WAITALL) == b"\x81\x04ping"
                origin.sendall(b"\x81\x08SzamHalo")
                assert client.recv(10, socket.MSG_WAITALL) == b"\x81\x08SzamHalo"
                origin.close()
                assert client.recv(1) == b""
            running.waitFor("101 not inspected: websocket")


def test_eventsComeAsTheyAreSent(tmp_path: Path) -> None:
    """With C{cut} each at once, before the next is written; the one with the word breaks the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = f"127.0.0.1:{listener.getsockname()[1]}"
        options = ("--listen", "tcp:0", "--target", where, "--uninspectable", "cut")
        with (
            Twistd(tmp_path, "labnet-proxy", *options) as running,
            socket.create_connection(("127.0.0.1", running.port("proxy")), PATIENCE) as client,
        ):
            client.sendall(b"GET / HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n")
            origin, _ = listener.accept()
            with origin:
                origin.settimeout(PATIENCE)
                readHead(origin)
                origin.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
                assert readHead(client).startswith(b"HTTP/1.1 200 ")
                for text in (b"data: one\n\n", b"data: two\n\n"):
                    origin.sendall(text)
                    assert client.recv(len(text), socket.MSG_WAITALL) == text
                origin.sendall(b"data: SzamHalo\n\n")
                running.waitFor('where="body"')


def readHead(stream: socket.socket) -> bytes:
    """Everything up to an empty line, and not a byte more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)
        assert byte, f"ended after {head!r}"
        head += byte
    return head
