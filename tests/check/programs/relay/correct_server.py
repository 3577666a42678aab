# correct: server requests tcp; arguments: {host} {port} {origin-host} {origin-port}
"""A thread for each client, and a connected UDP socket in it; asks three times."""

import contextlib
import socket
import struct
import sys
import threading

upstream = (sys.argv[3], int(sys.argv[4]))


def receive(client, size):
    data = b""
    while len(data) < size:
        piece = client.recv(size - len(data))
        if not piece:
            raise ConnectionError("the client has gone")
        data += piece
    return data


def ask(behind, request):
    for _ in range(3):
        with contextlib.suppress(TimeoutError):
            behind.send(request)
            return behind.recv(65536)
    return struct.pack("<ii1s", 0, 0, b"E")


def serve(client):
    behind = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with client, behind, contextlib.suppress(OSError):
        behind.settimeout(1)
        behind.connect(upstream)
        while True:
            client.sendall(ask(behind, receive(client, 9)))


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
