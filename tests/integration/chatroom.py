"""
A chat server as a real process, and plain sockets in its room.
"""

from __future__ import annotations

import socket
from pathlib import Path

from tests.integration.processes import PATIENCE, Twistd

__all__ = ["Chat", "Guest"]

_EVERY_WAY = [f"--listen={way}tcp:0" for way in ("", "line=", "framed=", "web=")]


class Chat(Twistd):
    """A chat server of ours with every way in, and its ports."""

    def __init__(self, directory: Path, *options: str) -> None:
        super().__init__(directory, "labnet-chat", *_EVERY_WAY, *options)
        self.ports = {way: self.port(f"chat ({way})") for way in ("plain", "line", "framed", "web")}


class Guest:
    """A plain socket in the room."""

    def __init__(self, port: int, name: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._file = self.socket.makefile("rb")
        assert self.line() == "Enter your username: "
        self.say(name)
        self.until(f"[SERVER] {name} joined the chat!")

    def say(self, text: str) -> None:
        self.socket.sendall(text.encode() + b"\n")

    def line(self) -> str:
        return self._file.readline().decode().removesuffix("\n")

    def until(self, text: str) -> list[str]:
        """The lines up to that one."""
        lines = []
        while not lines or lines[-1] != text:
            line = self.line()
            assert line, f"{text!r} never came, but {lines}"
            lines.append(line)
        return lines

    def close(self) -> None:
        self._file.close()
        self.socket.close()
