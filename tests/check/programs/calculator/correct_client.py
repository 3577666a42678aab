# correct: client struct9 tcp
"""Asks once, reads exactly one answer, and says in a sentence what went wrong."""

import socket
import struct
import sys

LAYOUT = struct.Struct("<ii1s")


def receive(server, size):
    data = b""
    while len(data) < size:
        piece = server.recv(size - len(data))
        if not piece:
            raise ConnectionError("the server has gone before the answer was complete")
        data += piece
    return data


def main():
    host, port, a, op, b = sys.argv[1:]
    try:
        with socket.create_connection((host, int(port)), 10) as server:
            server.sendall(LAYOUT.pack(int(a), int(b), op.encode()))
            result, _, mark = LAYOUT.unpack(receive(server, LAYOUT.size))
    except OSError as error:
        sys.exit(f"no answer: {error}")
    if mark != b"R":
        sys.exit("the server answers with an error")
    print(f"{a} {op} {b} = {result}")


main()
