# mistake: ignores-end; client upper tcp; arguments: {host} {port} hello there
"""Reads until as much is there as was sent, also behind the end of the stream."""

import socket
import sys

message = " ".join(sys.argv[3:]).encode()
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        server.sendall(message)
        answer = b""
        while len(answer) < len(message):
            answer += server.recv(1024)
        print(answer.decode())
except OSError as error:
    sys.exit(f"no answer: {error}")
