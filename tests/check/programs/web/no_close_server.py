# mistake: no-close; server tcp
"""Neither says how long the page is, nor closes the connection."""

import html
import socket
import sys
import threading


def serve(client):
    request = b""
    try:
        while data := client.recv(4096):
            request += data
            if b"\r\n\r\n" in request:
                page = b"<h1>Hello World</h1>"
                if request.startswith(b"GET /request"):
                    page = html.escape(request.decode("latin-1")).encode()
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + page)
                request = b""
    except OSError:
        client.close()


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
