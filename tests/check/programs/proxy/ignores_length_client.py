# mistake: ignores-length; client forward tcp
"""Speaks HTTP/1.1, and waits for the end of the connection."""

import re
import socket
import sys

host, port = sys.argv[1:]
answer = b""
try:
    with socket.create_connection((host, int(port)), 60) as server:
        server.sendall(b"GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n")
        while data := server.recv(4096):
            answer += data
            if answer.endswith(b"\r\n0\r\n\r\n"):
                break
except OSError as error:
    sys.exit(f"no page: {error}")
head, _, body = answer.partition(b"\r\n\r\n")
if b"chunked" in head:
    body = re.sub(rb"(?:^|\r\n)[0-9a-f]+\r\n", b"", body)
length = re.search(rb"Content-Length: *(\d+)", head)
sys.stdout.buffer.write(head + b"\n" + body)
if length and int(length[1]) > len(body):
    sys.exit("the page is cut")
