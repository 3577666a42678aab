# mistake: wrong-result; server struct9 tcp
"""Subtracts the wrong way round."""

import socket
import struct
import sys
import threading


def answer(a, b, op):
    if op not in b"+-*/" or (op == b"/" and b == 0):
        return struct.pack("<ii1s", 0, 0, b"E")
    result = {b"+": a + b, b"-": b - a, b"*": a * b, b"/": a // (b or 1)}[op]
    if not -(2**31) <= result < 2**31:
        return struct.pack("<ii1s", 0, 0, b"E")
    return struct.pack("<ii1s", result, 0, b"R")


def serve(client):
    buffer = b""
    with client:
        try:
            while data := client.recv(1024):
                buffer += data
                while len(buffer) >= 9:
                    client.sendall(answer(*struct.unpack("<ii1s", buffer[:9])))
                    buffer = buffer[9:]
        except OSError:
            pass


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
