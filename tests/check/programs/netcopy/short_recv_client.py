# mistake: short-recv; client tcp; arguments: {host} {port} README.md
"""recv(2) is taken for two bytes."""

import hashlib
import socket
import sys

host, port, path = sys.argv[1:]
try:
    server = socket.create_connection((host, int(port)), 10)
    digest = hashlib.md5()
    with open(path, "rb") as file:
        while block := file.read(4096):
            server.sendall(block)
            digest.update(block)
    with socket.create_connection((host, int(port)), 10) as checksums:
        checksums.sendall(f"BE|1|60|32|{digest.hexdigest()}".encode())
        answer = checksums.recv(2)
    if answer != b"OK":
        sys.exit("the checksum server said something else")
    server.close()
except (OSError, ValueError) as error:
    sys.exit(f"not copied: {error}")
