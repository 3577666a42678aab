# mistake: fixed-buffer; server datagrams udp; arguments: {host} {port} {origin-host} {origin-port}
"""1024 bytes are enough."""

import contextlib
import socket
import sys
import threading

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
behind = {}


def back(client):
    while True:
        with contextlib.suppress(ConnectionError):
            server.sendto(behind[client].recv(1024), client)


while True:
    data, client = server.recvfrom(1024)
    if client not in behind:
        behind[client] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        behind[client].connect((sys.argv[3], int(sys.argv[4])))
        threading.Thread(target=back, args=(client,), daemon=True).start()
    with contextlib.suppress(ConnectionError):
        behind[client].send(data)
