# mistake: waits-for-word; server tcp
"""Reads first, out of habit."""

import socket
import sys
import threading


def serve(client):
    with client:
        try:
            if client.recv(1024):
                client.sendall(b"Hello, client! Connection established.")
        except OSError:
            pass


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
