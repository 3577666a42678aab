"""
What the benchmarks have in common: servers as processes, what these use, and tables of the results.

Servers run on the first CPU and the load on the last, so that they do not take each other's time.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

MIB = 2**20
#: The CPU of the servers, and that of the load.
SERVERS, LOAD = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
_LISTENS = re.compile(rb"listens on (?:tcp|udp):127\.0\.0\.1:(\d+)")
#: Seconds that a server gets to stop.
_PATIENCE = 3.0
_TICKS = os.sysconf("SC_CLK_TCK")


class DidNotStart(Exception):
    """A server is not there; the text says why."""


def twistd(*options: str) -> list[str]:
    """The command of a service of ours, on the Python that runs this."""
    return [str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", *options]


def freePort() -> int:
    """A port that nobody listened on a moment ago, for servers that can not be told to choose one."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def pinned(command: Sequence[str], processor: int | None) -> list[str]:
    """The same command on one CPU; L{None} for any."""
    return list(command) if processor is None else ["taskset", "-c", str(processor), *command]


class Process(NamedTuple):
    """A line of the system's list of processes; CPU time with that of children that are gone."""

    pid: int
    parent: int
    session: int
    seconds: float


def _processes() -> list[Process]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks = sum(map(int, fields[11:15]))
        if fields[0] != "Z":
            found.append(Process(int(folder.name), int(fields[1]), int(fields[3]), ticks / _TICKS))
    return found


class Server:
    """
    A running server with all the processes it starts. Leaving the context ends them.

    @param command: must stay in the foreground.
    @param processor: the CPU it gets; L{None} for any.
    @param folder: where it runs; its home, too.
    @raise DidNotStart: there is no such program.
    """

    def __init__(
        self, command: Sequence[str], processor: int | None = SERVERS, folder: Path | None = None
    ) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        environment = dict(os.environ) if folder is None else {**os.environ, "HOME": str(folder)}
        try:
            self._process = subprocess.Popen(
                pinned(command, processor),
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the benchmark, which then ends its servers.
                start_new_session=True,
            )
        except OSError as error:
            raise DidNotStart(f"{command[0]}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def announced(self, seconds: float = 20) -> int:
        """
        The port that it says it listens on, in the words of our servers.

        @raise DidNotStart: it does not, in that time.
        """
        return self._waitFor(self._announcedPort, seconds)

    def listening(self, port: int, seconds: float = 20) -> None:
        """
        Wait until somebody listens on this port.

        @raise DidNotStart: nobody does, in that time.
        """
        self._waitFor(lambda: _accepts(port), seconds)

    def _announcedPort(self) -> int:
        match = _LISTENS.search(self._said())
        return int(match[1]) if match is not None else 0

    def _waitFor(self, ready: Callable[[], int], seconds: float) -> int:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = ready()
            if answer:
                return answer
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        last = self._said().decode("utf-8", "replace").strip().splitlines()[-1:]
        self.stop()
        raise DidNotStart("it did not start" + "".join(f": {line.strip()}" for line in last))

    def _said(self) -> bytes:
        return os.pread(self._output.fileno(), 65_536, 0)

    @property
    def running(self) -> bool:
        """Whether it has not come to its end."""
        return self._process.poll() is None

    def processes(self) -> list[Process]:
        """All that run now."""
        known: set[int] = {self._process.pid}
        everybody = _processes()
        before = 0
        while len(known) != before:
            before = len(known)
            known |= {p.pid for p in everybody if p.session == self._process.pid or p.parent in known}
        return [process for process in everybody if process.pid in known]

    @property
    def processor(self) -> float:
        """Seconds of CPU that all of them have used."""
        return sum(process.seconds for process in self.processes())

    @property
    def memory(self) -> int:
        """Bytes that are resident now; what processes share counts for each."""
        return self._status("VmRSS")

    @property
    def peak(self) -> int:
        """The most that was resident since L{forgetPeak}."""
        return self._status("VmHWM")

    def forgetPeak(self) -> None:
        """Begin to look for the peak anew."""
        for process in self.processes():
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")

    def _status(self, field: str) -> int:
        total = 0
        for process in self.processes():
            match = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
            total += int(match[1]) * 1024 if match is not None else 0
        return total

    def quiet(self, most: float = 2) -> None:
        """Wait until it has nothing to do any more."""
        deadline = time.monotonic() + most
        before, now = -1.0, self.processor
        while before != now and time.monotonic() < deadline:
            time.sleep(0.1)
            before, now = now, self.processor

    def stop(self) -> None:
        """End all of its processes; it is asked first, so that it can take away what it has elsewhere."""
        self._process.terminate()
        deadline = time.monotonic() + _PATIENCE
        while self.running and time.monotonic() < deadline:
            time.sleep(0.01)
        while running := self.processes():
            for process in sorted(running):
                try:
                    os.kill(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self._process.poll()
            time.sleep(0.01)
        self._process.wait()
        self._output.close()


def _accepts(port: int) -> int:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return 0
    return port


def installed(program: str, *folders: Path) -> str:
    """
    Where a program is, also where only the administrator's search path has it.

    @param folders: further places to look at.
    @raise DidNotStart: nowhere.
    """
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which(program, path=path)
    if found is None:
        raise DidNotStart("not installed")
    return found


def stopOnSignals() -> None:
    """Let SIGTERM and SIGHUP end a benchmark as Ctrl-C does: with its servers."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)


def spread(values: Sequence[float], places: int = 0) -> str:
    """The lowest and the highest."""
    return f"{min(values):,.{places}f} to {max(values):,.{places}f}"


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown; the first column is text, the others are numbers."""
    names = list(columns)
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
