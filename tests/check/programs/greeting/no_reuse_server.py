# mistake: no-reuse; server tcp
"""bind without SO_REUSEADDR, in a server that closes first."""

import contextlib
import socket
import sys
import threading


def serve(client):
    with client, contextlib.suppress(OSError):
        client.sendall(b"Hello, client! Connection established.")
        client.shutdown(socket.SHUT_WR)
        client.settimeout(2)
        while client.recv(65536):
            pass


server = socket.socket()
server.bind((sys.argv[1], int(sys.argv[2])))
server.listen(100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
