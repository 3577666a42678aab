# mistake: short-recv; client tcp; arguments: {host} {port} 1
"""One recv for an answer."""

import socket
import sys

try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        server.sendall(b"KI|" + sys.argv[3].encode())
        length, _, checksum = server.recv(1024).partition(b"|")
        if len(checksum) != int(length):
            sys.exit("the answer is not whole")
        print(checksum.decode() or "there is none")
except (OSError, ValueError) as error:
    sys.exit(f"no answer: {error}")
