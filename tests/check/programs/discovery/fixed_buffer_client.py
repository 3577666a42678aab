# mistake: fixed-buffer; client a udp
"""Twenty bytes are enough for localhost:9000."""

import socket
import sys

client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(1)
try:
    client.connect((sys.argv[1], int(sys.argv[2])))
    client.send(b"Hello server")
    print(client.recv(20).decode())
except (OSError, ValueError) as error:
    sys.exit(f"no address: {error}")
