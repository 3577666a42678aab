# correct: client prefix tcp; arguments: {host} {port} prefix hétfő
# correct: client upper tcp; arguments: {host} {port} upper hello there
# correct: client ack tcp; arguments: {host} {port} ack hello
# correct: client raw tcp; arguments: {host} {port} raw hello there
# correct: client framed tcp; arguments: {host} {port} framed hello there
"""Reads exactly one answer, however it comes, and says in a sentence what went wrong."""

import socket
import struct
import sys

MOST = 2**20


def receive(server, size):
    data = b""
    while len(data) < size:
        piece = server.recv(size - len(data))
        if not piece:
            raise ConnectionError("the server has gone before the answer was complete")
        data += piece
    return data


def ask(server, style, message):
    if style == "framed":
        server.sendall(struct.pack("!I", len(message)) + message)
        (size,) = struct.unpack("!I", receive(server, 4))
        if size > MOST:
            raise ValueError("the answer is too long")
        return receive(server, size)
    server.sendall(message)
    size = {"prefix": 6 + len(message), "ack": len("Message received!")}.get(style, len(message))
    return receive(server, size)


host, port, style, *words = sys.argv[1:]
try:
    with socket.create_connection((host, int(port)), 10) as server:
        print(ask(server, style, " ".join(words).encode()).decode())
except (OSError, ValueError) as error:
    sys.exit(f"no answer: {error}")
