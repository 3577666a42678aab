# mistake: wrong-size; server tcp
"""Counts the characters of the page, and sends its bytes."""

import contextlib
import html
import socket
import sys
import threading


def serve(client):
    with client, contextlib.suppress(OSError):
        request = b""
        while b"\r\n\r\n" not in request:
            data = client.recv(4096)
            if not data or len(request) > 65536:
                return
            request += data
        page = "<h1>Hello World</h1><p>Üdvözlet a világnak!</p>"
        if request.startswith(b"GET /request"):
            page = html.escape(request.decode("latin-1"))
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n\r\n"
        client.sendall((head + page).encode("utf-8"))
        client.shutdown(socket.SHUT_WR)
        while client.recv(4096):
            pass


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
