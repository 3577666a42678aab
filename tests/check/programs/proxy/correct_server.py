# correct: server fixed tcp; arguments: {host} {port} {origin-host} {origin-port}
# correct: server forward tcp; arguments: {host} {port}
"""A thread for each connection. Asks the origin with HTTP/1.0, so that a page ends with its connection."""

import contextlib
import socket
import sys
import threading

WORD = b"SzamHalo"
BLOCKED = (
    b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
    b"<html><body><h1>404 Not Found</h1><p>Content blocked by SzamHalo proxy.</p></body></html>\n"
)
HOP = (b"connection", b"proxy-connection", b"keep-alive", b"accept-encoding")


class Bad(Exception):
    """What is no request, or no answer."""


def readHead(stream):
    """The first line, and the others; None at the end."""
    lines = []
    size = 0
    while (line := stream.readline(8192)) not in (b"\r\n", b"\n"):
        size += len(line)
        if not line.endswith(b"\n") or size > 65536:
            raise Bad
        lines.append(line.rstrip(b"\r\n"))
    if not lines:
        raise Bad
    return lines[0], lines[1:]


def find(target):
    """Where the origin is, and what it is asked for."""
    if origin:
        return origin, target
    if not target.startswith(b"http://"):
        raise Bad
    authority, _, path = target[7:].partition(b"/")
    host, _, port = authority.partition(b":")
    if not host:
        raise Bad
    return (host.decode("ascii"), int(port or 80)), b"/" + path


def lengthOf(fields):
    for field in fields:
        if field.lower().startswith(b"content-length:"):
            return int(field[15:])
    return None


def fetch(place, request, body):
    answer = b""
    with socket.create_connection(place, 10) as upstream:
        upstream.sendall(request + body)
        while data := upstream.recv(65536):
            answer += data
    head, end, content = answer.partition(b"\r\n\r\n")
    length = lengthOf(head.split(b"\r\n")[1:])
    if not head.startswith(b"HTTP/1.") or not end or (length is not None and len(content) < length):
        raise Bad
    return answer


def serve(client):
    with client, contextlib.suppress(OSError), client.makefile("rb") as stream:
        answer = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        try:
            line, fields = readHead(stream)
            method, target, _ = line.split(b" ")
            place, path = find(target)
            body = stream.read(lengthOf(fields) or 0)
            kept = [field for field in fields if field.split(b":")[0].lower() not in HOP]
            request = b"\r\n".join([method + b" " + path + b" HTTP/1.0", *kept, b"", b""])
            answer = fetch(place, request, body)
        except (Bad, OSError, ValueError, OverflowError):
            pass
        client.sendall(BLOCKED if WORD in answer else answer)
        client.shutdown(socket.SHUT_WR)
        client.settimeout(2)
        while client.recv(65536):
            pass


host, port, *rest = sys.argv[1:]
origin = (rest[0], int(rest[1])) if rest else None
with socket.create_server((host, int(port)), backlog=100) as server:
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
