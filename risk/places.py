"""Where an address of the network is: from the operator's own database where there is one, else by its country.

The registries' allotments (`iptocc`) give the country. Its place is the middle of the places that the table of time
zones names in it: rough, but two countries are far apart or they are not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from math import asin, atan2, cos, degrees, radians, sin, sqrt
from pathlib import Path
from re import fullmatch
from typing import Any

import iptocc
import maxminddb
import structlog
from django.conf import settings

log = structlog.get_logger(__name__)

Address = IPv4Address | IPv6Address
_MICRODEGREES = 1_000_000
_COORDINATES = (
    r"([+-])(\d{2})(\d{2})(\d{2})?([+-])(\d{3})(\d{2})(\d{2})?"  # ISO 6709: degrees, minutes, seconds
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Country is ISO 3166 alpha-2, "" when nobody knows; coordinates are microdegrees."""

    country: str = ""
    latitude_e6: int | None = None
    longitude_e6: int | None = None
    is_proxy: bool = False


def of_address(text: str) -> Whereabouts:
    """Never raises; what is private or no address is nowhere."""
    try:
        address = ip_address(text)
    except ValueError:
        return Whereabouts()
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if not address.is_global:
        return Whereabouts()
    return Whereabouts(**_by_database(address) or _by_country(address), is_proxy=_is_proxy(address))


def _by_country(address: Address) -> dict[str, Any]:
    country = iptocc.country_code(str(address)) or ""
    latitude, longitude = _middles().get(country, (None, None))
    return {"country": country, "latitude_e6": latitude, "longitude_e6": longitude}


def _by_database(address: Address) -> dict[str, Any]:
    """What the operator's database says; empty without one, or where it says nothing of the country."""
    reader = _database(settings.GEO_DATABASE)
    found: Any = reader.get(address) if reader else None
    if not isinstance(found, Mapping):
        return {}
    country, place = found.get("country", {}).get("iso_code", ""), found.get("location", {})
    latitude, longitude = place.get("latitude"), place.get("longitude")
    if not country:
        return {}
    known = latitude is not None and longitude is not None
    return {
        "country": str(country)[:2],
        "latitude_e6": round(latitude * _MICRODEGREES) if known else None,
        "longitude_e6": round(longitude * _MICRODEGREES) if known else None,
    }


@lru_cache(maxsize=1)
def _database(path: str) -> maxminddb.Reader | None:
    if not path:
        return None
    try:
        return maxminddb.open_database(path)
    except (OSError, maxminddb.InvalidDatabaseError) as problem:
        log.error("risk.geo_database_unusable", path=path, problem=str(problem))  # noqa: TRY400 -- in words
        return None


def _is_proxy(address: Address) -> bool:
    """Whether it lies in a network of the operator's list; one step for each length that the list has."""
    lengths = _proxies(settings.PROXY_NETWORKS)
    return any(
        length <= address.max_prefixlen and _key(address, length) in known
        for length, known in lengths.get(address.version, {}).items()
    )


@lru_cache(maxsize=1)
def _proxies(path: str) -> dict[int, dict[int, set[int]]]:
    """The list's networks by version and length. A line that is none is told and left out."""
    lengths: dict[int, dict[int, set[int]]] = {}
    for line in _lines(path):
        try:
            network: IPv4Network | IPv6Network = ip_network(line, strict=False)
        except ValueError:
            log.error("risk.proxy_network_unreadable", line=line[:80])  # noqa: TRY400 -- in words
            continue
        known = lengths.setdefault(network.version, {}).setdefault(network.prefixlen, set())
        known.add(_key(network.network_address, network.prefixlen))
    return lengths


def _lines(path: str) -> list[str]:
    if not path:
        return []
    try:
        lines = Path(path).read_text().splitlines()
    except OSError as problem:
        log.error("risk.proxy_networks_unreadable", path=path, problem=str(problem))  # noqa: TRY400 -- in words
        return []
    return [text for line in lines if (text := line.partition("#")[0].strip())]


def _key(address: Address, length: int) -> int:
    return int(address) >> (address.max_prefixlen - length)


@lru_cache(maxsize=1)
def _middles() -> dict[str, tuple[int, int]]:
    """By country, in microdegrees: the mean direction from the middle of the earth."""
    table = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text()
    rows = [line.split("\t") for line in table.splitlines() if line and not line.startswith("#")]
    sums: dict[str, tuple[float, float, float]] = {}
    for country, coordinates, *_ in rows:
        x, y, z = _direction(coordinates)
        before = sums.get(country, (0.0, 0.0, 0.0))
        sums[country] = (before[0] + x, before[1] + y, before[2] + z)
    return {country: _place(*direction) for country, direction in sums.items()}


def _direction(coordinates: str) -> tuple[float, float, float]:
    found = fullmatch(_COORDINATES, coordinates)
    assert found is not None, f"the table of time zones says {coordinates!r}"
    south, *latitude = found.groups()[:4]
    west, *longitude = found.groups()[4:]
    phi, theta = _angle(south, latitude), _angle(west, longitude)
    return cos(phi) * cos(theta), cos(phi) * sin(theta), sin(phi)


def _angle(sign: str, parts: list[str]) -> float:
    whole, minutes, seconds = (int(part or 0) for part in parts)
    return radians((whole + minutes / 60 + seconds / 3600) * (-1 if sign == "-" else 1))


def _place(x: float, y: float, z: float) -> tuple[int, int]:
    length = sqrt(x * x + y * y + z * z)
    return (
        round(degrees(asin(z / length)) * _MICRODEGREES),
        round(degrees(atan2(y, x)) * _MICRODEGREES),
    )
