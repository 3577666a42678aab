# mistake: uncaught; client tcp
"""Nothing is caught."""

import socket
import sys

with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
    server.sendall(b"one two three")
    server.shutdown(socket.SHUT_WR)
    while data := server.recv(1024):
        print(data)
