"""Where a merchant's webhook may go: public addresses over https, whatever a name resolves to. Otherwise somebody who
may name an address could make us knock at our own doors."""

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from django.conf import settings

PORTS = (443, 8443)
# Global unicast; all else is local, reserved or carries an IPv4 address inside.
_PUBLIC_V6 = IPv6Network("2000::/3")
_CARRIES_V4 = (IPv6Network("2001::/32"), IPv6Network("2002::/16"))  # Teredo, 6to4
_RELAY_ANYCAST = IPv4Network("192.88.99.0/24")
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
        embeds = any(parsed in network for network in _CARRIES_V4)
        return parsed in _PUBLIC_V6 and parsed.is_global and not embeds
    return _is_public_v4(parsed)


def _is_public_v4(address: IPv4Address) -> bool:
    special = address.is_multicast or address.is_reserved or address in _RELAY_ANYCAST
    return address.is_global and not special


def _names_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
