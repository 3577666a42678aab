"""
A sentence and an exit status for everything that goes wrong.
"""

from __future__ import annotations

import errno
import socket

import pytest
from OpenSSL import SSL
from twisted.internet import error
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from labnet.net.outcome import ClientError, ExitStatus, explain


@pytest.mark.parametrize(
    ("problem", "status", "sentence"),
    [
        (ClientError("no such thing", ExitStatus.ANSWERED_ERROR), 1, "no such thing"),
        (CancelledError(), 130, "interrupted"),
        (error.ConnectingCancelledError(None), 130, "interrupted"),
        (error.ConnectionRefusedError(), 3, "connection refused: nothing listens there"),
        (
            ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
            3,
            "connection refused: nothing listens there",
        ),
        (
            error.ConnectionRefusedError("Connection refused"),
            3,
            "connection refused: nothing listens there",
        ),
        (error.TimeoutError(), 4, "timed out: no answer came"),
        (TimeoutError("no answer in 3 tries"), 4, "timed out: no answer came (no answer in 3 tries)"),
        (error.TCPTimedOutError(), 4, "timed out: no answer came"),
        (error.ConnectionDone(), 5, "connection lost before the answer was complete"),
        (error.ConnectionLost(), 5, "connection lost before the answer was complete"),
        (
            ConnectionResetError(errno.ECONNRESET, "reset"),
            5,
            "connection lost before the answer was complete",
        ),
        (error.ConnectionAborted(), 5, "connection lost before the answer was complete"),
        (error.DNSLookupError("no address"), 6, "name not found (no address)"),
        (error.UnknownHostError(), 6, "name not found"),
        (BrokenPipeError(errno.EPIPE, "pipe"), 7, "broken pipe: the reader has gone"),
        (
            error.NoRouteError(osError=errno.EHOSTUNREACH, string="no route"),
            8,
            "the network does not reach it",
        ),
        (OSError(errno.ENETUNREACH, "unreachable"), 8, "the network does not reach it"),
        (error.ConnectBindError(osError=errno.EADDRNOTAVAIL), 8, "the network does not reach it"),
        (PermissionError(errno.EACCES, "Permission denied"), 8, "Permission denied"),
        (error.CannotListenError("", 0, OSError()), 8, "no port left"),
        (
            error.CannotListenError("127.0.0.1", 9, OSError(98, "Address already in use")),
            8,
            "cannot listen on 127.0.0.1:9: Address already in use",
        ),
        (
            error.CannotListenError("", "/tmp/x", OSError(13, "Denied")),
            8,
            "cannot listen on /tmp/x: Denied",
        ),
        (error.ConnectError(errno.ENOENT, "x"), 8, "cannot connect: No such file or directory"),
        (SSL.Error([("SSL routines", "", "http request")]), 9, "TLS: http request"),
        (SSL.Error(), 9, "TLS: the peer does not speak it"),
        (ZeroDivisionError("x"), 70, "ZeroDivisionError: x"),
    ],
)
def test_everyProblemHasItsStatus(problem: Exception, status: int, sentence: str) -> None:
    text, got = explain(Failure(problem))
    assert got == status
    assert sentence in text
    assert "\n" not in text


def test_gaierror() -> None:
    text, status = explain(Failure(socket.gaierror(-2, "Name or service not known")))
    assert status in (ExitStatus.NAME_NOT_FOUND, ExitStatus.UNREACHABLE)
    assert "Name or service not known" in text


def test_theStatusesAreWhatTheDocumentationSays() -> None:
    assert {status.name: int(status) for status in ExitStatus} == {
        "OK": 0, "ANSWERED_ERROR": 1, "USAGE": 2, "REFUSED": 3, "TIMED_OUT": 4, "RESET": 5,
        "NAME_NOT_FOUND": 6,
        "BROKEN_PIPE": 7, "UNREACHABLE": 8, "NOT_UNDERSTOOD": 9, "BUG": 70, "INTERRUPTED": 130,
    }  # fmt: skip
