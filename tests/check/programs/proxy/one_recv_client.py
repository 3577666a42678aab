# mistake: one-recv; client forward tcp
"""Takes one recv for the answer."""

import socket
import sys

host, port = sys.argv[1:]
try:
    with socket.create_connection((host, int(port)), 10) as server:
        server.sendall(
            b"GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n"
        )
        answer = server.recv(65536)
        print(answer.decode("utf-8", "replace"))
        if not answer:
            print("no answer", file=sys.stderr)
except OSError as error:
    sys.exit(f"no page: {error}")
