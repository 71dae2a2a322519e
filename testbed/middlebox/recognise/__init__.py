"""Bytes to what they are: one protocol a module, each a function from a payload to a `Result`.

"Need more" is a value, "not this protocol" is one too. Unknown stays unknown.
"""

from __future__ import annotations

from collections.abc import Callable

from testbed.middlebox.recognise import http, http_proxy, quic, socks, tls
from testbed.middlebox.recognise.result import Hello, Outcome, Result

__all__ = ["PROTOCOLS", "TCP_RECOGNISERS", "UDP_RECOGNISERS", "Hello", "Outcome", "Recogniser", "Result"]

Recogniser = Callable[[bytes], Result]

TCP_RECOGNISERS: dict[str, Recogniser] = {
    "tls": tls.recognise,
    "http": http.recognise,
    "http_proxy": http_proxy.recognise,
    "socks": socks.recognise,
}
"""Recognisers of TCP payloads by the name that profiles use."""

UDP_RECOGNISERS: dict[str, Callable[[], Recogniser]] = {
    "quic": lambda: quic.QuicReader().read,
    "quic_version1": lambda: quic.recognise_version1,
}
"""Makers of recognisers of UDP payloads: each flow has its own, since a hello may come in several datagrams."""

PROTOCOLS = (*TCP_RECOGNISERS, *UDP_RECOGNISERS)
"""All names that a profile's ``recognisers`` may hold."""
