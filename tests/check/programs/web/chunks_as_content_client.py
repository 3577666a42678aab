# mistake: chunks-as-content; client tcp
"""Prints whatever comes behind the head."""

import socket
import sys

host, port = sys.argv[1:]
try:
    with socket.create_connection((host, int(port)), 10) as server:
        server.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while data := server.recv(4096):
            answer += data
except OSError as error:
    sys.exit(f"no page: {error}")
head, _, body = answer.partition(b"\r\n\r\n")
sys.stdout.buffer.write(answer)
for line in head.split(b"\r\n"):
    if line.startswith(b"Content-Length:") and int(line[15:]) > len(body):
        sys.exit("the page is cut")
