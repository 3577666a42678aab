# mistake: one-client; server discard tcp
"""One client after another."""

import socket
import sys


def serve(client):
    try:
        while client.recv(1024):
            pass
    except OSError:
        pass
    client.close()


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    serve(server.accept()[0])
