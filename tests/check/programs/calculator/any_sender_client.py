# mistake: any-sender; client struct9 udp; arguments: {host} {port} 12 + 34
"""Takes an answer from anybody."""

import socket
import struct
import sys

host, port, a, op, b = sys.argv[1:]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.settimeout(0.4)
    try:
        asking.sendto(struct.pack("<ii1s", int(a), int(b), op.encode()), (host, int(port)))
        result, _, mark = struct.unpack("<ii1s", asking.recvfrom(100)[0])
        print(result if mark == b"R" else "error")
    except (OSError, struct.error) as error:
        sys.exit(f"no answer: {error}")
