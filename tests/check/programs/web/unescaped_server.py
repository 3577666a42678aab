# mistake: unescaped; server tcp
"""Shows the request as it came."""

import contextlib
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
        page = b"<h1>Hello World</h1>"
        if request.startswith(b"GET /request"):
            page = b"<h1>Your request</h1><pre>" + request + b"</pre>"
        client.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + page)


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
