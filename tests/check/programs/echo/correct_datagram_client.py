# correct: client prefix udp; arguments: {host} {port} hello there
# correct: client ack udp; arguments: {host} {port} hello there
"""Asks three times, and hears nobody but the server."""

import socket
import sys

client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(1)
client.connect((sys.argv[1], int(sys.argv[2])))
for _ in range(3):
    try:
        client.send(" ".join(sys.argv[3:]).encode())
        print(client.recv(65536).decode())
        break
    except OSError:
        continue
else:
    sys.exit("no answer")
