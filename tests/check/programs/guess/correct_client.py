# correct: client tcp
"""Halves what is left until one number is left."""

import socket
import struct
import sys


def receive():
    data = b""
    while len(data) < 8:
        piece = server.recv(8 - len(data))
        if not piece:
            raise ConnectionError("the server has gone")
        data += piece
    return struct.unpack("<c3xi", data)[0]


def ask(relation, number):
    server.sendall(struct.pack("<c3xi", relation, number))
    letter = receive()
    if letter in (b"K", b"V"):
        sys.exit("I am out" if letter == b"K" else "the game is over")
    if letter not in (b"I", b"N", b"Y"):
        raise ValueError(f"the server answered {letter}")
    return letter


low, high = 1, 100
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as server:
        while low < high:
            middle = (low + high + 1) // 2
            if ask(b"<", middle) == b"I":
                high = middle - 1
            else:
                low = middle
        if ask(b"=", low) == b"Y":
            print("I have won:", low)
except (OSError, ValueError) as error:
    sys.exit(f"no game: {error}")
