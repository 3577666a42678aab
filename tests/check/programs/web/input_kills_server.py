# mistake: input-kills; server tcp
"""One bad request line ends the one loop that there is for all."""

import html
import selectors
import socket
import sys

HEAD = "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n"


def serve(client, request):
    data = client.recv(65536)
    request += data
    if not data:
        selector.unregister(client)
        client.close()
    elif b"\r\n\r\n" in request and request != b"\r\n\r\n":
        text = bytes(request).decode()
        path = text.split(" ")[1]
        page = html.escape(text) if path.startswith("/request") else "<h1>Hello World</h1>"
        client.sendall((HEAD + page).encode())
        client.shutdown(socket.SHUT_WR)
    elif len(request) > 65536:
        client.shutdown(socket.SHUT_RDWR)


def accept(server, _):
    client, _ = server.accept()
    selector.register(client, selectors.EVENT_READ, (careful, bytearray()))


def careful(client, request):
    try:
        serve(client, request)
    except OSError:
        selector.unregister(client)
        client.close()


selector = selectors.DefaultSelector()
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
selector.register(server, selectors.EVENT_READ, (accept, None))
while True:
    for key, _ in selector.select():
        act, request = key.data
        act(key.fileobj, request)
