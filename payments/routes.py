"""Which channel a payment goes to, from what is set, measured and broken right now."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from payments import policies
from payments.breakers import Breaker, breakers, take_probe
from payments.channels import registry
from payments.measures import MINUTES, BreakerState, smoothed
from payments.models import ChannelSwitch, RoutingPolicy
from payments.routing import Candidate, Case, Route, RoutingDocument, route
from payments.states import RoutingPolicyState

# How long what is set and what was measured is kept in the process: a switch takes effect within a second.
SET_SECONDS, MEASURED_SECONDS = 1.0, 5.0
# Whom everything falls to where nobody set a weight: the first that the settings name.
_FIRST_WEIGHT = 100
_kept: dict[str, tuple[float, Any]] = {}

_MINUTES_OF_SUCCESS = """
SELECT channel, route->>'method',
       floor(extract(epoch FROM (%(now)s - sent_at)) / 60)::int AS age,
       count(*), count(*) FILTER (WHERE state = 'SUCCEEDED'),
       count(*) FILTER (WHERE first_result IN ('errored', 'unreachable', 'unknown'))
FROM payments_attempt
WHERE kind = 'START' AND sent_at > %(after)s AND sent_at <= %(now)s
      AND state IN ('SUCCEEDED', 'DECLINED', 'ERRORED', 'UNKNOWN')
GROUP BY 1, 2, 3
"""
_LATENCY = """
SELECT channel, route->>'method', count(*),
       percentile_disc(0.95) WITHIN GROUP (ORDER BY latency_ms)
FROM payments_attempt
WHERE kind = 'START' AND sent_at > %(after)s AND sent_at <= %(now)s AND latency_ms IS NOT NULL
GROUP BY 1, 2
"""
_WINDOW = timedelta(minutes=MINUTES)


@dataclass(frozen=True, slots=True)
class Settings:
    """What people set: the policy that decides, and the switches by channel and method."""

    document: RoutingDocument
    switches: Mapping[tuple[str, str], ChannelSwitch]


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """One channel for one method: what is set, and how it worked in the last minutes. Shares are ‰."""

    channel: str
    method: str
    configured: bool
    on: bool
    weight: int
    settled: int
    success: int | None
    faults: int | None
    p95_ms: int | None
    breaker: Breaker


def choose(case: Case) -> Route:
    """The route of a payment that begins now. A channel that is half open is tried by one payment at a time."""
    found = what_is_set()
    candidates = candidates_for(case, found, measured(found.document.least))
    chosen = route(found.document, case, candidates)
    while chosen.eligible:
        first = next(one for one in candidates if one.channel == chosen.eligible[0])
        if first.breaker != BreakerState.HALF_OPEN or take_probe((first.channel, case.method)):
            return chosen
        shut = replace(first, breaker=BreakerState.OPEN)
        candidates = [shut if one is first else one for one in candidates]
        chosen = route(found.document, case, candidates)
    return chosen


def candidates_for(
    case: Case, found: Settings, success: Mapping[tuple[str, str], int | None]
) -> list[Candidate]:
    known = candidates_as_set(case, found)
    broken = breakers((one.channel, case.method) for one in known)
    return [
        replace(
            one,
            measured=success.get((one.channel, case.method)),
            breaker=broken[one.channel, case.method].state,
        )
        for one in known
    ]


def candidates_as_set(case: Case, found: Settings) -> list[Candidate]:
    """As people set them, unmeasured and in working order."""
    names: Sequence[str] = settings.PAYMENT_METHODS.get(case.method, ())
    return [candidate(found, case, name, position) for position, name in enumerate(names)]


def candidate(found: Settings, case: Case, name: str, position: int) -> Candidate:
    """What is set about a channel for this payment; a method's own words come before the channel's."""
    all_of_it, own = found.switches.get((name, "")), found.switches.get((name, case.method))
    said = [switch for switch in (own, all_of_it) if switch]
    weight = next((one.weight for one in said if one.weight is not None), 0 if position else _FIRST_WEIGHT)
    bounds: Mapping[str, int] = _first(one.bounds.get(case.currency) for one in said) or {}
    fees: Mapping[str, Any] = _first([*(one.fees for one in said), settings.CHANNEL_FEES.get(name)]) or {}
    configured = name in registry.configured()
    return Candidate(
        channel=name,
        position=position,
        configured=configured,
        on=all(one.on for one in said),
        weight=weight,
        capabilities=frozenset(registry.channel(name).capabilities if configured else ()),
        currencies=frozenset(_first(one.currencies for one in said) or ()),
        countries=frozenset(_first(one.countries for one in said) or ()),
        least=bounds.get("least", 0),
        most=bounds.get("most"),
        fee_bps=fees.get("bps", 0),
        fee_fixed=fees.get("fixed", {}).get(case.currency, 0),
    )


def usable(method: str) -> bool:
    """Whether any channel that is switched on serves this method; limits and breakers are not looked at."""
    found = what_is_set()
    case = Case(reference="", method=method, amount=0, currency="")
    return any(one.configured and one.on for one in candidates_as_set(case, found))


def what_is_set() -> Settings:
    """The active policy and the switches, at most a second old."""
    return _fresh("set", SET_SECONDS, _read_settings)  # type: ignore[no-any-return]


def measured(least: int) -> dict[tuple[str, str], int | None]:
    """The success in ‰ of each channel and method in the last minutes; None below `least` payments."""
    rows = _fresh("measured", MEASURED_SECONDS, _minutes)
    return {
        pair: smoothed({age: counts[:2] for age, counts in ages.items()}, least)
        for pair, ages in rows.items()
    }


def channel_health() -> list[ChannelHealth]:
    """Each channel for each method that the settings name; not from the cache."""
    found, minutes, latency = _read_settings(), _minutes(), dict(_rows(_LATENCY, timezone.now()))
    pairs = [(name, method) for method, names in settings.PAYMENT_METHODS.items() for name in names]
    broken = breakers(pairs)
    health = []
    for method, names in settings.PAYMENT_METHODS.items():
        case = Case(reference="", method=method, amount=0, currency="")
        for position, name in enumerate(names):
            facts = candidate(found, case, name, position)
            ages = minutes.get((name, method), {})
            settled = sum(counts[0] for counts in ages.values())
            faults = sum(counts[2] for counts in ages.values())
            health.append(
                ChannelHealth(
                    channel=name,
                    method=method,
                    configured=facts.configured,
                    on=facts.on,
                    weight=facts.weight,
                    settled=settled,
                    success=smoothed({age: counts[:2] for age, counts in ages.items()}, 1),
                    faults=1000 * faults // settled if settled else None,
                    p95_ms=latency.get((name, method), (0, None))[1],
                    breaker=broken[name, method],
                )
            )
    return health


def document_of(policy: RoutingPolicy) -> RoutingDocument:
    """Raises `InvalidRoutingPolicy`."""
    return policies.parse(
        name=str(policy), rules=policy.rules, points=policy.points, channels=tuple(settings.CHANNELS)
    )


def forget() -> None:
    """Read what is set anew at the next question: for the process in which it was changed."""
    _kept.clear()


def _read_settings() -> Settings:
    policy = RoutingPolicy.objects.filter(state=RoutingPolicyState.ACTIVE).first()
    document = document_of(policy) if policy else RoutingDocument(name="settings")
    return Settings(document, {(row.channel, row.method): row for row in ChannelSwitch.objects.all()})


def _minutes() -> dict[tuple[str, str], dict[int, tuple[int, int, int]]]:
    found: dict[tuple[str, str], dict[int, tuple[int, int, int]]] = {}
    for pair, (age, settled, succeeded, faults) in _rows(_MINUTES_OF_SUCCESS, timezone.now()):
        found.setdefault(pair, {})[age] = (settled, succeeded, faults)
    return found


def _rows(query: str, now: datetime) -> list[tuple[tuple[str, str], tuple[Any, ...]]]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"now": now, "after": now - _WINDOW})
        return [((row[0], row[1] or ""), tuple(row[2:])) for row in cursor.fetchall()]


def _first(said: Iterable[Any]) -> Any:
    """What the first says that says anything."""
    for one in said:
        if one:
            return one
    return None


def _fresh(name: str, seconds: float, read: Any) -> Any:
    at, value = _kept.get(name, (0.0, None))
    if value is None or monotonic() - at > seconds:
        value = read()
        _kept[name] = (monotonic(), value)
    return value
