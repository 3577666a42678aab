# mistake: format; client forward tcp
"""Asks the proxy as if it were the origin."""

import re
import socket
import sys

host, port = sys.argv[1:]
try:
    with socket.create_connection((host, int(port)), 10) as server:
        server.sendall(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        answer = b""
        while data := server.recv(4096):
            answer += data
except OSError as error:
    sys.exit(f"no page: {error}")
head, _, body = answer.partition(b"\r\n\r\n")
print(answer.decode("utf-8", "replace"))
length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
if not answer or (length and int(length[1]) != len(body)):
    sys.exit("that was not all of it")
