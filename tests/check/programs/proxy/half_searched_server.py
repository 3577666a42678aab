# mistake: half-searched; server fixed tcp; arguments: {host} {port} {origin-host} {origin-port}
"""Looks for the word in the page, and not in the head."""

import contextlib
import re
import socket
import sys
import threading

BLOCKED = (
    b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
    b"<html><body><h1>404 Not Found</h1><p>Content blocked by SzamHalo proxy.</p></body></html>\n"
)


def readRequest(client):
    """A whole request; None if it ends before. Asked with HTTP/1.0, the origin ends the connection."""
    request = b""
    while b"\r\n\r\n" not in request:
        data = client.recv(4096)
        if not data or len(request) > 65536:
            return None
        request += data
    head, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\nContent-Length: *(\d+)", head)
    while length and len(body) < int(length[1]):
        data = client.recv(4096)
        if not data:
            return None
        body += data
    head = re.sub(rb"(?i)\r\nAccept-Encoding:[^\r]*", b"", head)
    return head.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1) + b"\r\n\r\n" + body


def fetch(request):
    with socket.create_connection(origin, 10) as upstream:
        upstream.sendall(request)
        answer = b""
        while data := upstream.recv(65536):
            answer += data
    return answer


def serve(client):
    with client, contextlib.suppress(OSError):
        request = readRequest(client)
        if request is not None:
            answer = fetch(request)
            client.sendall(BLOCKED if b"SzamHalo" in answer.partition(b"\r\n\r\n")[2] else answer)


origin = (sys.argv[3], int(sys.argv[4]))
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
