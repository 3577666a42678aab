# mistake: ignores-end; client plain tcp
"""Reads on when recv has returned b''."""

import os
import socket
import sys
import threading


def listen():
    try:
        while True:
            data = server.recv(1024)
            if data:
                print(data.decode(errors="replace"), flush=True)
    except OSError:
        pass
    os._exit(0)


try:
    server = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    threading.Thread(target=listen, daemon=True).start()
    for line in sys.stdin:
        server.sendall(line.strip().encode())
    server.shutdown(socket.SHUT_WR)
    threading.Event().wait()
except OSError as error:
    sys.exit(f"no connection: {error}")
