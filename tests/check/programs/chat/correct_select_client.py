# correct: client plain tcp
"""Waits for the keyboard and the connection with select."""

import os
import select
import socket
import sys

try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        typed = b""
        while True:
            ready = select.select([0, server], [], [])[0]
            if server in ready:
                data = server.recv(4096)
                if not data:
                    break
                print(data.decode(errors="replace"))
            elif 0 in ready:
                data = os.read(0, 4096)
                typed += data
                *lines, typed = typed.split(b"\n")
                for line in lines:
                    server.sendall(line + b"\n")
                if not data or b"/quit" in lines:
                    break
except OSError as error:
    sys.exit(f"no connection: {error}")
