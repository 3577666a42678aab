# mistake: uncaught; client lines udp; arguments: {host} {port} chat
"""NONE has no colon, and nobody has thought of it."""

import socket
import sys

client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(1)
try:
    client.connect((sys.argv[1], int(sys.argv[2])))
    client.send(b"LOOKUP " + sys.argv[3].encode())
    host, port = client.recv(512).decode("ascii", "replace").split(":")
    print(host, port)
except OSError as error:
    sys.exit(f"no address: {error}")
