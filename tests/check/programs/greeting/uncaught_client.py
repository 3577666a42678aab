# mistake: uncaught; client tcp
"""Nothing is caught."""

import socket
import sys

server = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
with server.makefile("rb") as stream:
    print(stream.read().decode())
