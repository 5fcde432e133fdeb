"""Whose request a proxy passes on: the address from `X-Forwarded-For`, as far as it can be believed. Pure.

Whoever connects can write what they like into the header; a proxy adds the address that it saw at the right end. So it
is read from the right, past the proxies that are known, and what stands further left is nobody's word.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

ANYBODY = "*"


@dataclass(frozen=True, slots=True)
class Proxies:
    """Who is believed. `anybody`: whoever connects, but nobody further left, as they could not be told from others."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    anybody: bool = False

    def know(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self.networks)


def proxies(named: Iterable[str]) -> Proxies:
    """From addresses and networks, as gunicorn reads them. Raises ValueError for what is neither."""
    cleaned = [name.strip() for name in named if name.strip()]
    networks = tuple(ip_network(name, strict=False) for name in cleaned if name != ANYBODY)
    return Proxies(networks=networks, anybody=ANYBODY in cleaned)


def client_address(peer: str, forwarded: str, known: Proxies) -> str:
    """Who asks, when `peer` is at the other end of the connection ("": a socket of this machine) and says `forwarded`.

    Empty when a proxy that is believed names nobody: the customer's address is not known then.
    """
    here = _peer(peer)
    believed = bool(forwarded.strip()) and (
        known.anybody or not peer or (here is not None and known.know(here))
    )
    if not believed:
        return peer if here is None else str(here)
    found = None
    for said in reversed(forwarded.split(",")):
        found = _address(said)
        if found is None or not known.know(found):
            break
    return "" if found is None else str(found)


@lru_cache(maxsize=4096)
def _peer(address: str) -> IPv4Address | IPv6Address | None:
    """Proxies and programs come from few addresses, again and again."""
    return _address(address)


def _address(said: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: with a port, in brackets, with a zone, or as IPv4 within IPv6."""
    plain = said.strip()
    if plain.startswith("["):
        plain = plain[1:].partition("]")[0]
    elif plain.count(":") == 1:
        plain = plain.partition(":")[0]
    try:
        found = ip_address(plain.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
