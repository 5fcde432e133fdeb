"""The breakers of channels: their state in Redis, the truth in the attempts.

Losing Redis closes every breaker; the next fault is counted from the attempts again. A breaker stands before new
payments only: nothing that asks, captures or refunds looks at it.
"""

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import redis
from django.conf import settings
from django.db.models import Count, Q
from django.utils import timezone
from redis.backoff import NoBackoff
from redis.retry import Retry

from payments.channels import registry
from payments.channels.contract import Answer, Outcome
from payments.channels.meanings import NOT_REACHED, Reaction
from payments.measures import FAULTS, BreakerRule, BreakerState, Result
from payments.models import Attempt
from payments.states import AttemptKind

_log = logging.getLogger(__name__)
# A probe whose process died makes room for the next one then.
_PROBE_SECONDS = 30
_KEPT = timedelta(days=1)

Pair = tuple[str, str]  # channel, method


@dataclass(frozen=True, slots=True)
class Breaker:
    state: BreakerState = BreakerState.CLOSED
    since: datetime | None = None
    probe_at: datetime | None = None
    by: str = ""


def rule() -> BreakerRule:
    return BreakerRule(**settings.BREAKER)


def breakers(pairs: Iterable[Pair]) -> dict[Pair, Breaker]:
    """The breaker of each channel and method; all closed when Redis does not answer."""
    asked = list(pairs)
    try:
        stored = _redis().mget([_name(pair) for pair in asked]) if asked else []
    except redis.RedisError as error:
        _log.warning("Breakers count as closed: Redis does not answer (%s).", type(error).__name__)
        return dict.fromkeys(asked, Breaker())
    return {pair: _read(raw) for pair, raw in zip(asked, stored, strict=True)}  # type: ignore[arg-type]


def take_probe(pair: Pair) -> bool:
    """Whether the caller's payment is the one that may try a half-open channel."""
    try:
        return bool(_redis().set(f"{_name(pair)}:probe", "1", nx=True, ex=_PROBE_SECONDS))
    except redis.RedisError:
        return True


def open_breaker(pair: Pair, *, by: str = "system") -> None:
    now = timezone.now()
    # One that opens again after a probe has been broken since it first opened.
    known = breakers([pair])[pair]
    since = known.since if known.state != BreakerState.CLOSED and known.since else now
    probe_at = now + timedelta(seconds=rule().open_seconds)
    _write(pair, Breaker(BreakerState.OPEN, since, probe_at, by))


def close_breaker(pair: Pair, *, by: str = "system") -> None:
    """Close it; what went wrong before does not open it again."""
    _write(pair, Breaker(BreakerState.CLOSED, timezone.now(), None, by))


def probe_now(pair: Pair, *, by: str) -> bool:
    """Let the next payment try an open channel at once. False when it is not open."""
    known = breakers([pair])[pair]
    if known.state == BreakerState.CLOSED:
        return False
    _write(pair, Breaker(BreakerState.OPEN, known.since, timezone.now(), by))
    return True


def result_of(channel: str, answer: Answer) -> Result:
    """What the first answer to a new payment says of its channel."""
    if answer.code == NOT_REACHED:
        return Result.UNREACHABLE
    if answer.outcome == Outcome.UNKNOWN:
        return Result.UNKNOWN
    if answer.outcome == Outcome.DECLINED:
        return Result.DECLINED
    if answer.outcome != Outcome.ERRORED:
        return Result.OK
    known = registry.meaning(channel, answer.code)
    # A sum that is too small or a card token that was used up is no fault of the channel's.
    ours = known is not None and known.reaction not in (Reaction.OTHER_CHANNEL, Reaction.RETRY_LATER)
    return Result.REFUSED if ours else Result.ERRORED


def tally(pair: Pair, after: datetime) -> tuple[int, int]:
    """(calls, faults) of new payments since `after`, from the attempts."""
    rows = Attempt.objects.filter(
        kind=AttemptKind.START, channel=pair[0], sent_at__gt=after, route__method=pair[1]
    ).exclude(first_result="")
    faults = Count("pk", filter=Q(first_result__in=FAULTS))
    found = rows.aggregate(calls=Count("pk"), faults=faults)
    return found["calls"], found["faults"]


def _name(pair: Pair) -> str:
    return f"breaker:{pair[0]}:{pair[1]}"


def _read(raw: bytes | None) -> Breaker:
    if raw is None:
        return Breaker()
    kept = json.loads(raw)
    since = datetime.fromisoformat(kept["since"])
    if kept["state"] == BreakerState.CLOSED:
        return Breaker(BreakerState.CLOSED, since, None, kept["by"])
    probe_at = datetime.fromisoformat(kept["probe_at"])
    due = probe_at <= timezone.now()
    return Breaker(BreakerState.HALF_OPEN if due else BreakerState.OPEN, since, probe_at, kept["by"])


def _write(pair: Pair, breaker: Breaker) -> None:
    kept = {
        "state": breaker.state,
        "since": breaker.since.isoformat() if breaker.since else "",
        "probe_at": breaker.probe_at.isoformat() if breaker.probe_at else "",
        "by": breaker.by,
    }
    try:
        with _redis().pipeline() as pipeline:
            pipeline.set(_name(pair), json.dumps(kept), ex=_KEPT)
            pipeline.delete(f"{_name(pair)}:probe")
            pipeline.execute()
    except redis.RedisError as error:
        _log.warning("A breaker could not be moved: Redis does not answer (%s).", type(error).__name__)


@cache
def _redis() -> redis.Redis:
    # The library would try again for seconds, with the customer waiting.
    once = Retry(NoBackoff(), 0)
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5, retry=once
    )
