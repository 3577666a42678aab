# mistake: unsigned; server int4 tcp
"""Reads and writes unsigned numbers."""

import socket
import struct
import sys
import threading


def serve(client):
    buffer = b""
    with client:
        try:
            while data := client.recv(1024):
                buffer += data
                while len(buffer) >= 9:
                    a, b, op = struct.unpack("<II1s", buffer[:9])
                    buffer = buffer[9:]
                    result = {b"+": a + b, b"-": a - b, b"*": a * b, b"/": a // b if b else 0}.get(op, 0)
                    client.sendall(struct.pack("<I", result if 0 <= result < 2**32 else 0))
        except OSError:
            pass


server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
