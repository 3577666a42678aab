# mistake: byte-order; client b udp
"""The port in network order."""

import socket
import struct
import sys

client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(1)
try:
    client.connect((sys.argv[1], int(sys.argv[2])))
    client.send(b"GET")
    host, port = struct.unpack("!15sxi", client.recv(20))
    print(host.rstrip(b"\0").decode(), port)
except (OSError, ValueError, struct.error) as error:
    sys.exit(f"no address: {error}")
