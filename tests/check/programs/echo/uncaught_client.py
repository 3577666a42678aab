# mistake: uncaught; client raw tcp; arguments: {host} {port} hello there
"""Nothing is caught."""

import socket
import sys

message = " ".join(sys.argv[3:]).encode()
server = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
server.sendall(message)
answer = b""
while len(answer) < len(message) and (data := server.recv(1024)):
    answer += data
print("the server says", answer.decode())
