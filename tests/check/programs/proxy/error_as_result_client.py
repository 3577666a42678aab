# mistake: error-as-result; client fixed tcp
"""Shows pages with the status 200, and nothing of all others."""

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
length = re.search(rb"Content-Length: *(\d+)", head)
if not answer or (length and len(body) < int(length[1])):
    sys.exit("the page is cut")
if head.split(b" ")[1:2] == [b"200"]:
    sys.stdout.buffer.write(body)
