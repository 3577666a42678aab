# mistake: one-client; server tcp
"""Collects one stream after the other."""

import contextlib
import socket
import sys

server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    client, _ = server.accept()
    with client, contextlib.suppress(OSError):
        while data := client.recv(4096):
            print(len(data), "bytes")
