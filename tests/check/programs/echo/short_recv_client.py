# mistake: short-recv; client framed tcp; arguments: {host} {port} hello there
"""recv(n) once, for n bytes."""

import socket
import struct
import sys

message = " ".join(sys.argv[3:]).encode()
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        server.sendall(struct.pack("!I", len(message)) + message)
        (size,) = struct.unpack("!I", server.recv(4))
        if size > 2**20:
            sys.exit("that is too long")
        answer = server.recv(size)
        print(answer.decode() if len(answer) == size else "no answer")
except (OSError, struct.error) as error:
    sys.exit(f"no answer: {error}")
