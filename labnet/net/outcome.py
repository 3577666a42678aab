"""
How a client ends: one plain sentence and one exit status for each thing that goes wrong, the same in
every client.
"""

from __future__ import annotations

import errno
import os
from enum import IntEnum

from OpenSSL import SSL
from twisted.internet import error
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from labnet.net.tls import sentenceOf

__all__ = ["ClientError", "ExitStatus", "explain"]


class ExitStatus(IntEnum):
    """The exit statuses of every client; they are listed in C{docs/clients.md}."""

    OK = 0
    ANSWERED_ERROR = 1
    USAGE = 2
    REFUSED = 3
    TIMED_OUT = 4
    RESET = 5
    NAME_NOT_FOUND = 6
    BROKEN_PIPE = 7
    UNREACHABLE = 8
    NOT_UNDERSTOOD = 9
    BUG = 70
    INTERRUPTED = 130


class ClientError(Exception):
    """
    Something a client has a sentence for.

    @ivar status: what the process ends with.
    """

    def __init__(self, sentence: str, status: ExitStatus) -> None:
        super().__init__(sentence)
        self.status = status


_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EINVAL)


def explain(failure: Failure) -> tuple[str, ExitStatus]:
    """The sentence and the exit status for what went wrong."""
    problem = failure.value
    number = getattr(problem, "osError", None) or getattr(problem, "errno", None)
    match problem:
        case ClientError():
            return str(problem), problem.status
        case CancelledError() | error.ConnectingCancelledError():
            return "interrupted", ExitStatus.INTERRUPTED
        case error.ConnectionRefusedError() | ConnectionRefusedError():
            return _told("connection refused: nothing listens there", problem), ExitStatus.REFUSED
        case error.TimeoutError() | error.TCPTimedOutError() | TimeoutError():
            return _told("timed out: no answer came", problem), ExitStatus.TIMED_OUT
        case error.DNSLookupError() | error.UnknownHostError():
            return _told("name not found", problem), ExitStatus.NAME_NOT_FOUND
        case SSL.Error():
            return sentenceOf(problem), ExitStatus.NOT_UNDERSTOOD
        case error.CannotListenError() if problem.port:
            where = f"{problem.interface}:{problem.port}" if problem.interface else str(problem.port)
            why = getattr(problem.socketError, "strerror", None) or str(problem.socketError)
            return f"cannot listen on {where}: {why}", ExitStatus.UNREACHABLE
        case error.CannotListenError():
            return "this machine has no port left to ask from", ExitStatus.UNREACHABLE
        case BrokenPipeError():
            return "broken pipe: the reader has gone", ExitStatus.BROKEN_PIPE
        case error.ConnectionLost() | error.ConnectionDone() | ConnectionResetError():
            return "connection lost before the answer was complete", ExitStatus.RESET
        case error.ConnectError() | error.ConnectBindError() | OSError() if number in _UNREACHABLE:
            return _told("the network does not reach it", problem), ExitStatus.UNREACHABLE
        case error.ConnectError() if number:
            return f"cannot connect: {os.strerror(number)}", ExitStatus.UNREACHABLE
        case error.ConnectError() | OSError():
            return " ".join(str(problem).split()), ExitStatus.UNREACHABLE
    return f"{type(problem).__name__}: {problem}", ExitStatus.BUG


def _told(sentence: str, problem: BaseException) -> str:
    """The sentence, and what the exception knows beyond it: the system's own words often say the same."""
    more = str(problem.args[0]) if len(problem.args) == 1 and isinstance(problem.args[0], str) else ""
    return f"{sentence} ({more})" if more and more.lower() not in sentence else sentence
