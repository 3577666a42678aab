# correct: server datagrams udp; arguments: {host} {port} {origin-host} {origin-port}
"""A connected socket for each client."""

import selectors
import socket
import sys

selector = selectors.DefaultSelector()
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
selector.register(server, selectors.EVENT_READ)
behind = {}
while True:
    for key, _ in selector.select():
        try:
            if key.fileobj is server:
                data, client = server.recvfrom(65536)
                if client not in behind:
                    behind[client] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    behind[client].connect((sys.argv[3], int(sys.argv[4])))
                    selector.register(behind[client], selectors.EVENT_READ, client)
                behind[client].send(data)
            else:
                server.sendto(key.fileobj.recv(65536), key.data)
        except OSError:
            continue
