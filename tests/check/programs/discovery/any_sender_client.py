# mistake: any-sender; client a udp
"""The first datagram is the answer, whoever sends it."""

import socket
import sys

client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(1)
try:
    client.sendto(b"Hello server", (sys.argv[1], int(sys.argv[2])))
    data, _ = client.recvfrom(200)
    host, port = data.decode().split(":")
    print("the service is on", host, "port", int(port))
except (OSError, ValueError) as error:
    sys.exit(f"no address: {error}")
