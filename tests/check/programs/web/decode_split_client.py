# mistake: decode-split; client tcp
"""Decodes each piece by itself."""

import socket
import sys

host, port = sys.argv[1:]
text = ""
try:
    with socket.create_connection((host, int(port)), 10) as server:
        server.sendall(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        while data := server.recv(4096):
            text += data.decode("utf-8", "ignore")
except OSError as error:
    sys.exit(f"no page: {error}")
head, _, body = text.partition("\r\n\r\n")
for line in head.lower().split("\r\n"):
    if line.startswith("content-length:") and int(line.split(":")[1]) > len(body.encode()):
        print("the page is cut", file=sys.stderr)
print(text)
