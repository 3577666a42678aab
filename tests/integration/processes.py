"""
Real programs for the integration tests: servers of ours under C{twistd}, other people's programs, and
plain-socket programs of students.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
#: Seconds that anything may take before a test gives up: generous, for it is only reached on failure.
PATIENCE = 30.0

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")} | {
    "PYTHONUNBUFFERED": "1"
}
if ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", ""):
    # Without bytecode each of some thousand programs would compile all of labnet: it is kept for this run.
    _bytecode = tempfile.TemporaryDirectory(prefix="labnet-bytecode-")
    ENVIRONMENT["PYTHONPYCACHEPREFIX"] = _bytecode.name

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So it is for what a shell runs in the background, and for all that this starts: it hears no Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def need(program: str) -> str:
    """
    The path of a program that is not ours. Where it is missing the test is skipped, except on a
    continuous integration machine, where it must be there.
    """
    path = shutil.which(program)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(f"{program} is not installed")
        pytest.skip(f"{program} is not installed")
    return path


class Running:
    """
    A process whose output is read as it comes.

    @ivar output: the lines of standard output and standard error so far.
    """

    def __init__(
        self, command: list[str], cwd: Path | None = None, stdin: int = subprocess.DEVNULL
    ) -> None:
        self.output: list[str] = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env=ENVIRONMENT,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.output.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    @property
    def text(self) -> str:
        """All output so far."""
        return "\n".join(self.output)

    def waitFor(self, pattern: str) -> re.Match[str]:
        """Wait until a line of output matches, and return the match; fail when it never does."""
        found: list[re.Match[str]] = []

        def matches() -> bool:
            for line in self.output:
                match = re.search(pattern, line)
                if match:
                    found.append(match)
                    return True
            return not self._reader.is_alive()

        with self._news:
            self._news.wait_for(matches, PATIENCE)
        if not found:
            pytest.fail(f"no line matches {pattern!r} in:\n{self.text}", pytrace=False)
        return found[0]

    def wait(self) -> int:
        """Wait for the end, and return the exit status."""
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status

    def stop(self, signalNumber: int = signal.SIGTERM) -> int:
        """Ask it to end, and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signalNumber)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            pytest.fail(f"did not stop:\n{self.text}", pytrace=False)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


class Twistd(Running):
    """
    C{twistd -n PLUGIN ...} in a directory of its own. When it is left there must be no traceback in
    what it wrote.
    """

    def __init__(self, directory: Path, *arguments: str) -> None:
        super().__init__([str(BIN / "twistd"), "-n", "--pidfile=", *arguments], cwd=directory)

    def port(self, service: str, transport: str = "tcp") -> int:
        """The port that a service has logged to listen on; C{service} may name the detail, too."""
        match = self.waitFor(rf"{re.escape(service)}.* listens on {transport}:.*:(\d+)$")
        return int(match[1])

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        if exception[0] is None:
            assert "Traceback" not in self.text, self.text


def labnet(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the C{labnet} command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "labnet", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=PATIENCE,
        check=False,
    )


def student(source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a student's program, given as text, to its end, as a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", source, *arguments],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=PATIENCE,
        check=False,
    )


def eventually(condition: object, what: str) -> None:
    """Wait until C{condition()} holds: for what another process does and does not announce."""
    assert callable(condition)
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"never happened: {what}", pytrace=False)
        pause.wait(0.01)
