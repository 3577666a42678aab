# mistake: ignores-end; client tcp
"""Reads until Content-Length is there, and does not notice the end of the stream."""

import socket
import sys

host, port = sys.argv[1:]
try:
    with socket.create_connection((host, int(port)), 10) as server:
        server.sendall(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += server.recv(4096)
        head, _, body = answer.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line.startswith(b"Content-Length:"):
                length = int(line[15:])
        while len(body) < length or (not length and (data := server.recv(4096))):
            body += data if not length else server.recv(4096)
        sys.stdout.buffer.write(head + b"\n" + body)
except OSError as error:
    sys.exit(f"no page: {error}")
