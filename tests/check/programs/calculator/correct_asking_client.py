# correct: client struct9 tcp; arguments: {host} {port}
"""Asks three times on one connection, through a file object."""

import socket
import struct
import sys

QUESTIONS = [(7, b"-", 9), (-5, b"*", 6), (1000, b"+", 24)]

try:
    with (
        socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server,
        server.makefile("rb") as file,
    ):
        for a, op, b in QUESTIONS:
            server.sendall(struct.pack("<ii1s", a, b, op))
            answer = file.read(9)
            if len(answer) < 9:
                sys.exit("the server has gone")
            result, _, mark = struct.unpack("<ii1s", answer)
            print(f"{a}{op.decode()}{b}={result}" if mark == b"R" else "the server knows no answer")
except OSError as error:
    sys.exit(str(error))
