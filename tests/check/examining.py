"""
Examines programs, several at once, in a process of its own: C{python -m tests.check.examining FILE} reads a
list of jobs as JSON from standard input, and writes for each of them the report as one line of JSON to the
file. Not to standard output: that is a pipe that our own servers have, too, and may not wait for.

A job has C{service}, C{side}, C{variant}, C{transport}, C{command} (empty for our own server, which then
runs in this process, with C{options}), C{seed}, and C{wrong}: whether it is to fail.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from twisted.internet.task import react

from labnet.catalogue import Kind, entryFor
from labnet.check.collection import contractFor
from labnet.check.examination import Planned, Settings, examine
from labnet.check.host import filledIn, freePort
from labnet.check.jsonreport import asObject
from labnet.check.program import Bounds
from labnet.check.scenario import Side
from labnet.check.stage import Limits
from labnet.check.verdict import Subject, Verdict
from labnet.net.service import listeners

#: Examinations at the same time.
AT_ONCE = 8
#: Of programs that are right, which never come near them, however busy the machine is; and of those that
#: are to fail; a system may keep a second small piece back for 0.2 s, until the first is acknowledged.
RIGHT = Limits(wait=20.0, idle=2.0)
WRONG = Limits(wait=5.0, idle=0.5, piece=1.0)
BOUNDS = Bounds(memory=256 * 2**20, output=8 * 2**20)


async def examined(reactor: Any, job: dict[str, Any]) -> dict[str, Any]:
    """The report of one job."""
    contract = contractFor(job["service"])
    side, transport, variant = Side(job["side"]), job["transport"], job["variant"]
    command = tuple(job["command"])
    plan = [
        Planned(scenario, scenario.weight)
        for scenario in contract.chosen(side, transport, variant)
        if command or not scenario.restarts
    ]
    service, address = None, ("127.0.0.1", 0)
    behind = contract.origins.get(variant) if side is Side.SERVER else None
    folder = Path(mkdtemp(prefix="labnet-check-")) if "{folder}" in job.get("options", []) else None
    origin = (behind, ("127.0.0.1", freePort("127.0.0.1", behind))) if behind else None
    if side is Side.SERVER and not command:
        service, port = ours(
            job["service"], transport, variant, _filledIn(job.get("options", []), origin, folder)
        )
        address = ("127.0.0.1", port)
    settings = Settings(
        side, transport, variant, address, command, origin, folder, None if contract.interactive else b"",
        job["seed"], again=0, atOnce=2, limits=WRONG if job["wrong"] else RIGHT, bounds=BOUNDS,
    )  # fmt: skip
    startedAt = reactor.seconds()
    try:
        findings = await examine(reactor, plan, settings)
    finally:
        if service is not None:
            await service.stopService()
        if folder is not None:
            rmtree(folder, ignore_errors=True)
    subject = Subject(job["service"], side, variant, transport, " ".join(command) or "ours", job["seed"])
    return asObject(Verdict(subject, findings, seconds=reactor.seconds() - startedAt))


def _filledIn(options: list[str], origin: Any, folder: Path | None) -> list[str]:
    """With the place of the origin, for a server that stands between, and the folder, for one of files."""
    return filledIn(options, origin=f"127.0.0.1:{origin[1][1]}" if origin else "", folder=folder)


def ours(name: str, transport: str, variant: str, extra: list[str]) -> tuple[Any, int]:
    """Our own server of that kind, running, and its port."""
    tap = import_module(entryFor(name, Kind.SERVER).tap)
    options = tap.Options()
    prefix = f"{variant}=" if variant in options.variants else ""
    options.parseOptions(["--listen", f"{prefix}{transport}:0", *extra])
    service = tap.makeService(options)
    service.privilegedStartService()
    service.startService()
    (listener,) = listeners(service)
    return service, int(listener.address.rpartition(":")[2])


async def main(reactor: Any, output: Path) -> None:
    """All jobs."""
    places = DeferredSemaphore(AT_ONCE)

    async def report(number: int, job: dict[str, Any]) -> None:
        result = await examined(reactor, job)
        with output.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"job": number, "report": result}) + "\n")

    def start(number: int, job: dict[str, Any]) -> Deferred[None]:
        return Deferred.fromCoroutine(report(number, job))

    jobs = json.load(sys.stdin)
    await gatherResults(
        [places.run(start, number, job) for number, job in enumerate(jobs)], consumeErrors=True
    )


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, Path(sys.argv[1]))))
