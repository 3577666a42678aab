# mistake: one-client; server tcp
"""Waits for the client to close before it accepts the next one."""

import socket
import sys

server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    client, _ = server.accept()
    with client:
        try:
            client.sendall(b"Hello, client! Connection established.")
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
        except OSError:
            pass
