# mistake: waits-for-end; server raw tcp
"""Collects the whole stream, and then gives it back."""

import socket
import sys
import threading


def serve(client):
    with client:
        try:
            data = b""
            while piece := client.recv(4096):
                data += piece
            client.sendall(data)
        except OSError:
            pass


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
