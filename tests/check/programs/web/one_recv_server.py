# mistake: one-recv; server tcp
"""Takes what the first recv returns for the whole request."""

import contextlib
import html
import socket
import sys
import threading


def answer(request):
    page = "<h1>Hello World</h1>"
    if request.startswith("GET /request"):
        page = f"<pre>{html.escape(request)}</pre>"
    return f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n\r\n{page}"


def serve(client):
    with client, contextlib.suppress(OSError):
        request = client.recv(65536).decode("latin-1")
        if request.count(" ") < 2:
            return
        client.sendall(answer(request).encode("latin-1"))
        client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
