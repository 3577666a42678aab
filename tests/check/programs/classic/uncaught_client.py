# mistake: uncaught; client daytime tcp
"""Catches no exception."""

import socket
import sys

with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
    print(server.makefile("rb").read().decode())
