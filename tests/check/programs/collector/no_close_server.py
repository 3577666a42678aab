# mistake: no-close; server tcp
"""Reads to the end, prints, and forgets to close."""

import contextlib
import socket
import sys
import threading

clients = []


def serve(client):
    clients.append(client)
    pieces = []
    with contextlib.suppress(OSError):
        while data := client.recv(65536):
            pieces.append(data)
    print(len(pieces), "pieces")


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
