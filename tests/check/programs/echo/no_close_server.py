# mistake: no-close; server ack tcp
"""Says its sentence, and waits for more."""

import socket
import sys
import threading


def serve(client):
    with client:
        try:
            if client.recv(1024):
                client.sendall(b"Message received!")
            while client.recv(1024):
                pass
        except OSError:
            pass


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
