# correct: server tcp
"""Greets, ends its half, and reads what the client says for two seconds at most."""

import socket
import sys
import threading
import time


def serve(client):
    with client:
        try:
            client.sendall(b"Hello, client! Connection established.")
            client.shutdown(socket.SHUT_WR)
            until = time.monotonic() + 2
            while (left := until - time.monotonic()) > 0:
                client.settimeout(left)
                if not client.recv(65536):
                    break
        except OSError:
            pass


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
