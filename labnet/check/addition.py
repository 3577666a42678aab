"""
Plays the scenarios that a teacher's file adds.
"""

from __future__ import annotations

from labnet.check.client import Client
from labnet.check.connection import Connection
from labnet.check.contractfile import Action, Addition, Move
from labnet.check.datagrams import Address, Datagrams
from labnet.check.mistakes import Mistake
from labnet.check.scenario import Scenario, Side
from labnet.check.server import Server

__all__ = ["asScenario"]


def asScenario(addition: Addition) -> Scenario:
    """The scenario that plays the steps one after the other."""

    async def playServer(server: Server) -> None:
        if addition.transport == "udp":
            asking = server.datagrams()
            for move in addition.moves:
                await _datagram(asking, move, None)
            return
        connection = await server.connect()
        for move in addition.moves:
            await _stream(connection, move)

    async def playClient(client: Client) -> None:
        sender: Address | None = None
        connection = None if addition.transport == "udp" else await client.connects()
        for move in addition.moves:
            if move.action is Action.PRINTS:
                await client.prints(move.data)
            elif move.action is Action.ENDS:
                await client.ends()
            elif connection is not None:
                await _stream(connection, move)
            else:
                sender = await _datagram(client.datagrams, move, sender)

    return Scenario(
        addition.name,
        addition.title,
        addition.topic,
        addition.side,
        addition.why,
        playServer if addition.side is Side.SERVER else playClient,
        addition.mistake or (Mistake.SHORT_RECV if any(move.pieces for move in addition.moves) else None),
        frozenset({addition.transport}),
        addition.variants,
        weight=addition.weight,
    )


async def _stream(connection: Connection, move: Move) -> None:
    match move.action:
        case Action.SEND:
            await connection.send(move.data, pieces=move.pieces or None)
        case Action.EXPECT:
            await connection.expect(move.data)
        case Action.EXPECT_END:
            await connection.expectEnd()
        case Action.HALF_CLOSE:
            connection.halfClose()
        case Action.RESET:
            connection.reset()
        case Action.CLOSE:
            connection.close()


async def _datagram(sockets: Datagrams, move: Move, to: Address | None) -> Address | None:
    """One step over UDP; who has sent what was expected, so that it can be answered."""
    if move.action is Action.SEND:
        sockets.send(move.data, to)
        return to
    return await sockets.expectFrom(move.data)
