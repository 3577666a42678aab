# mistake: no-timeout; server requests tcp; arguments: {host} {port} {origin-host} {origin-port}
"""Waits for a reply for ever."""

import contextlib
import socket
import sys
import threading


def serve(client):
    behind = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with client, behind, contextlib.suppress(OSError):
        behind.connect((sys.argv[3], int(sys.argv[4])))
        while True:
            request = b""
            while len(request) < 9:
                piece = client.recv(9 - len(request))
                if not piece:
                    return
                request += piece
            behind.send(request)
            client.sendall(behind.recv(65536))


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
