# mistake: decode-split; client line tcp
"""Decodes what comes in one piece."""

import os
import socket
import sys
import threading


def listen():
    try:
        while data := server.recv(1024):
            print(data.decode(errors="replace"), end="", flush=True)
    except OSError:
        pass
    os._exit(0)


try:
    server = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    threading.Thread(target=listen, daemon=True).start()
    for line in sys.stdin:
        if line.strip() == "/quit":
            break
        server.sendall(line.encode())
except OSError as error:
    sys.exit(f"no connection: {error}")
