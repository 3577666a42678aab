# mistake: one-recv; client framed tcp
"""One recv is one message."""

import os
import socket
import struct
import sys
import threading


def listen():
    try:
        while data := server.recv(1024):
            size = int.from_bytes(data[:4], "big")
            print(data[4 : 4 + size].decode(errors="replace"), flush=True)
    except OSError:
        pass
    os._exit(0)


try:
    server = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    threading.Thread(target=listen, daemon=True).start()
    for line in sys.stdin:
        if line.strip() == "/quit":
            break
        data = line.strip().encode()
        server.sendall(struct.pack(">I", len(data)) + data)
except OSError as error:
    sys.exit(f"no connection: {error}")
