# mistake: input-kills; server struct9 tcp
"""A division by zero, or an unknown operator, is nobody's business."""

import selectors
import socket
import struct
import sys


def answer(a, b, op):
    result = {b"+": int.__add__, b"-": int.__sub__, b"*": int.__mul__, b"/": int.__floordiv__}[op](a, b)
    if not -(2**31) <= result < 2**31:
        return struct.pack("<ii1s", 0, 0, b"E")
    return struct.pack("<ii1s", result, 0, b"R")


def serve(client, buffer):
    try:
        data = client.recv(1024)
        buffer += data
        while len(buffer) >= 9:
            client.sendall(answer(*struct.unpack("<ii1s", buffer[:9])))
            del buffer[:9]
    except OSError:
        data = b""
    if not data:
        selector.unregister(client)
        client.close()


def accept(server, _):
    client, _ = server.accept()
    selector.register(client, selectors.EVENT_READ, (serve, bytearray()))


selector = selectors.DefaultSelector()
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
selector.register(server, selectors.EVENT_READ, (accept, None))
while True:
    for key, _ in selector.select():
        act, buffer = key.data
        act(key.fileobj, buffer)
