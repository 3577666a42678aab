# mistake: no-close; server tcp
"""Greets, and keeps the connection."""

import socket
import sys

server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
clients = []
while True:
    client, _ = server.accept()
    clients.append(client)
    try:
        client.sendall(b"Hello, client! Connection established.")
    except OSError:
        clients.remove(client)
