# correct: server struct9 tcp
"""One thread, a selector, a buffer for each connection."""

import selectors
import socket
import struct
import sys

LAYOUT = struct.Struct("<ii1s")


def answer(a, b, op):
    try:
        result = {b"+": a + b, b"-": a - b, b"*": a * b, b"/": a // b if b else None}[op]
        return LAYOUT.pack(result, 0, b"R")
    except (KeyError, struct.error):
        return LAYOUT.pack(0, 0, b"E")


def accept(server, _):
    client, _ = server.accept()
    selector.register(client, selectors.EVENT_READ, (serve, bytearray()))


def serve(client, buffer):
    try:
        data = client.recv(4096)
        buffer += data
        while len(buffer) >= LAYOUT.size:
            client.sendall(answer(*LAYOUT.unpack(buffer[: LAYOUT.size])))
            del buffer[: LAYOUT.size]
    except OSError:
        data = b""
    if not data:
        selector.unregister(client)
        client.close()


selector = selectors.DefaultSelector()
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
selector.register(server, selectors.EVENT_READ, (accept, None))
while True:
    for key, _ in selector.select():
        act, buffer = key.data
        act(key.fileobj, buffer)
