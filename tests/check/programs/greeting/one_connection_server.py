# mistake: one-connection; server tcp
"""One client, and that was all."""

import socket
import sys

server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((sys.argv[1], int(sys.argv[2])))
server.listen()
client, address = server.accept()
print("connected:", address)
client.sendall(b"Hello, client! Connection established.")
client.close()
server.close()
