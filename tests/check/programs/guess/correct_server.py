# correct: server tcp
"""One thread with a selector, and a buffer for each player."""

import contextlib
import random
import selectors
import socket
import struct
import sys

LAYOUT = struct.Struct("<c3xi")


class Game:
    def __init__(self):
        self.number = random.randint(1, 100)
        self.players = set()

    def answer(self, relation, number):
        if relation == b"<":
            return b"I" if self.number < number else b"N"
        if relation == b">":
            return b"I" if self.number > number else b"N"
        return b"Y" if relation == b"=" and self.number == number else b"K"


def send(client, letter):
    with contextlib.suppress(OSError):
        client.sendall(LAYOUT.pack(letter, 0))


def drop(client, game):
    game.players.discard(client)
    selector.unregister(client)
    client.close()


def finish(client):
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_WR)


def serve(client, game, buffer):
    global current
    try:
        data = client.recv(4096)
    except OSError:
        data = b""
    buffer += data
    while len(buffer) >= LAYOUT.size and client in game.players:
        letter = game.answer(*LAYOUT.unpack(buffer[: LAYOUT.size]))
        del buffer[: LAYOUT.size]
        send(client, letter)
        if letter == b"K":
            game.players.discard(client)
            finish(client)
        if letter == b"Y":
            for player in list(game.players):
                send(player, b"V")
                finish(player)
            game.players.clear()
            current = Game()
    if not data:
        drop(client, game)


selector = selectors.DefaultSelector()
current = Game()
server = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=100)
selector.register(server, selectors.EVENT_READ)
while True:
    for key, _ in selector.select():
        if key.data is None:
            client, _ = server.accept()
            current.players.add(client)
            selector.register(client, selectors.EVENT_READ, (client, current, bytearray()))
        else:
            serve(*key.data)
