"""
The proxies that are compared, each with the settings that make the comparison fair.

All listen on the loopback interface, know no cache, take as many clients as come, and write no access log;
only C{labnet-proxy} runs as it is installed, with its log in a file.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from measuring import DidNotStart, installed, twistd

#: What is looked for in every body; no page has it but the one that is to be blocked.
WORD = "SzamHalo"
#: Where C{install-peers} puts those that come from the Python Package Index.
ENVIRONMENT = Path(
    os.environ.get("LABNET_PEERS", Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "labnet-peers"))
).expanduser()
_MOST_CLIENTS = 19_000
_E2GUARDIAN = Path("/etc/e2guardian")


@dataclass(frozen=True)
class Place:
    """
    Where a proxy runs.

    @ivar folder: its own.
    @ivar port: where it listens.
    @ivar origin: the port of the origin.
    @ivar workers: the processes or threads that it gets, if it can have several.
    """

    folder: Path
    port: int
    origin: int
    workers: int = 1

    def write(self, name: str, text: str) -> str:
        """A file in the folder; its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path)


@dataclass(frozen=True)
class Peer:
    """
    One of the proxies.

    @ivar inspects: what it does with bodies; empty for nothing.
    @ivar command: the command that runs it in the foreground, once its files are written. It raises
        L{DidNotStart} where it is not installed.
    @ivar version: the options with which it says its version; none where it has no version of its own.
    @ivar abrupt: it closes each connection after the answer without saying so.
    """

    name: str
    command: Callable[[Place], list[str]]
    inspects: str = ""
    version: tuple[str, ...] = ("--version",)
    abrupt: bool = False

    def described(self, program: str) -> str:
        """Its name and version."""
        done = subprocess.run([program, *self.version], capture_output=True, text=True, check=False)
        match = re.search(r"\d+(?:\.\d+)+", done.stdout + done.stderr)
        return f"{self.name} {match[0]}" if match is not None else self.name


# Ours


def _labnet(*before: str, after: tuple[str, ...] = ()) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        workers = ["--workers", str(place.workers)] if place.workers > 1 else []
        listen = ["--listen", f"tcp:{place.port}", "--skip-type", "video/*"]
        return twistd(*before, "labnet-proxy", *listen, *workers, *after)

    return command


def labnetPeers(options: tuple[str, ...]) -> list[Peer]:
    """
    C{labnet-proxy}, under Twisted's usual reactor and under ours.

    @param options: further ones, for both.
    """
    return [
        Peer("labnet", _labnet(after=options), "blocks", ()),
        Peer("labnet-bare", _labnet("--reactor", "labnet", after=options), "blocks", ()),
    ]


# Those that inspect


def _privoxy(place: Place) -> list[str]:
    program = installed("privoxy")
    # Without a default-server-timeout it would connect to the origin anew for each request.
    place.write("word.filter", f"FILTER: word Takes the word out.\ns@{WORD}@(blocked)@g\n")
    place.write("word.action", "{+filter{word}}\n/\n")
    configuration = place.write(
        "config",
        f"""
confdir {place.folder}
templdir /etc/privoxy/templates
logdir {place.folder}
actionsfile word.action
filterfile word.filter
listen-address 127.0.0.1:{place.port}
max-client-connections {_MOST_CLIENTS}
listen-backlog 4096
keep-alive-timeout 300
default-server-timeout 60
socket-timeout 300
tolerate-pipelining 1
debug 0
""",
    )
    return [program, "--no-daemon", configuration]


def _e2guardian(place: Place) -> list[str]:
    program = installed("e2guardian")
    lists = place.folder / "phrases"
    lists.mkdir()
    (lists / "banned").write_text(f"<{WORD}>\n")
    (lists / "none").write_text("")
    try:
        main = (_E2GUARDIAN / "e2guardian.conf").read_text()
        group = (_E2GUARDIAN / "e2guardianf1.conf").read_text()
    except OSError as error:
        raise DidNotStart(f"{error.filename}: {error.strerror}") from error
    group = _set(
        group,
        groupname="'word'",
        bannedphraselist=f"'{lists}/banned'",
        weightedphraselist=f"'{lists}/none'",
        exceptionphraselist=f"'{lists}/none'",
    )
    place.write("e2guardianf1.conf", group)
    main = _set(
        main,
        filterip="127.0.0.1",
        filterports=str(place.port),
        loglevel="0",
        nologger="on",
        nodaemon="on",
        dstatlocation=f"'{place.folder}/dstats.log'",
        loglocation=f"'{place.folder}/access.log'",
        pidfilename=f"'{place.folder}/e2guardian.pid'",
        filecachedir=f"'{place.folder}'",
        httpworkers="500",
    )
    place.folder.chmod(0o777)  # It runs as a user of its own.
    return [program, "-N", "-c", place.write("e2guardian.conf", main)]


def _set(text: str, **settings: str) -> str:
    """A configuration with these settings in place of what it has for them."""
    for name, value in settings.items():
        text = re.sub(rf"(?m)^\s*{name}\s*=.*\n", "", text) + f"\n{name} = {value}\n"
    return text


def _mitmproxy(place: Place) -> list[str]:
    addOn = place.write(
        "word.py",
        f"""
from mitmproxy import http

class Word:
    def response(self, flow):
        if {WORD.encode()!r} in (flow.response.content or b""):
            flow.response = http.Response.make(404, b"blocked")

addons = [Word()]
""",
    )
    listen = ["--listen-host", "127.0.0.1", "--listen-port", str(place.port)]
    program = installed("mitmdump", ENVIRONMENT / "bin")
    return [program, "--quiet", *listen, "--set", f"confdir={place.folder}", "-s", addOn]


# Those that do not


def _squid(place: Place) -> list[str]:
    program = installed("squid")
    place.folder.chmod(0o777)  # It runs as a user of its own.
    configuration = place.write(
        "squid.conf",
        f"""
http_port 127.0.0.1:{place.port}
http_access allow all
cache deny all
cache_mem 0
access_log none
cache_log {place.folder}/cache.log
cache_store_log none
netdb_filename none
pinger_enable off
pid_filename {place.folder}/squid.pid
coredump_dir {place.folder}
max_filedescriptors {_MOST_CLIENTS}
client_idle_pconn_timeout 10 minutes
visible_hostname localhost
shutdown_lifetime 0 seconds
""",
    )
    return [program, "-N", "-n", f"labnet{place.port}", "-f", configuration]


def _tinyproxy(place: Place) -> list[str]:
    configuration = place.write(
        "tinyproxy.conf",
        f"""
Port {place.port}
Listen 127.0.0.1
Allow 127.0.0.1
Timeout 600
MaxClients {_MOST_CLIENTS}
LogLevel Critical
LogFile "{place.folder}/tinyproxy.log"
""",
    )
    return [installed("tinyproxy"), "-d", "-c", configuration]


def _proxyPy(place: Place) -> list[str]:
    program = installed("proxy", ENVIRONMENT / "bin")
    processes = ["--num-acceptors", str(place.workers), "--num-workers", str(place.workers)]
    listen = ["--hostname", "127.0.0.1", "--port", str(place.port), "--backlog", "4096"]
    return [program, *listen, *processes, "--threadless", "--timeout", "600", "--log-level", "ERROR"]


_TWISTED = """
from twisted.internet import reactor
from twisted.web import http, proxy

class Factory(http.HTTPFactory):
    protocol = proxy.Proxy

reactor.listenTCP(%d, Factory(timeout=600), backlog=4096, interface="127.0.0.1")
reactor.run()
"""


def _twistedWeb(place: Place) -> list[str]:
    return [sys.executable, "-c", _TWISTED % place.port]


# The limit


def _haproxy(place: Place) -> list[str]:
    configuration = place.write(
        "haproxy.cfg",
        f"""
global
    maxconn {_MOST_CLIENTS}
    no strict-limits
    nbthread {place.workers}
defaults
    mode http
    timeout connect 10s
    timeout client 600s
    timeout server 600s
frontend clients
    bind 127.0.0.1:{place.port}
    default_backend origin
backend origin
    server origin 127.0.0.1:{place.origin}
""",
    )
    return [installed("haproxy"), "-db", "-f", configuration]


def nginx(place: Place, server: str, outside: str = "") -> list[str]:
    """
    nginx with one server.

    @param server: what stands in its C{server} block.
    @param outside: what stands beside it.
    """
    temporary = "".join(
        f"    {kind}_temp_path {place.folder};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = place.write(
        "nginx.conf",
        f"""
daemon off;
worker_processes {place.workers};
error_log stderr crit;
pid {place.folder}/nginx.pid;
events {{ worker_connections {_MOST_CLIENTS}; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
{temporary}
{outside}
    server {{
        listen 127.0.0.1:{place.port} backlog=4096;
{server}
    }}
}}
""",
    )
    place.folder.chmod(0o777)  # Its workers run as a user of their own.
    return [installed("nginx"), "-p", str(place.folder), "-c", configuration]


def _nginx(place: Place) -> list[str]:
    origin = f"server 127.0.0.1:{place.origin}; keepalive 64; keepalive_requests 1000000000;"
    passing = "proxy_pass http://origin; proxy_http_version 1.1;"
    fields = 'proxy_set_header Connection ""; proxy_set_header Host $http_host;'
    return nginx(
        place, f"location / {{ {passing} {fields} }}", outside=f"    upstream origin {{ {origin} }}"
    )


#: Those that are not ours, in the order in which the tables have them.
PEERS = [
    Peer("privoxy", _privoxy, "replaces"),
    Peer("e2guardian", _e2guardian, "blocks", ("-v",)),
    Peer("mitmproxy", _mitmproxy, "blocks"),
    Peer("squid", _squid),
    Peer("tinyproxy", _tinyproxy, "", ("-v",), abrupt=True),
    Peer("proxy.py", _proxyPy),
    Peer("twisted.web.proxy", _twistedWeb, "", ("-c", "import twisted; print(twisted.__version__)")),
    Peer("haproxy", _haproxy, "", ("-v",)),
    Peer("nginx", _nginx, "", ("-v",)),
]
