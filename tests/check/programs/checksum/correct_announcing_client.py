# correct: client tcp; arguments: {host} {port} 1 60 d41d8cd98f00b204e9800998ecf8427e
"""Announces a checksum."""

import socket
import sys

host, port, name, seconds, checksum = sys.argv[1:]
try:
    with socket.create_connection((host, int(port)), 10) as server:
        server.sendall(f"BE|{name}|{seconds}|{len(checksum)}|{checksum}".encode())
        print("announced" if server.makefile("rb").read(2) == b"OK" else "refused")
except OSError as error:
    sys.exit(f"no answer: {error}")
