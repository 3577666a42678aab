# mistake: uncaught; client tcp; arguments: {host} {port} 1
"""Catches no exception."""

import socket
import sys


def receive(size):
    data = b""
    while len(data) < size:
        piece = server.recv(size - len(data))
        if not piece:
            raise ConnectionError("the server has gone")
        data += piece
    return data


with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
    server.sendall(b"KI|" + sys.argv[3].encode())
    length = receive(2)
    if length == b"0|":
        sys.exit("there is none")
    length += receive(1)
    print(receive(int(length[:-1])).decode())
