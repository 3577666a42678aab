# mistake: reset-kills; server tcp; arguments: {host} {port} {origin-host} {origin-port}
"""One copy after another, and a reset ends the program."""

import hashlib
import socket
import sys
import time


def lookup():
    """The checksum that is kept, or None."""
    with socket.create_connection(checksums, 5) as server:
        server.sendall(b"KI|1")
        data = b""
        while not (b"|" in data and len(data) >= data.index(b"|") + 1 + int(data[: data.index(b"|")])):
            piece = server.recv(1024)
            if not piece:
                return None
            data += piece
        return data.partition(b"|")[2].decode(errors="replace")


def serve(client):
    digest = hashlib.md5()
    while data := client.recv(65536):
        digest.update(data)
    found = None
    for _ in range(10):
        try:
            found = lookup()
        except (OSError, ValueError):
            found = None
        if found:
            break
        time.sleep(0.1)
    print("CSUM OK" if found == digest.hexdigest() else "CSUM CORRUPTED", flush=True)
    client.close()


checksums = sys.argv[3], int(sys.argv[4])
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    serve(server.accept()[0])
