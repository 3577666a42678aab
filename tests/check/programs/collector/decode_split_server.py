# mistake: decode-split; server tcp
"""Decodes each piece, to print it."""

import contextlib
import socket
import sys
import threading


def serve(client):
    with client, contextlib.suppress(OSError, UnicodeError):
        while data := client.recv(65536):
            print(data.decode("utf-8"))


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
