# mistake: padding; server tcp
"""No padding behind the character."""

import contextlib
import random
import socket
import struct
import sys
import threading


def receive(client):
    data = b""
    while len(data) < 5:
        piece = client.recv(5 - len(data))
        if not piece:
            return None
        data += piece
    return data


def answer(relation, number, wanted):
    if relation == b"<":
        return b"I" if wanted < number else b"N"
    if relation == b">":
        return b"I" if wanted > number else b"N"
    return b"Y" if relation == b"=" and wanted == number else b"K"


def over():
    for player in list(players):
        with contextlib.suppress(OSError):
            player.sendall(struct.pack("<ci", b"V", 0))
    players.clear()
    wanted[0] = random.randint(1, 100)


def serve(client):
    with lock:
        players.append(client)
    try:
        while client in players:
            data = receive(client)
            if data is None:
                break
            relation, number = struct.unpack("<ci", data)
            letter = answer(relation, number, wanted[0])
            with lock:
                if client not in players:
                    break
                client.sendall(struct.pack("<ci", letter, 0))
                if letter == b"Y":
                    over()
            if letter == b"K":
                break
    except OSError:
        pass
    if client in players:
        players.remove(client)
    client.close()


players, wanted = [], [random.randint(1, 100)]
lock = threading.Lock()
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
