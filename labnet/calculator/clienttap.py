"""
C{labnet calculator} and C{twistd labnet-calculator-client}: ask a calculator.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from typing import Any, ClassVar, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from labnet.calculator.arithmetic import Calculation, Fault, Number
from labnet.calculator.client import Calculator, CalculatorClientFactory, DatagramCalculator
from labnet.calculator.wire import DEFAULT_PROFILE, PROFILES, ReplyNotUnderstood
from labnet.catalogue import Entry, Kind, entryFor
from labnet.discovery.client import discover
from labnet.net.console import Console
from labnet.net.endpoints import (
    BadEndpoint,
    isDatagram,
    parseDatagramTarget,
    parseStreamClient,
)
from labnet.net.options import CommandOptions, UsageError, choice, globalReactor, number
from labnet.net.outcome import ClientError, ExitStatus
from labnet.net.service import ClientService

__all__ = ["Options", "makeService", "parseExpression", "run"]

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
# A letter is an operator only if it stands alone: 1e5 is a number, and so is 12345.
_OPERATOR = r"[^\s\w.]|(?<=\s)[^\W\d_](?=\s)"
_EXPRESSION = re.compile(rf"\s*({_NUMBER})\s*({_OPERATOR})\s*({_NUMBER})\s*", re.ASCII)
_NEGATIVE = re.compile(r"-[\d.]", re.ASCII)
_LONGEST = 200

_SENTENCES = {
    Fault.DIVISION_BY_ZERO: "division by zero",
    Fault.UNKNOWN_OPERATOR: "the server does not know this operator",
    Fault.OUT_OF_RANGE: "the result does not fit",
    Fault.MALFORMED: "the server does not understand this",
    Fault.NO_REPLY: "the server behind the relay did not answer",
    Fault.UNTOLD: "the server answered with an error",
}


def parseExpression(text: str) -> Calculation:
    """
    Read C{12 + 34}: two numbers with an operator of one character between them.

    @raise ValueError: it is not of that form.
    """
    match = _EXPRESSION.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise ValueError(f"{text[:40]!r} is not of the form NUMBER OPERATOR NUMBER")
    return Calculation(_number(match[1]), match[2], _number(match[3]))


def _number(text: str) -> Number:
    return float(text) if set(text) & set(".eE") else int(text)


class Options(CommandOptions):
    """The options of the calculator's client."""

    synopsis = "[options] [NUMBER OPERATOR NUMBER]"
    longdesc = "Asks a calculator. Without an expression it reads them from standard input, one a line."

    entry: ClassVar[Entry] = entryFor("calculator", Kind.CLIENT)

    optParameters = [
        ["connect", "c", None,
         f"The calculator, tcp:HOST:PORT or udp:HOST:PORT [default: {entry.endpoints[0]}]."],
        ["discover", "d", None, "Ask this address server (udp:HOST:PORT) where the calculator is."],
        ["name", None, None, "With --discover: the name it is registered under; unset, the "
         "question of the course ('Hello server')."],
        ["profile", "p", DEFAULT_PROFILE.name, "Dialect: " + ", ".join(PROFILES) + ".",
         choice("profile", PROFILES)],
        ["timeout", "t", 5.0, "Seconds to wait for each reply.", number(float, "timeout", 0.001)],
        ["ahead", None, 256, "Lines of standard input that are asked before the first is answered; 1 for "
         "a server that can not tell two requests in one segment apart.", number(int, "ahead", 1)],
        ["tries", None, 3, "Over UDP: how often a question is sent.", number(int, "tries", 1)],
    ]  # fmt: skip

    expression: Calculation | None = None

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """A negative number is no option."""
        arguments = list(options or ())
        at = self._expressionAt(arguments)
        if at < len(arguments) and _NEGATIVE.match(arguments[at]):
            arguments.insert(at, "--")
        super().parseOptions(arguments)

    def _expressionAt(self, arguments: Sequence[str]) -> int:
        """Where the options end, as far as a negative number is none."""
        valued = {f"--{name}" for name in self.defaults} | {"-c", "-d", "-p", "-t"}
        at = 0
        while at < len(arguments):
            argument = arguments[at]
            if argument == "--" or not argument.startswith("-") or _NEGATIVE.match(argument):
                break
            at += 2 if argument in valued else 1
        return at

    def parseArgs(self, *expression: str) -> None:
        if expression:
            try:
                self.expression = parseExpression(" ".join(expression))
            except ValueError as error:
                raise UsageError(str(error)) from error

    def postOptions(self) -> None:
        super().postOptions()  # type: ignore[no-untyped-call]
        if self["connect"] and self["discover"]:
            raise UsageError("--connect and --discover: use one of them")
        if self["name"] and not self["discover"]:
            raise UsageError("--name goes with --discover")
        option = "discover" if self["discover"] else "connect"
        try:
            if self["discover"]:
                parseDatagramTarget(self["discover"])
            else:
                self["connect"] = self["connect"] or self.entry.endpoints[0]
                if isDatagram(self["connect"]):
                    parseDatagramTarget(self["connect"])
                else:
                    parseStreamClient(globalReactor(), self["connect"], self["timeout"])
        except BadEndpoint as error:
            raise UsageError(f"--{option}: {error}") from error


async def run(reactor: Any, options: Options, console: Console) -> int:
    """Ask what the options say, print the results, and return the exit status."""
    calculator = await _reach(reactor, options)
    try:
        if options.expression is not None:
            return await _tell(console, options.expression, calculator.calculate(options.expression))
        return await _askLines(calculator, console, options["ahead"])
    finally:
        calculator.close()


async def _reach(reactor: Any, options: Options) -> Calculator:
    description = options["connect"]
    if options["discover"]:
        target = parseDatagramTarget(options["discover"])
        host, port = await discover(reactor, target, options["name"], timeout=options["timeout"])
        description = f"tcp:{host.replace(':', chr(92) + ':')}:{port}"
    profile = PROFILES[options["profile"]]
    if isDatagram(description):
        target = parseDatagramTarget(description)
        return DatagramCalculator(reactor, target, profile, options["timeout"], options["tries"])
    try:
        endpoint = parseStreamClient(reactor, description, options["timeout"])
    except BadEndpoint as error:
        # Ours was checked with the options; this is what the address server gave.
        raise ClientError(f"the address server's answer: {error}", ExitStatus.NOT_UNDERSTOOD) from error
    factory = CalculatorClientFactory(reactor, profile, options["timeout"])
    return cast(Calculator, await endpoint.connect(factory))


async def _tell(console: Console, calculation: Calculation, answer: Deferred[Number | Fault]) -> ExitStatus:
    """Print one answer when it comes."""
    try:
        result = await answer
    except ReplyNotUnderstood as error:
        raise ClientError(f"the reply is not understood: {error}", ExitStatus.NOT_UNDERSTOOD) from error
    except ValueError as error:
        console.complain(f"{calculation}: {error}")
        return ExitStatus.USAGE
    if isinstance(result, Fault):
        console.complain(f"{calculation}: {_SENTENCES[result]}")
        return ExitStatus.ANSWERED_ERROR
    console.say(str(result))
    return ExitStatus.OK


async def _askLines(calculator: Calculator, console: Console, ahead: int) -> ExitStatus:
    """
    Ask line by line, up to C{ahead} questions before their answers; answers come in order. When the
    calculator is lost, so are the questions, and the lines that nobody has read.
    """
    status = ExitStatus.OK
    waiting: deque[Deferred[ExitStatus]] = deque()
    lost: list[Failure] = []

    def failed(failure: Failure) -> ExitStatus:
        lost.append(failure)
        console.stopReading()
        return ExitStatus.BUG

    while not lost and (line := await console.readLine()) is not None and not lost:
        if not line.strip():
            continue
        try:
            calculation = parseExpression(line)
        except ValueError as error:
            console.complain(str(error))
            status = ExitStatus.USAGE
            continue
        told = Deferred.fromCoroutine(_tell(console, calculation, calculator.calculate(calculation)))
        waiting.append(told.addErrback(failed))
        while len(waiting) >= ahead and not lost:
            status = await waiting.popleft() or status
    while waiting and not lost:
        status = await waiting.popleft() or status
    if lost:
        lost[0].raiseException()
    return status


def makeService(options: Options) -> ClientService:
    """The client as a service that ends the process when it is done."""
    reactor = globalReactor()
    return ClientService(reactor, options.entry.plugin, lambda: run(reactor, options, Console()))
