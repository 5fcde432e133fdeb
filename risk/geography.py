"""Where a customer was, roughly, and how fast that is. Pure.

Coordinates are whole tenths of a degree (about 11 km): enough for countries, too coarse for a door.
"""

from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt

_TENTHS = 100_000  # microdegrees
_EARTH_KM = 6371.0
_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class Place:
    """`at` in ms since 1970."""

    at: int
    latitude: int
    longitude: int


def place(at: int, latitude_e6: int | None, longitude_e6: int | None) -> Place | None:
    """Coordinates in microdegrees as a place; None when they are not on the globe."""
    if latitude_e6 is None or longitude_e6 is None:
        return None
    latitude, longitude = round(latitude_e6 / _TENTHS), round(longitude_e6 / _TENTHS)
    return Place(at, latitude, longitude) if abs(latitude) <= 900 and abs(longitude) <= 1800 else None


def distance_km(a: Place, b: Place) -> float:
    """Along the great circle."""
    phi, theta = radians(a.latitude / 10), radians(b.latitude / 10)
    across, along = (theta - phi) / 2, radians((b.longitude - a.longitude) / 10) / 2
    half = sin(across) ** 2 + cos(phi) * cos(theta) * sin(along) ** 2
    return 2 * _EARTH_KM * asin(sqrt(min(half, 1.0)))


def signals(last: Place | None, here: Place | None) -> dict[str, float | None]:
    """How far from where the customer paid last, and km an hour; less than an hour counts as one."""
    if last is None or here is None:
        return dict.fromkeys(NAMES)
    far = distance_km(last, here)
    return {"geo_distance_km": far, "geo_speed_kmh": far / max(abs(here.at - last.at) / _HOUR, 1.0)}


NAMES = ("geo_distance_km", "geo_speed_kmh")
