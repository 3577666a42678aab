# mistake: half-answer; client framed tcp; arguments: {host} {port} hello there
"""Shows what is there when the stream ends, however much that is."""

import socket
import struct
import sys


def receive(server, size):
    data = b""
    while len(data) < size and (piece := server.recv(size - len(data))):
        data += piece
    return data


message = " ".join(sys.argv[3:]).encode()
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        server.sendall(struct.pack("!I", len(message)) + message)
        (size,) = struct.unpack("!I", receive(server, 4))
        print(receive(server, size).decode() if size <= 2**20 else "that is too long")
except (OSError, struct.error) as error:
    sys.exit(f"no answer: {error}")
