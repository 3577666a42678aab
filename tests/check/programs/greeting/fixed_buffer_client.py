# mistake: fixed-buffer; client tcp
"""recv(1024, MSG_WAITALL) waits for all of it, so long as it is not more than 1024 bytes."""

import socket
import sys

try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as server:
        print(server.recv(1024, socket.MSG_WAITALL).decode("utf-8", "replace"))
except OSError as error:
    sys.exit(f"no greeting: {error}")
