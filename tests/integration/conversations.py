"""
Programs that talk to each other through their standard streams: netcat, and those that do what it does.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest

from tests.integration.processes import ENVIRONMENT, PATIENCE, eventually, need

NC = [sys.executable, "-m", "labnet", "nc"]


class Program:
    """
    A program with its three streams: what it writes is read as it comes, except if C{stdout} is given.

    @ivar err: the lines of standard error so far.
    """

    def __init__(
        self,
        *command: str,
        stdin: int | IO[bytes] = subprocess.PIPE,
        stdout: int | IO[bytes] = subprocess.PIPE,
    ) -> None:
        self.out = bytearray()
        self.err: list[str] = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, env=ENVIRONMENT, bufsize=0
        )
        readers = [threading.Thread(target=self._readErr, daemon=True)]
        if stdout == subprocess.PIPE:
            readers.append(threading.Thread(target=self._readOut, daemon=True))
        self._readers = readers
        for reader in readers:
            reader.start()

    def _readErr(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.err.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                self._news.notify_all()

    def _readOut(self) -> None:
        assert self.process.stdout is not None
        while data := self.process.stdout.read(65536):
            with self._news:
                self.out += data
                self._news.notify_all()

    def told(self, pattern: str) -> re.Match[str]:
        """Wait for a line of standard error."""

        def search() -> re.Match[str] | None:
            found = (re.search(pattern, line) for line in self.err)
            return next((match for match in found if match), None)

        with self._news:
            self._news.wait_for(lambda: search() or self.process.poll() is not None, PATIENCE)
            self._news.wait_for(lambda: search(), 1.0)
        match = search()
        if match is None:
            pytest.fail(f"no line matches {pattern!r} in {self.err}", pytrace=False)
        return match

    def saw(self, data: bytes) -> None:
        """Wait for something on standard output."""
        with self._news:
            if not self._news.wait_for(lambda: data in self.out, PATIENCE):
                pytest.fail(f"{data!r} is not in {bytes(self.out[-200:])!r}; {self.err}", pytrace=False)

    def say(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def end(self) -> None:
        """The end of its input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def ends(self) -> int:
        """Wait for its end, and return the exit status."""
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pytest.fail(f"does not end; {bytes(self.out[-200:])!r}; {self.err}", pytrace=False)
        for reader in self._readers:
            reader.join(PATIENCE)
        return status

    @property
    def port(self) -> int:
        """Where it listens, as the kernel has it: not all of them say it."""
        ports: list[int] = []

        def listens() -> bool:
            ports.extend(self._ports())
            return bool(ports) or self.process.poll() is not None

        eventually(listens, "it listens")
        if not ports:
            pytest.fail(f"it has ended: {self.err}", pytrace=False)
        return ports[0]

    def _ports(self) -> Iterator[int]:
        sockets = set()
        for file in Path(f"/proc/{self.process.pid}/fd").iterdir():
            # It may be closed by now.
            with suppress(OSError):
                sockets.add(os.readlink(file))
        # A TCP socket that listens, a UDP socket that has a port.
        for table, state in (("tcp", "0A"), ("udp", "07")):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == state and f"socket:[{fields[9]}]" in sockets:
                    yield int(fields[1].partition(":")[2], 16)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Programs(list[Program]):
    """The programs of a test; none of them outlives it."""

    def start(self, *command: str, **streams: IO[bytes] | int) -> Program:
        self.append(Program(*command, **streams))
        return self[-1]

    def nc(self, *arguments: str, **streams: IO[bytes] | int) -> Program:
        """Ours."""
        return self.start(*NC, *arguments, **streams)


# The others, as who listens and as who connects.

LISTENERS = {
    "nc": ["nc.openbsd", "-v", "-N", "-l", "127.0.0.1", "0"],
    "ncat": ["ncat", "-v", "-l", "127.0.0.1", "0"],
    "socat": ["socat", "-d", "-d", "-t", "20", "-", "TCP-LISTEN:0,bind=127.0.0.1"],
    "ours": [*NC, "-l", "0"],
}
CONNECTORS = {
    "nc": ["nc.openbsd", "-N", "127.0.0.1", "PORT"],
    "ncat": ["ncat", "127.0.0.1", "PORT"],
    "socat": ["socat", "-t", "20", "-", "TCP:127.0.0.1:PORT"],
}


def found(command: list[str], port: int = 0) -> list[str]:
    """The command, with the program looked for and the port filled in."""
    first = command[0] if command[0] == sys.executable else need(command[0])
    return [first, *(word.replace("PORT", str(port)) for word in command[1:])]


def answersAfterTheEnd(asks: Program, answers: Program) -> None:
    """One side ends its half; the other hears that everything has come, and its answer still arrives."""
    asks.say(b"question\x00\xff\n")
    asks.end()
    answers.saw(b"question\x00\xff\n")
    answers.say(b"answer\n")
    answers.say(b"more\n")
    answers.end()
    assert (asks.ends(), answers.ends()) == (0, 0), asks.err + answers.err
    assert (asks.out, answers.out) == (b"answer\nmore\n", b"question\x00\xff\n")


def digest(path: Path) -> str:
    """What two files have in common that are the same."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
