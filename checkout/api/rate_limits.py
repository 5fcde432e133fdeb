"""So many requests a minute for each caller, counted in Redis and told in every answer."""

import logging
import math
import time
from dataclasses import dataclass
from functools import cache

import redis
from django.conf import settings
from django.utils.crypto import salted_hmac
from rest_framework.request import Request

from payments.services.recognise_api_key import ApiKeyView

WINDOW_SECONDS = 60
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


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5)


def count(request: Request) -> Standing | None:
    """Count this request. None when Redis does not answer: losing it costs the limit, never the shop."""
    limit = settings.API_REQUESTS_PER_MINUTE
    now = time.time()
    window = int(now // WINDOW_SECONDS)
    name = f"api:requests:{_caller(request)}:{window}"
    # Held on to: of two clients made at once only one is kept, and one that is let go of closes its connections.
    client = _redis()
    try:
        with client.pipeline(transaction=False) as pipeline:
            pipeline.incr(name)
            pipeline.expire(name, WINDOW_SECONDS + 1)
            used = int(pipeline.execute()[0])
    except redis.RedisError as error:
        _log.warning("Requests are not counted: Redis does not answer (%s).", type(error).__name__)
        return None
    resets_in = math.ceil((window + 1) * WINDOW_SECONDS - now)
    return Standing(limit=limit, remaining=max(0, limit - used), resets_in=resets_in, exceeded=used > limit)


def _caller(request: Request) -> str:
    if isinstance(request.auth, ApiKeyView):
        return request.auth.id
    if request.user.is_authenticated:
        return f"user:{request.user.pk}"
    address = request.META.get("REMOTE_ADDR", "")
    return "guest:" + salted_hmac("checkout.api.rate_limits", address, algorithm="sha256").hexdigest()[:32]
