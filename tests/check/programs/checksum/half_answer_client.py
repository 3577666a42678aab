# mistake: half-answer; client tcp; arguments: {host} {port} 1
"""Does not compare the length with what has come."""

import socket
import sys


def receive(size):
    data = b""
    while len(data) < size and (piece := server.recv(size - len(data))):
        data += piece
    return data


try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        server.sendall(b"KI|" + sys.argv[3].encode())
        length = receive(2)
        if length == b"0|":
            sys.exit("there is none")
        length += receive(1)
        print(receive(int(length[:-1])).decode())
except (OSError, ValueError) as error:
    sys.exit(f"no answer: {error}")
