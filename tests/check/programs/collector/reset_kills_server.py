# mistake: reset-kills; server tcp
"""select, and an exception of one client ends all."""

import select
import socket
import sys

server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
pieces = {}
while True:
    for one in select.select([server, *pieces], [], [])[0]:
        if one is server:
            client, _ = server.accept()
            pieces[client] = []
        elif data := one.recv(65536):
            pieces[one].append(data)
        else:
            print(pieces.pop(one)[:20])
            one.close()
