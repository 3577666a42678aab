# mistake: any-sender; client upper udp; arguments: {host} {port} hello there
"""The first datagram that comes is the answer."""

import socket
import sys

client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(1)
try:
    client.sendto(" ".join(sys.argv[3:]).encode(), (sys.argv[1], int(sys.argv[2])))
    print(client.recvfrom(65536)[0].decode())
except OSError as error:
    sys.exit(f"no answer: {error}")
