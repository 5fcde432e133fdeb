"""Where a merchant's webhook may go: public addresses over https, whatever a name resolves to. Otherwise somebody who
may name an address could make us knock at our own doors."""

import socket
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from django.conf import settings

PORTS = (443, 8443)
# Global unicast; all else is local, reserved or carries an IPv4 address inside.
_PUBLIC_V6 = IPv6Network("2000::/3")
# Said here too, because what counts as global differs between versions of Python: protocol assignments with Teredo,
# 6to4 and its relays, documentation.
_SPECIAL_V6 = (IPv6Network("2001::/23"), IPv6Network("2002::/16"), IPv6Network("3fff::/20"))
_SPECIAL_V4 = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"))
_LONGEST_URL = 500


class AddressRefused(ValueError):
    """Nothing is sent there. The message says why."""


def check_url(url: str) -> None:
    """Raises `AddressRefused` unless `url` may be called as far as its text says."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise AddressRefused("This is not an address.") from error
    if not host or len(url) > _LONGEST_URL or not url.isascii() or any(c.isspace() for c in url):
        raise AddressRefused(f"Use an absolute address of at most {_LONGEST_URL} ASCII characters.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise AddressRefused("Leave user, password and fragment out of the address.")
    if settings.WEBHOOK_ALLOW_LOOPBACK and parts.scheme in ("http", "https") and _names_this_machine(host):
        return
    if parts.scheme != "https":
        raise AddressRefused("Use https.")
    if (port or 443) not in PORTS:
        raise AddressRefused(f"Use port {' or '.join(map(str, PORTS))}.")


def vetted(host: str, port: int) -> list[str]:
    """The addresses of `host`, if every single one may be called. Raises `AddressRefused`, `OSError`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    addresses = list(dict.fromkeys(str(answer[4][0]).partition("%")[0] for answer in found))
    loopback = settings.WEBHOOK_ALLOW_LOOPBACK and _names_this_machine(host)
    for address in addresses:
        if not (is_public(address) or (loopback and ip_address(address).is_loopback)):
            raise AddressRefused(f"{host} leads to {address}, which is not a public address.")
    return addresses


def is_public(address: str) -> bool:
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address):
        special = parsed not in _PUBLIC_V6 or any(parsed in network for network in _SPECIAL_V6)
    else:
        special = parsed.is_multicast or parsed.is_reserved or any(parsed in net for net in _SPECIAL_V4)
    return parsed.is_global and not special


def _names_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
