# mistake: path-traversal; server tcp
"""Gives the file that the path names, and the greeting where there is none."""

import contextlib
import html
import os
import socket
import sys
import threading

ROOT = os.path.dirname(os.path.abspath(__file__))


def pageFor(request):
    if request.startswith(b"GET /request"):
        return html.escape(request.decode("latin-1")).encode()
    path = request.split()[1].decode("latin-1")
    try:
        with open(ROOT + path, "rb") as file:
            return file.read()
    except (OSError, ValueError):
        return b"<h1>Hello World</h1>"


def serve(client):
    with client, contextlib.suppress(OSError, IndexError):
        request = b""
        while b"\r\n\r\n" not in request:
            data = client.recv(4096)
            if not data or len(request) > 65536:
                return
            request += data
        client.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + pageFor(request))


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
