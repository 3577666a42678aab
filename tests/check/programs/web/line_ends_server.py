# mistake: line-ends; server tcp
"""Writes its head with a text block."""

import contextlib
import html
import socket
import sys
import threading

HEAD = """HTTP/1.0 200 OK
Content-Type: text/html

"""


def serve(client):
    with client, contextlib.suppress(OSError):
        request = b""
        while b"\r\n\r\n" not in request:
            data = client.recv(1024)
            if not data or len(request) > 65536:
                return
            request += data
        page = "<h1>Hello World</h1>"
        if request.startswith(b"GET /request"):
            page = html.escape(request.decode("latin-1"))
        client.sendall((HEAD + page).encode())


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
