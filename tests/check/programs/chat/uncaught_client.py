# mistake: uncaught; client plain tcp
"""Nobody catches what input() and recv raise."""

import os
import socket
import sys
import threading


def listen():
    try:
        while data := server.recv(1024):
            print(data.decode(errors="replace"), flush=True)
    except OSError:
        pass
    os._exit(0)


try:
    server = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    threading.Thread(target=listen, daemon=True).start()
    while (line := input()) != "/quit":
        server.sendall(line.encode())
except OSError as error:
    sys.exit(f"no connection: {error}")
