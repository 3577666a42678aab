# mistake: reset-kills; server raw tcp
"""select, and nobody catches what recv raises when a client breaks off."""

import select
import socket
import sys

server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
clients, waiting = [], {}
while True:
    readable, writable, _ = select.select(
        [server, *(one for one in clients if not waiting[one])],
        [one for one in clients if waiting[one]],
        [],
    )
    for client in writable:
        client.setblocking(False)
        del waiting[client][: client.send(waiting[client])]
    for client in readable:
        if client is server:
            client, _ = server.accept()
            clients.append(client)
            waiting[client] = bytearray()
        elif data := client.recv(4096):
            waiting[client] += data
        else:
            clients.remove(client)
            del waiting[client]
            client.close()
