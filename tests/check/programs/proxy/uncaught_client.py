# mistake: uncaught; client forward tcp
"""Catches nothing."""

import socket
import sys

host, port = sys.argv[1:]
server = socket.create_connection((host, int(port)))
server.sendall(b"GET http://example.org/ HTTP/1.0\r\nHost: example.org\r\n\r\n")
answer = b""
while data := server.recv(4096):
    answer += data
head, body = answer.split(b"\r\n\r\n", 1)
sys.stdout.buffer.write(head + b"\n" + body)
if b"Content-Length: %d" % len(body) not in head:
    print("is that all?", file=sys.stderr)
