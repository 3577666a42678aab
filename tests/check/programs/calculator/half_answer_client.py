# mistake: half-answer; client struct9 tcp; arguments: {host} {port} 12 + 34
"""Takes what is there at the end for the answer."""

import socket
import struct
import sys

host, port, a, op, b = sys.argv[1:]
try:
    with socket.create_connection((host, int(port)), 10) as server:
        server.sendall(struct.pack("<ii1s", int(a), int(b), op.encode()))
        answer = server.makefile("rb").read(9)
        if not answer:
            sys.exit("no answer")
        print("error" if answer.endswith(b"E") else int.from_bytes(answer[:4], "little", signed=True))
except OSError as error:
    sys.exit(f"no answer: {error}")
