# mistake: early-close; server tcp
"""Answers as soon as it has the request-line, and closes over the rest of the request."""

import contextlib
import html
import socket
import sys
import threading

ANSWER = b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n"


def serve(client):
    with client, contextlib.suppress(OSError):
        request = b""
        while b"\r\n\r\n" not in request and len(request) < 1024:
            data = client.recv(1024)
            if not data:
                return
            request += data
        page = b"<h1>Hello World</h1>"
        if request.startswith(b"GET /request"):
            page = html.escape(request.decode("latin-1")).encode()
        client.sendall(ANSWER + page)


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
