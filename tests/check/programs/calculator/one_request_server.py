# mistake: one-request; server struct9 tcp
"""One answer, and the connection is closed."""

import socket
import struct
import sys
import threading


def answer(a, b, op):
    if op not in b"+-*/" or (op == b"/" and b == 0):
        return struct.pack("<ii1s", 0, 0, b"E")
    result = {b"+": a + b, b"-": a - b, b"*": a * b, b"/": a // (b or 1)}[op]
    if not -(2**31) <= result < 2**31:
        return struct.pack("<ii1s", 0, 0, b"E")
    return struct.pack("<ii1s", result, 0, b"R")


def serve(client):
    buffer = b""
    with client:
        try:
            while len(buffer) < 9:
                data = client.recv(9 - len(buffer))
                if not data:
                    return
                buffer += data
            client.sendall(answer(*struct.unpack("<ii1s", buffer)))
        except OSError:
            pass


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
