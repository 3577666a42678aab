"""
Runs one program of somebody else's, and lets nothing of it survive: a process of its own, between the
examiner and the program.

It is run as a file by the bare interpreter, for it has to start fast, and imports nothing of labnet. The
program and everything that it starts are its descendants, also those that have left the program's session:
the keeper takes orphans in (C{PR_SET_CHILD_SUBREAPER}). When the program ends, when the examiner closes the
pipe C{CONTROL} or dies itself, or when a limit is passed, all of them are killed. One line on the pipe
C{STATUS} then says how it ended.

Memory and processes are watched, not limited: the system's limits on them count addresses that nobody uses
(C{RLIMIT_AS}), and the processes of the whole user (C{RLIMIT_NPROC}; it is set besides, far above what
there is).
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
import time

__all__ = ["CONTROL", "STATUS", "main"]

#: Descriptors: its end is the order to kill; and where the end of the program is told.
CONTROL, STATUS = 3, 4

_SET_PARENT_DEATH_SIGNAL, _SET_CHILD_SUBREAPER = 1, 36
#: Seconds between two looks at what the program takes.
_INTERVAL = 0.05
_MIB = 2**20


def _children(pid: int) -> list[int]:
    """The children of a process, of all its threads."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += map(int, file.read().split())
    except OSError:
        pass
    return found


def descendants(pid: int) -> list[int]:
    """Everything that a process has started, and what that has started."""
    found = _children(pid)
    for one in found:
        found += _children(one)
    return found


def _memory(pid: int) -> int:
    """Bytes of memory that a process really has."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, hard))


def _processesOfUser() -> int:
    """Those that there are, all threads counted, for that is what the limit is compared with."""
    mine = os.getuid()
    count = 0
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == mine:
                count += len(os.listdir(f"/proc/{name}/task"))
        except OSError:
            continue
    return count


def _become(command: list[str], most: int) -> None:
    """In the child: be the program."""
    os.setsid()
    _prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.close(CONTROL)
    os.close(STATUS)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, 120)
    _limit(resource.RLIMIT_FSIZE, 256 * _MIB)
    if os.getuid():  # It is no limit for root.
        _limit(resource.RLIMIT_NPROC, _processesOfUser() + 4 * most)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.stderr.flush()
    os._exit(127)


def _killAll() -> None:
    """Until there is nobody left. What is stopped first can start nothing more meanwhile."""
    while found := descendants(os.getpid()):
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in found:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    continue
        _reap(-1)
        time.sleep(0.001)
    _reap(-1)


def _reap(program: int) -> int | None:
    """Take the ends of those that have ended; the program's own, if it is among them."""
    status = None
    try:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == program:
                status = ended[1]
    except ChildProcessError:
        pass
    return status


def _watch(program: int, memory: int, most: int) -> str:
    """Wait for the end, and return how it came."""
    wakes, wakened = os.pipe()
    os.set_blocking(wakened, False)
    signal.set_wakeup_fd(wakened)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    while True:
        status = _reap(program)
        if status is not None:
            code = os.waitstatus_to_exitcode(status)
            return f"exit {code}" if code >= 0 else f"signal {-code}"
        # The examiner writes nothing: what can be read is the end.
        ready, _, _ = select.select([CONTROL, wakes], [], [], _INTERVAL)
        if CONTROL in ready:
            return "killed"
        if wakes in ready:
            os.read(wakes, 1024)
        found = descendants(os.getpid())
        if len(found) > most:
            return "forks"
        if sum(map(_memory, found)) > memory:
            return "memory"


def main(arguments: list[str]) -> None:
    """Run the keeper: memory in bytes, number of processes, then the command."""
    memory, most, *command = arguments
    _prctl(_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    program = os.fork()
    if program == 0:
        _become(command, int(most))
    for descriptor in (0, 1, 2):
        # The program's streams end with the program, not with its keeper.
        os.close(descriptor)
    try:
        os.write(STATUS, b"pid %d\n" % program)
        how = _watch(program, int(memory), int(most))
    finally:
        _killAll()
    os.write(STATUS, how.encode("ascii") + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:])
