# mistake: short-recv; client daytime tcp
"""One recv for all that the server says."""

import socket
import sys

try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        print(server.recv(1024).decode(errors="replace"))
except OSError as error:
    sys.exit(f"no answer: {error}")
