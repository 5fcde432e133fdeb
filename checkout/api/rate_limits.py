"""So many requests a minute for each caller, counted in Redis and told in every answer.

A process tells Redis of each request of who asks little; of who asks much, of a hundredth more at a time, and never of
more than a thousandth of the limit: so who asks most is counted with little work, and almost to the last request.
"""

import logging
import math
import threading
import time
from dataclasses import dataclass, field
from functools import cache

import redis
from django.conf import settings
from django.utils.crypto import salted_hmac
from rest_framework.request import Request

from payments.services.recognise_api_key import ApiKeyView

WINDOW_SECONDS = 60
_PART_OF_USED, _PART_OF_LIMIT = 100, 1000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left to a caller of this minute's requests."""

    limit: int
    remaining: int
    resets_in: int  # seconds
    exceeded: bool

    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.resets_in),
        }


@dataclass(slots=True)
class _Minute:
    """What this process knows of one minute's requests."""

    window: int
    told: dict[str, int] = field(
        default_factory=dict
    )  # by caller: how many Redis knew of when it was told last
    untold: dict[str, int] = field(default_factory=dict)  # and how many came since


_lock = threading.Lock()
_minute = _Minute(0)


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5)


def count(request: Request) -> Standing | None:
    """Count this request. None when Redis does not answer: losing it costs the limit, never the shop."""
    limit = settings.API_REQUESTS_PER_MINUTE
    now = time.time()
    window = int(now // WINDOW_SECONDS)
    caller = _caller(request)
    minute, used, due = _counted(caller, window, limit)
    if due:
        try:
            used = _told(minute, caller, due)
        except redis.RedisError as error:
            _log.warning("Requests are not counted: Redis does not answer (%s).", type(error).__name__)
            return None
    resets_in = math.ceil((window + 1) * WINDOW_SECONDS - now)
    return Standing(limit=limit, remaining=max(0, limit - used), resets_in=resets_in, exceeded=used > limit)


def _counted(caller: str, window: int, limit: int) -> tuple[_Minute, int, int]:
    """How many requests of `caller` are known of, this one with them; and of how many Redis is to be told now."""
    global _minute  # noqa: PLW0603 -- one for the process: what was before it is over
    with _lock:
        if _minute.window != window:
            _minute = _Minute(window)
        minute = _minute
        new = minute.untold.get(caller, 0) + 1
        known = minute.told.get(caller, 0)
        enough = min(known // _PART_OF_USED, limit // _PART_OF_LIMIT)
        due = new if new >= enough or known + new >= limit else 0
        minute.untold[caller] = new - due
        return minute, known + new, due


def _told(minute: _Minute, caller: str, due: int) -> int:
    """Tell Redis of `due` requests more; how many it knows of now, from all processes."""
    name = f"api:requests:{caller}:{minute.window}"
    # Held on to: of two clients made at once only one is kept, and one that is let go of closes its connections.
    client = _redis()
    with client.pipeline(transaction=False) as pipeline:
        pipeline.incrby(name, due)
        pipeline.expire(name, WINDOW_SECONDS + 1)
        used = int(pipeline.execute()[0])
    with _lock:
        minute.told[caller] = max(used, minute.told.get(caller, 0))
        return used + minute.untold.get(caller, 0)


def _caller(request: Request) -> str:
    if isinstance(request.auth, ApiKeyView):
        return request.auth.id
    if request.user.is_authenticated:
        return f"user:{request.user.pk}"
    address = request.META.get("REMOTE_ADDR", "")
    return "guest:" + salted_hmac("checkout.api.rate_limits", address, algorithm="sha256").hexdigest()[:32]
