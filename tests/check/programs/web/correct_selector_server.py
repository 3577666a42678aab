# correct: server tcp
"""One selector for all connections; the answer of the course, byte for byte."""

import html
import selectors
import socket
import sys

HEAD = b"HTTP/1.0 200 OK\r\nContent-type: text/html\r\n\r\n"


def answer(head):
    if head.startswith(b"GET /request"):
        return HEAD + b"<pre>" + html.escape(head.decode("latin-1")).encode() + b"</pre>"
    return HEAD + b"<h1>Hello World</h1>"


def close(client):
    selector.unregister(client)
    client.close()


def serve(client, state):
    try:
        data = client.recv(65536)
        if not data:
            close(client)
        elif not state["answered"]:
            state["head"] += data
            if b"\r\n\r\n" in state["head"] or len(state["head"]) > 65536:
                client.sendall(answer(state["head"]))
                client.shutdown(socket.SHUT_WR)
                state["answered"] = True
    except OSError:
        close(client)


def accept(server, _):
    client, _ = server.accept()
    selector.register(client, selectors.EVENT_READ, (serve, {"head": b"", "answered": False}))


selector = selectors.DefaultSelector()
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
selector.register(server, selectors.EVENT_READ, (accept, None))
while True:
    for key, _ in selector.select():
        act, state = key.data
        act(key.fileobj, state)
