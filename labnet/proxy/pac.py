"""
The proxy auto-configuration file: which browsers fetch to learn where the proxy is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

__all__ = ["MEDIA_TYPE", "autoConfiguration"]

MEDIA_TYPE = b"application/x-ns-proxy-autoconfig"

_FILE = """\
function FindProxyForURL(url, host) {
    var direct = %s;
    host = host.toLowerCase();
    if (isPlainHostName(host) || shExpMatch(host, "127.*") || host == "::1" || host == "[::1]") {
        return "DIRECT";
    }
    for (var i = 0; i < direct.length; i++) {
        if (host == direct[i] || (direct[i].charAt(0) == "." && dnsDomainIs(host, direct[i]))) {
            return "DIRECT";
        }
    }
    return %s;
}
"""


def autoConfiguration(proxy: str, direct: Iterable[str] = ()) -> bytes:
    """
    The file: everything goes through the proxy but loopback addresses, plain host names, and C{direct}.

    @param proxy: C{HOST:PORT}.
    @param direct: hosts in lower case; one that begins with a dot is every name below it.
    """
    return (_FILE % (json.dumps(list(direct)), json.dumps(f"PROXY {proxy}"))).encode("ascii")
