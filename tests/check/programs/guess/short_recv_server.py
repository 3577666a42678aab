# mistake: short-recv; server tcp
"""recv(8) is taken for 8 bytes."""

import contextlib
import random
import socket
import struct
import sys
import threading


def receive(client):
    data = client.recv(8)
    return data if len(data) == 8 else None


def answer(relation, number, wanted):
    if relation == b"<":
        return b"I" if wanted < number else b"N"
    if relation == b">":
        return b"I" if wanted > number else b"N"
    return b"Y" if relation == b"=" and wanted == number else b"K"


def over():
    for player in list(players):
        with contextlib.suppress(OSError):
            player.sendall(struct.pack("<c3xi", b"V", 0))
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
            relation, number = struct.unpack("<c3xi", data)
            letter = answer(relation, number, wanted[0])
            with lock:
                if client not in players:
                    break
                client.sendall(struct.pack("<c3xi", letter, 0))
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
