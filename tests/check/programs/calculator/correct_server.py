# correct: server struct9 tcp
"""A thread for each connection, a buffer for each, errors answered."""

import socket
import struct
import sys
import threading

LAYOUT = struct.Struct("<ii1s")


def compute(a, op, b):
    try:
        if op == b"+":
            result = a + b
        elif op == b"-":
            result = a - b
        elif op == b"*":
            result = a * b
        elif op == b"/":
            result = a // b
        else:
            return LAYOUT.pack(0, 0, b"E")
        return LAYOUT.pack(result, 0, b"R")
    except (ZeroDivisionError, struct.error):
        return LAYOUT.pack(0, 0, b"E")


def serve(client):
    buffer = b""
    with client:
        try:
            while data := client.recv(4096):
                buffer += data
                while len(buffer) >= LAYOUT.size:
                    a, b, op = LAYOUT.unpack(buffer[: LAYOUT.size])
                    buffer = buffer[LAYOUT.size :]
                    client.sendall(compute(a, op, b))
        except OSError:
            pass


server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((sys.argv[1], int(sys.argv[2])))
server.listen(100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
