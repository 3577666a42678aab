"""
C{twistd labnet-proxy}: the filtering HTTP proxy.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from twisted.application.service import MultiService
from twisted.internet.interfaces import IStreamClientEndpoint

from labnet.authority.store import DEFAULT_FOLDER, StoreError, loadAuthority
from labnet.catalogue import Entry, Kind, entryFor
from labnet.net.agreement import HTTP
from labnet.net.connection import ServiceFactory
from labnet.net.endpoints import DatagramAddress
from labnet.net.hangup import HangupService
from labnet.net.hosts import BadHost
from labnet.net.limits import PeerCount
from labnet.net.memory import MemoryService
from labnet.net.options import UsageError, choice, number
from labnet.net.secure import BadCertificate, Trust
from labnet.net.service import StreamListener, listeners
from labnet.net.sharing import SharedPeerCount
from labnet.proxy.access import Access
from labnet.proxy.accessoptions import AccessOptions
from labnet.proxy.decoding import DecodingLimits
from labnet.proxy.factory import ProxyFactory
from labnet.proxy.interception import InterceptedHosts, Interception
from labnet.proxy.journaloptions import JournalOptions
from labnet.proxy.outbound import Outbound
from labnet.proxy.policy import (
    HeadLimits,
    Holding,
    PhaseLimits,
    Policy,
    Uninspectable,
)
from labnet.proxy.reloading import ReloadingService
from labnet.proxy.ruleoptions import RuleOptions
from labnet.proxy.rulesfile import MEDIA_TYPE
from labnet.proxy.target import Origin
from labnet.proxy.workeroptions import WorkerOptions

__all__ = ["Options", "makeService"]

_TARGET = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})")
_PROTOCOL = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?")


class Options(JournalOptions, RuleOptions, AccessOptions, WorkerOptions):
    """The proxy's options."""

    synopsis = "[options]"
    longdesc = (
        "An HTTP proxy that answers 404 for every response that contains a blocked string. What can "
        "not be looked at is refused unless --uninspectable says otherwise."
    )

    entry: ClassVar[Entry] = entryFor("proxy", Kind.SERVER)
    suited: ClassVar[dict[str, object]] = {"idle-timeout": 60.0}

    optParameters = [
        ["target", None, None, "Fixed-target mode: every request goes to this origin, HOST:PORT."],
        ["uninspectable", None, "block",
         "What happens to a response that can not be looked at: block (502), cut (a large one is passed "
         "on as it is looked at and cut off at a blocked string), or pass.",
         choice("uninspectable", [policy.value for policy in Uninspectable])],
        ["hold-memory", None, 2**20, "Bytes of one body held in memory until it has been looked at.",
         number(int, "hold-memory", 0)],
        ["hold-disk", None, 2**30, "Bytes of one body held in all, in memory or in a temporary file.",
         number(int, "hold-disk", 0)],
        ["hold-free", None, 64 * 2**20, "Bytes of the disk that stay free when bodies are held; 0: none.",
         number(int, "hold-free", 0)],
        ["hold-time", None, 60.0, "Seconds that a body is held that does not say how long it is; 0: no "
         "limit.", number(float, "hold-time", 0.0)],
        ["max-decoded", None, 2**30, "Bytes of one decoded body; 0: no limit.",
         number(int, "max-decoded", 0)],
        ["max-ratio", None, 100.0, "How many times its size a body may have when it is decoded, from 16 "
         "MiB on.", number(float, "max-ratio", 1.0)],
        ["max-request-body", None, 0, "Bytes of one request's body; 0: no limit.",
         number(int, "max-request-body", 0)],
        ["max-head", None, 65_536, "Bytes of one request's or response's head.",
         number(int, "max-head", 128)],
        ["max-target", None, 8_192, "Bytes of one request-target.", number(int, "max-target", 16)],
        ["max-fields", None, 200, "Fields in one head.", number(int, "max-fields", 1)],
        ["head-timeout", None, 20.0, "Seconds for the whole head of a request; 0: no limit.",
         number(float, "head-timeout", 0.0)],
        ["connect-timeout", None, 10.0, "Seconds to reach an origin.",
         number(float, "connect-timeout", 0.1)],
        ["response-timeout", None, 60.0, "Seconds an origin, or a client in the middle of a request, may "
         "be silent; 0: no limit.", number(float, "response-timeout", 0.0)],
        ["handshake-timeout", None, 10.0, "With --intercept: seconds for a TLS handshake, on either side.",
         number(float, "handshake-timeout", 0.1)],
        ["ca", None, DEFAULT_FOLDER, "With --intercept: the folder of the authority, made by 'labnet ca'."],
        ["origin-ca", None, None, "With --intercept: believe origins by the certificates in this file "
         "(PEM), and not by the system's list."],
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self["skip-type"] = []
        self["connect-port"] = []
        self["allow-upgrade"] = []
        self["intercept"] = []
        self.policy = Policy()
        self.target: Origin | None = None
        self.interception: Interception | None = None
        self.trust: Trust | None = None

    def opt_skip_type(self, mediaType: str) -> None:
        """
        A media type whose bodies are not looked at but streamed, as video/mp4 or video/*. May be
        repeated. An origin that lies about its types gets past.
        """
        lowered = mediaType.lower()
        if MEDIA_TYPE.fullmatch(lowered) is None:
            raise UsageError(f"--skip-type: {mediaType!r} is not of the form TYPE/SUBTYPE or TYPE/*")
        self["skip-type"].append(lowered)

    def opt_connect_port(self, port: str) -> None:
        """
        A port that CONNECT may reach, or 'any'. May be repeated. [default: 443]
        """
        if port != "any" and not (port.isascii() and port.isdigit() and 1 <= int(port[:9]) <= 65535):
            raise UsageError(f"--connect-port: {port!r} is neither a port from 1 to 65535 nor 'any'")
        self["connect-port"].append(port)

    def opt_intercept(self, host: str) -> None:
        """
        A host whose HTTPS is looked into: a name, an address, *.DOMAIN for all names below it, or .DOMAIN
        for the domain, too. Its clients have to trust the lab's authority. May be repeated.
        """
        self["intercept"].append(host)

    def opt_allow_upgrade(self, protocol: str) -> None:
        """
        A protocol to which a connection may change, as websocket; nothing in it is looked at. May be
        repeated. [default: none]
        """
        if _PROTOCOL.fullmatch(protocol) is None:
            raise UsageError(f"--allow-upgrade: {protocol!r} is not of the form NAME or NAME/VERSION")
        self["allow-upgrade"].append(protocol.lower().encode("ascii"))

    def postOptions(self) -> None:
        super().postOptions()
        for listening in self.listening:
            if isinstance(listening.where, DatagramAddress):
                raise UsageError(f"--listen: {listening.description!r}: HTTP goes over TCP")
        if self["target"]:
            match = _TARGET.fullmatch(self["target"])
            if match is None or not 1 <= int(match[2]) <= 65535:
                raise UsageError(f"--target: {self['target']!r} is not of the form HOST:PORT")
            self.target = Origin(match[1].strip("[]"), int(match[2]))
        self.policy = self.readPolicy()
        if self["intercept"]:
            self._intercept()
        elif self["origin-ca"]:
            raise UsageError("--origin-ca: it goes with --intercept")

    def _intercept(self) -> None:
        if self.target is not None:
            raise UsageError("--intercept and --target: use one of them")
        try:
            hosts = InterceptedHosts.read(self["intercept"])
            authority = loadAuthority(Path(self["ca"]).expanduser())
            self.trust = Trust(cafile=self["origin-ca"], protocols=HTTP)
        except BadHost as error:
            raise UsageError(f"--intercept: {error}") from error
        except StoreError as error:
            raise UsageError(f"--ca: {error}") from error
        except BadCertificate as error:
            raise UsageError(f"--origin-ca: {error}") from error
        forbidden = hosts.forbidden(authority)
        if forbidden:
            raise UsageError(
                f"--intercept: the authority in {self['ca']} may not sign for {forbidden[0]}; "
                f"'labnet ca --permit {forbidden[0]}' makes one that may"
            )
        if datetime.now(UTC) >= authority.certificate.not_valid_after_utc:
            raise UsageError(f"--ca: the authority in {self['ca']} has expired; 'labnet ca' makes another")
        self.interception = Interception(hosts, authority, handshake=self["handshake-timeout"])

    def readAgain(self) -> Policy:
        """
        What may pass, as L{readPolicy} reads it, when the passwords have been read once more as well.

        @raise UsageError: a file is not there, or wrong; then everything stays as it is.
        """
        policy = self.readPolicy()
        self.readPasswordsAgain()
        return policy

    def readPolicy(self) -> Policy:
        """
        What may pass, by the options and by what is in the files now.

        @raise UsageError: a file is not there, or wrong.
        """
        ruling = self.readRuling()
        ports = self["connect-port"] or ["443"]
        return Policy(
            rules=ruling.rules,
            allowances=ruling.allowances,
            onlyHosts=ruling.onlyHosts,
            inspectRequest=bool(self["inspect-request"]),
            uninspectable=Uninspectable(self["uninspectable"]),
            skipTypes=frozenset(self["skip-type"]),
            blockPage=ruling.blockPage,
            errorPage=ruling.errorPage,
            course404=bool(self["course-404"] or (self.target is not None and not self["block-page"])),
            holding=Holding(
                memory=self["hold-memory"],
                disk=max(self["hold-memory"], self["hold-disk"]),
                seconds=self["hold-time"],
                free=self["hold-free"],
            ),
            decoding=DecodingLimits(self["max-decoded"], self["max-ratio"]),
            heads=HeadLimits(self["max-head"], self["max-target"], self["max-fields"]),
            phases=PhaseLimits(
                head=self["head-timeout"],
                connect=self["connect-timeout"],
                response=self["response-timeout"],
                exchange=self["exchange-timeout"],
            ),
            upgrades=frozenset(self["allow-upgrade"]),
            mostRequestBody=self["max-request-body"],
            connectPorts=frozenset() if "any" in ports else frozenset(int(port) for port in ports),
        )


def makeService(options: Options) -> MultiService:
    """
    The proxy as a service: a listener for each place to listen on, and one pool of origins each. With
    C{--workers} what looks after the workers, who serve what is listened on here.
    """
    service, proxies = options.surroundings(ReloadingService(options.readAgain))
    if not options.supervises:
        service.addService(MemoryService(options.reactor))  # type: ignore[no-untyped-call]
    phases = options.policy.phases
    outbound = options.outbound(
        lambda: [listener.port.getHost() for listener in listeners(service) if listener.port is not None],
        timeout=phases.connect,
        trust=options.trust,
        handshake=options["handshake-timeout"],
    )
    shared = options.shared()
    access = options.access(shared=shared)
    for at, listening in enumerate(options.listening):
        assert not isinstance(listening.where, DatagramAddress)
        factory: ServiceFactory = ServiceFactory(options.reactor)
        if not options.supervises:
            peers = None
            if shared is not None:
                peers = SharedPeerCount(options.limits, shared, str(at))
            factory = _factoryOf(options, access, outbound, peers)
        detail = f"to {options.target}" if options.target is not None else "forward"
        listener = StreamListener("proxy", listening.where, factory, detail)
        options.watch(listener)
        proxies.addService(listener)
    if not options["workers"]:
        # Workers are told by who looks after them.
        service.addService(HangupService(options.reactor, service.reload))  # type: ignore[no-untyped-call]
    return service


def _factoryOf(
    options: Options, access: Access, outbound: Outbound, peers: PeerCount | None
) -> ProxyFactory:
    """What serves one place, with a pool of origins of its own."""

    def connect(origin: Origin) -> IStreamClientEndpoint:
        return options.layers.towards(outbound(origin), options.reactor, "proxy", f"to {origin}")

    return ProxyFactory(
        options.reactor,
        connect,
        options.policy,
        target=options.target,
        interception=options.interception,
        limits=options.limits,
        sockets=options.sockets,
        journal=options.journal,
        access=access,
        upstreams=outbound.upstreams,
        peers=peers,
    )
