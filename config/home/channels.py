"""How the channels do: those in trouble before those that work."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest

from payments.measures import BreakerState
from payments.routes import ChannelHealth, channel_health


def channels(request: HttpRequest, now: datetime) -> dict[str, Any]:
    """As the page of the channels measures them. Those that nobody paid by, and nothing is wrong with, are counted."""
    known = [one for one in channel_health() if one.configured]
    shown = [one for one in known if one.settled or _is_in_trouble(one)]
    return {
        "channels": sorted(shown, key=lambda one: (not _is_in_trouble(one), -one.settled)),
        "quiet": len(known) - len(shown),
    }


def _is_in_trouble(one: ChannelHealth) -> bool:
    return not one.on or one.breaker.state != BreakerState.CLOSED or bool(one.faults)
