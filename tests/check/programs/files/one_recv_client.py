# mistake: one-recv; client course tcp; arguments: {host} {port} {folder}
"""One recv for each part of the answer."""

import os
import socket
import sys

host, port, folder = sys.argv[1:]
try:
    with socket.create_connection((host, int(port)), 10) as server:
        server.sendall(b"notes.txt")
        if server.recv(2) != b"OK":
            sys.exit("there is no such file")
        size = int(server.recv(1024))
        data = b""
        while len(data) < size and (piece := server.recv(1024)):
            data += piece
    if len(data) < size:
        sys.exit("the file is not whole")
    with open(os.path.join(folder, "notes.txt"), "wb") as file:
        file.write(data)
except (OSError, ValueError) as error:
    sys.exit(f"no file: {error}")
