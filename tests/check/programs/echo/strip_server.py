# mistake: altered; server raw tcp
"""Strips what it gets, as one does with a line that somebody has typed."""

import socket
import sys
import threading


def serve(client):
    with client:
        try:
            while data := client.recv(4096):
                client.sendall(data.strip())
        except OSError:
            pass


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
