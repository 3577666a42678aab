# correct: server prefix udp; arguments: {host} {port} prefix
# correct: server ack udp; arguments: {host} {port} ack
"""Answers each datagram to whom it came from."""

import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    try:
        data, address = server.recvfrom(65536)
        server.sendto(b"Echo: " + data if sys.argv[3] == "prefix" else b"ACK: Message received!", address)
    except OSError:
        continue
