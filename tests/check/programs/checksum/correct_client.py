# correct: client tcp; arguments: {host} {port} 1
"""Asks for a checksum."""

import socket
import sys


def receive(size):
    data = b""
    while len(data) < size:
        piece = server.recv(size - len(data))
        if not piece:
            raise ConnectionError("the server has gone without an answer")
        data += piece
    return data


def lookup():
    length = b""
    while not length.endswith(b"|"):
        if len(length) > 4:
            raise ValueError(f"the answer begins with {length}")
        length += receive(1)
    size = int(length[:-1])
    return receive(size).decode("ascii") if size else "there is none"


host, port, name = sys.argv[1:]
try:
    with socket.create_connection((host, int(port)), 10) as server:
        server.sendall(f"KI|{name}".encode())
        print(lookup())
except (OSError, ValueError) as error:
    sys.exit(f"no answer: {error}")
