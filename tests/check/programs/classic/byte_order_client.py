# mistake: byte-order; client time tcp
"""The bytes of this machine."""

import socket
import struct
import sys

try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        data = server.makefile("rb").read(4)
    print(struct.unpack("<I", data)[0] - 2_208_988_800, "seconds since 1970")
except (OSError, struct.error) as error:
    sys.exit(f"no answer: {error}")
