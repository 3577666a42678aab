# mistake: one-client; server tcp
"""One connection after the other: whoever says nothing holds up all the others."""

import html
import socket
import sys


def serve(client):
    request = b""
    while b"\r\n\r\n" not in request and len(request) < 65536:
        data = client.recv(4096)
        if not data:
            return
        request += data
    page = b"<h1>Hello World</h1>"
    if request.startswith(b"GET /request"):
        page = html.escape(request.decode("latin-1")).encode()
    client.sendall(b"HTTP/1.0 200 OK\r\nContent-type: text/html\r\n\r\n" + page)
    client.shutdown(socket.SHUT_WR)
    client.settimeout(2)
    while client.recv(65536):
        pass


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    with server.accept()[0] as client:
        try:
            serve(client)
        except OSError as error:
            print(error)
