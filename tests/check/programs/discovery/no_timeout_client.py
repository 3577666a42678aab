# mistake: no-timeout; client a udp
"""Waits for an answer for ever."""

import socket
import sys

client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    client.connect((sys.argv[1], int(sys.argv[2])))
    client.send(b"Hello server")
    host, port = client.recv(200).decode().split(":")
    print("the service is on", host, "port", int(port))
except (OSError, ValueError) as error:
    sys.exit(f"no address: {error}")
