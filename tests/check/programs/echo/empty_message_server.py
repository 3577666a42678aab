# mistake: empty-message; server framed tcp
"""A length of 0 is taken for the end."""

import socket
import struct
import sys
import threading

MOST = 2**20


def receive(client, size):
    data = bytearray()
    while len(data) < size:
        piece = client.recv(size - len(data))
        if not piece:
            return b""
        data += piece
    return bytes(data)


def serve(client):
    with client:
        try:
            while length := receive(client, 4):
                (size,) = struct.unpack("!I", length)
                message = receive(client, size) if size <= MOST else b""
                if not message:
                    break
                client.sendall(length + message)
        except OSError:
            pass


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
