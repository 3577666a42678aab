# mistake: wrong-address; server datagrams udp; arguments: {host} {port} {origin-host} {origin-port}
"""Replies go to the client that was heard last."""

import select
import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
behind = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
behind.connect((sys.argv[3], int(sys.argv[4])))
client = None
while True:
    for one in select.select([server, behind], [], [])[0]:
        try:
            if one is server:
                data, client = server.recvfrom(65536)
                behind.send(data)
            else:
                server.sendto(behind.recv(65536), client)
        except OSError:
            continue
