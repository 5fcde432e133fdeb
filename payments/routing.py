"""Which channel a payment goes to, and why the others were left out. Pure; the same facts always choose the same.

First what can not serve is left out, then rules speak (CEL over the variables of `variables()`), then points decide:
a rule's preference, the channel's share of the payments, its cost and its measured success.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import cel

from payments.measures import BreakerState

# A rule's preference outweighs everything else; whoever a share falls to comes before the others.
PREFERRED, SHARE = 1_000_000, 1_000
FORGIVEN = "breaker open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What is known of a channel for one method. Empty `currencies` and `countries` mean all of them.

    `fee_bps` and `fee_fixed` (minor units of the payment's currency) are what it costs; `measured` is its success in ‰
    (None: too few payments); of candidates with the same facts the earlier `position` is taken.
    """

    channel: str
    position: int
    configured: bool = True
    on: bool = True
    weight: int = 0
    capabilities: frozenset[str] = frozenset()
    currencies: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    least: int = 0
    most: int | None = None
    fee_bps: int = 0
    fee_fixed: int = 0
    measured: int | None = None
    breaker: BreakerState = BreakerState.CLOSED

    def fee(self, amount: int) -> int:
        """Minor units, rounded up as channels do."""
        return -(-amount * self.fee_bps // 10_000) + self.fee_fixed


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The payment to be routed. `amount` is minor units; `needs` names capabilities that the channel must have.

    `bound_to` is the only channel that can use the customer's instrument ("": any).
    """

    reference: str
    method: str
    amount: int
    currency: str
    country: str = ""
    device: str = ""
    needs: frozenset[str] = frozenset()
    bound_to: str = ""

    def told(self) -> dict[str, object]:
        """What a stored route keeps beside the payment's own columns, to be routed again."""
        return {"country": self.country, "needs": sorted(self.needs), "bound_to": self.bound_to}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingRule:
    """`then` is "prefer", "exclude" or "only", said of `channels`."""

    id: str
    when: str
    then: str
    channels: tuple[str, ...]
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingDocument:
    """A policy. `cost` is points lost by each basis point above the cheapest, `success` by each ‰ below the best.

    `least` is how many payments make a measured success count; `seed` decides whom the shares fall to.
    """

    name: str
    rules: tuple[RoutingRule, ...] = ()
    cost: int = 0
    success: int = 0
    least: int = 20
    seed: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """The ordered channels that may serve, a reason for each that may not, and the points of each."""

    eligible: tuple[str, ...]
    left_out: Mapping[str, str]
    points: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    policy: str = ""
    case: Case | None = None

    @property
    def only_broken(self) -> bool:
        """Whether somebody would serve, were it not out of order right now."""
        return not self.eligible and FORGIVEN in self.left_out.values()

    def record(self, chosen: str) -> dict[str, object]:
        """What the attempt stores about the choice."""
        return {
            "chosen": chosen,
            "eligible": list(self.eligible),
            "left_out": dict(self.left_out),
            "points": {channel: dict(points) for channel, points in self.points.items()},
            "rules": list(self.rules),
            "policy": self.policy,
            "case": self.case.told() if self.case else {},
        }


@lru_cache(maxsize=1024)
def _program(expression: str) -> cel.Program:
    return cel.compile(expression)


def variables(case: Case) -> dict[str, Any]:
    """What a rule may name."""
    payment = {
        "method": case.method,
        "amount": case.amount,
        "currency": case.currency,
        "country": case.country,
        "device": case.device,
        "needs": sorted(case.needs),
    }
    return {"payment": payment}


def applies(rule: RoutingRule, case: Case) -> bool:
    """Raises whatever the evaluator raises, and `TypeError` for an answer that is not yes or no."""
    answer = _program(rule.when).execute(cel.Context(variables=variables(case)))
    if not isinstance(answer, bool):
        raise TypeError(f"the expression must answer true or false, not {type(answer).__name__}")
    return answer


def route(document: RoutingDocument, case: Case, candidates: Iterable[Candidate]) -> Route:
    """The order in which `candidates` are tried for `case`. Never raises on a document that was checked."""
    ordered = sorted(candidates, key=lambda candidate: (candidate.position, candidate.channel))
    fired, spoken = _fired(document, case)
    left_out = {}
    for candidate in ordered:
        if reason := _unfit(candidate, case) or _ruled_out(candidate, fired):
            left_out[candidate.channel] = reason
    fit = [candidate for candidate in ordered if candidate.channel not in left_out]
    preferred = {channel for rule in fired if rule.then == "prefer" for channel in rule.channels}
    points = _points(document, case, fit, preferred)
    best_first = sorted(fit, key=lambda candidate: (-points[candidate.channel]["total"], candidate.position))
    return Route(
        eligible=tuple(candidate.channel for candidate in best_first),
        left_out=left_out,
        points=points,
        rules=spoken,
        policy=document.name,
        case=case,
    )


def _fired(document: RoutingDocument, case: Case) -> tuple[list[RoutingRule], tuple[str, ...]]:
    """The rules that apply; one that can not be evaluated is named and changes nothing."""
    fired, spoken = [], []
    for rule in document.rules:
        try:
            if applies(rule, case):
                fired.append(rule)
                spoken.append(rule.id)
        except Exception:  # noqa: BLE001 -- the evaluator raises whatever its operators raise
            spoken.append(f"{rule.id} (failed)")
    return fired, tuple(spoken)


def _unfit(candidate: Candidate, case: Case) -> str:
    return next(_objections(candidate, case), "")


def _objections(candidate: Candidate, case: Case) -> Iterator[str]:
    if not candidate.configured:
        yield "not configured"
    if not candidate.on:
        yield "switched off"
    if case.bound_to not in ("", candidate.channel):
        yield f"the instrument belongs to {case.bound_to}"
    if missing := sorted(case.needs - candidate.capabilities):
        yield f"can not {', '.join(missing)}"
    yield from _out_of_bounds(candidate, case)
    if candidate.breaker == BreakerState.OPEN:
        yield FORGIVEN


def _out_of_bounds(candidate: Candidate, case: Case) -> Iterator[str]:
    if candidate.currencies and case.currency not in candidate.currencies:
        yield f"not in {case.currency}"
    if candidate.countries and case.country not in candidate.countries:
        yield f"not for {case.country or 'an unknown country'}"
    if case.amount < candidate.least:
        yield f"below {candidate.least}"
    if candidate.most is not None and case.amount > candidate.most:
        yield f"above {candidate.most}"


def _ruled_out(candidate: Candidate, fired: Sequence[RoutingRule]) -> str:
    for rule in fired:
        named = candidate.channel in rule.channels
        if (rule.then == "exclude" and named) or (rule.then == "only" and not named):
            return f"rule {rule.id}"
    return ""


def _points(
    document: RoutingDocument, case: Case, fit: Sequence[Candidate], preferred: set[str]
) -> dict[str, dict[str, int]]:
    drawn = _drawn(document.seed, case, fit)
    fees = {candidate.channel: _bps(candidate, case.amount) for candidate in fit}
    best = max((candidate.measured for candidate in fit if candidate.measured is not None), default=0)
    cheapest = min(fees.values(), default=0)
    points = {}
    for candidate in fit:
        behind = 0 if candidate.measured is None else best - candidate.measured
        own = {
            "preferred": PREFERRED if candidate.channel in preferred else 0,
            "share": SHARE if candidate.channel == drawn else 0,
            "cost": -document.cost * (fees[candidate.channel] - cheapest),
            "success": -document.success * behind,
        }
        points[candidate.channel] = {**own, "total": sum(own.values())}
    return points


def _bps(candidate: Candidate, amount: int) -> int:
    return candidate.fee(amount) * 10_000 // amount if amount else candidate.fee_bps


def _drawn(seed: str, case: Case, fit: Sequence[Candidate]) -> str:
    """Whom the share of this payment falls to: by its reference, so that every try of it falls to the same."""
    total = sum(candidate.weight for candidate in fit)
    if not total:
        return ""
    digest = hashlib.sha256(f"{seed}:{case.method}:{case.reference}".encode()).digest()
    left = int.from_bytes(digest[:8]) % total
    for candidate in fit:
        left -= candidate.weight
        if left < 0:
            return candidate.channel
    raise AssertionError("the weights add up to their total")
