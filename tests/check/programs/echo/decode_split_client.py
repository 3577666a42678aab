# mistake: decode-split; client prefix tcp; arguments: {host} {port} hétfő
"""Decodes each piece by itself."""

import socket
import sys

message = sys.argv[3].encode()
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        server.sendall(message)
        answer, size = "", 0
        while size < len(b"Echo: " + message):
            data = server.recv(1024)
            if not data:
                sys.exit("the server has gone")
            size += len(data)
            answer += data.decode()
        print(answer)
except OSError as error:
    sys.exit(f"no answer: {error}")
