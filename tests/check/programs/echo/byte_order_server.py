# mistake: byte-order; server framed tcp
"""The length as this machine has it, not as the network has it."""

import socket
import struct
import sys
import threading


def receive(client, size):
    data = b""
    while len(data) < size:
        piece = client.recv(size - len(data))
        if not piece:
            raise ConnectionError
        data += piece
    return data


def serve(client):
    with client:
        try:
            while True:
                (length,) = struct.unpack("I", receive(client, 4))
                client.sendall(struct.pack("I", length) + receive(client, length))
        except OSError:
            pass


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
