# correct: client struct9 udp; arguments: {host} {port} 12 + 34
"""Asks five times at most, and takes the server's answers only."""

import socket
import struct
import sys

host, port, a, op, b = sys.argv[1:]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.connect((host, int(port)))
    asking.settimeout(1.0)
    for _ in range(5):
        try:
            asking.send(struct.pack("<ii1s", int(a), int(b), op.encode()))
            result, _, mark = struct.unpack("<ii1s", asking.recv(100))
        except TimeoutError:
            continue
        except (OSError, struct.error) as error:
            sys.exit(f"no answer: {error}")
        print(result if mark == b"R" else "the server answers with an error")
        break
    else:
        sys.exit("no answer came")
