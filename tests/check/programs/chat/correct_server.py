# correct: server plain tcp; arguments: {host} {port} plain
# correct: server line tcp; arguments: {host} {port} line
# correct: server framed tcp; arguments: {host} {port} framed
"""A thread for each member that reads, and one that sends from the member's queue."""

import contextlib
import queue
import socket
import struct
import sys
import threading

LONGEST = 4096
MOST_QUEUED = 1000


class Member:
    def __init__(self, client):
        self.client, self.buffer, self.name = client, b"", ""
        self.queue = queue.Queue(MOST_QUEUED)
        threading.Thread(target=self.send, daemon=True).start()

    def send(self):
        with contextlib.suppress(OSError):
            while (data := self.queue.get()) is not None:
                self.client.sendall(data)
            self.client.shutdown(socket.SHUT_WR)

    def say(self, text):
        data = text.encode()
        if framing == "line":
            data += b"\n"
        if framing == "framed":
            data = struct.pack(">I", len(data)) + data
        try:
            self.queue.put_nowait(data)
        except queue.Full:
            with contextlib.suppress(OSError):
                self.client.shutdown(socket.SHUT_RDWR)

    def messages(self):
        """Whole messages, as text."""
        while data := self.client.recv(4096):
            if framing == "plain":
                yield data.decode("utf-8", "replace").strip()
                continue
            self.buffer += data
            while (message := self.next()) is not None:
                yield message.decode("utf-8", "replace").strip()
            if len(self.buffer) > LONGEST + 4:
                return

    def next(self):
        if framing == "line":
            message, newline, rest = self.buffer.partition(b"\n")
            if not newline:
                return None
        else:
            if len(self.buffer) < 4:
                return None
            size = struct.unpack(">I", self.buffer[:4])[0]
            if size > LONGEST:
                raise ConnectionError("too long")
            message, rest = self.buffer[4 : 4 + size], self.buffer[4 + size :]
            if len(message) < size:
                return None
        self.buffer = rest
        return message


def broadcast(text, sender=None):
    with lock:
        for member in members.copy():
            if member is not sender:
                member.say(text)


def serve(client):
    member = Member(client)
    try:
        member.say("Enter your username: ")
        for message in member.messages():
            if message == "/quit":
                return
            if not member.name:
                if message and len(message) <= 32:
                    member.name = message
                    with lock:
                        members.append(member)
                    broadcast(f"[SERVER] {member.name} joined the chat!")
            elif message:
                broadcast(f"[{member.name}] {message}", member)
    except OSError:
        pass
    finally:
        with lock, contextlib.suppress(ValueError):
            members.remove(member)
        if member.name:
            broadcast(f"[SERVER] {member.name} left the chat")
        with contextlib.suppress(queue.Full):
            member.queue.put_nowait(None)
        # Whatever is still sent is read until the peer has closed, too.
        with contextlib.suppress(OSError), client:
            client.settimeout(2)
            while client.recv(4096):
                pass


host, port, framing = sys.argv[1:]
members, lock = [], threading.RLock()
with socket.create_server((host, int(port)), backlog=100) as server:
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
