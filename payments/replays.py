"""Payments of the past through another routing policy: what would have gone elsewhere, and what that would mean."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ledger.identifiers import MalformedIdentifier, decode
from payments import routes
from payments.channels.contract import Capability
from payments.errors import RoutingPolicyNotFound
from payments.models import Attempt, RoutingPolicy
from payments.routing import Candidate, Case, RoutingDocument, route
from payments.states import AttemptKind, AttemptState

_SETTLED = (AttemptState.SUCCEEDED, AttemptState.DECLINED, AttemptState.ERRORED, AttemptState.UNKNOWN)
LISTED = 50
_MOST = 200_000


@dataclass(frozen=True, slots=True)
class Moved:
    """One payment that would have gone elsewhere."""

    attempt: str
    reference: str
    amount: int
    currency: str
    before: str
    after: str  # "" when nobody would have served it
    because: str


@dataclass(frozen=True, slots=True)
class Replay:
    """What a policy would have done. `cost_before` and `cost_after` are minor units by currency; success is in ‰, from
    how each channel fared in the same time (None: nothing was measured)."""

    policy: str
    since: datetime
    payments: int
    moved: int
    unserved: int
    cost_before: Mapping[str, int]
    cost_after: Mapping[str, int]
    success_before: int | None
    success_after: int | None
    flows: Mapping[tuple[str, str], int]
    listed: tuple[Moved, ...]

    def cost_difference(self) -> dict[str, int]:
        currencies = {*self.cost_before, *self.cost_after}
        return {
            name: self.cost_after.get(name, 0) - self.cost_before.get(name, 0) for name in sorted(currencies)
        }


def policy_named(name: str) -> RoutingPolicy:
    """By "name@version" or its identifier (rtp_…). Raises `RoutingPolicyNotFound`."""
    title, _, version = name.rpartition("@")
    if title and version.isdecimal() and len(version) < 9:
        found = RoutingPolicy.objects.filter(name=title, version=int(version)).first()
    else:
        try:
            found = RoutingPolicy.objects.filter(pk=decode("rtp", name)).first()
        except MalformedIdentifier:
            found = None
    if found is None:
        raise RoutingPolicyNotFound(f"There is no routing policy {name[:60]}.", param="policy")
    return found


def replay(policy: str, since: datetime) -> Replay:
    """The first tries of all payments since then, through `policy` with today's switches and no breaker open.

    Nothing is changed. Reads at most the newest 200,000 tries, with flat memory. Raises `RoutingPolicyNotFound`,
    `InvalidRoutingPolicy`.
    """
    document = routes.document_of(policy_named(policy))
    settings = routes.what_is_set()
    fared = _fared(since)
    total, moved, unserved = 0, 0, 0
    before, after, flows = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
    expected = {"before": [0, 0], "after": [0, 0]}
    listed: list[Moved] = []
    for attempt in _tries(since):
        case = case_of(attempt)
        candidates = _candidates(case, settings, fared, document)
        chosen = route(document, case, candidates)
        name = chosen.eligible[0] if chosen.eligible else ""
        by_name = {one.channel: one for one in candidates}
        total += 1
        _count(before, expected["before"], by_name.get(attempt.channel), case, fared)
        _count(after, expected["after"], by_name.get(name), case, fared)
        flows[attempt.channel, name] += 1
        if name == attempt.channel:
            continue
        moved, unserved = moved + 1, unserved + (not name)
        if len(listed) < LISTED:
            because = chosen.left_out.get(attempt.channel, "") or ", ".join(chosen.rules) or "points"
            listed.append(_moved(attempt, name, because))
    return Replay(
        policy=document.name,
        since=since,
        payments=total,
        moved=moved,
        unserved=unserved,
        cost_before=dict(before),
        cost_after=dict(after),
        success_before=_share(expected["before"]),
        success_after=_share(expected["after"]),
        flows=dict(flows),
        listed=tuple(listed),
    )


def case_of(attempt: Attempt) -> Case:
    """The payment as it was when it was routed."""
    kept: dict[str, Any] = attempt.route.get("case", {})
    return Case(
        reference=attempt.payment.reference,
        method=attempt.route.get("method", attempt.payment.method),
        amount=attempt.amount,
        currency=attempt.currency,
        country=kept.get("country", ""),
        device=attempt.payment.device,
        needs=frozenset(Capability(need) for need in kept.get("needs", ())),
        bound_to=kept.get("bound_to", ""),
    )


def _tries(since: datetime) -> Iterator[Attempt]:
    rows = Attempt.objects.filter(kind=AttemptKind.START, sent_at__gte=since, route__hop__isnull=True)
    return rows.select_related("payment").order_by("-sent_at")[:_MOST].iterator(chunk_size=2000)


def _candidates(
    case: Case,
    settings: routes.Settings,
    fared: Mapping[tuple[str, str], tuple[int, int]],
    document: RoutingDocument,
) -> list[Candidate]:
    """As they are set today, all in working order, with the success of the replayed time."""
    found = []
    for one in routes.candidates_as_set(case, settings):
        settled, succeeded = fared.get((one.channel, case.method), (0, 0))
        measured = 1000 * succeeded // settled if settled and settled >= document.least else None
        found.append(replace(one, measured=measured))
    return found


def _fared(since: datetime) -> dict[tuple[str, str], tuple[int, int]]:
    """(settled, succeeded) of each channel and method since then."""
    rows = Attempt.objects.filter(kind=AttemptKind.START, sent_at__gte=since, state__in=_SETTLED)
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for channel, method, state, number in rows.by_result():
        settled, succeeded = counts.get((channel, method or ""), (0, 0))
        won = number if state == AttemptState.SUCCEEDED else 0
        counts[channel, method or ""] = (settled + number, succeeded + won)
    return counts


def _count(
    costs: Counter[str],
    expected: list[int],
    candidate: Candidate | None,
    case: Case,
    fared: Mapping[tuple[str, str], tuple[int, int]],
) -> None:
    if candidate is None:
        return
    costs[case.currency] += candidate.fee(case.amount)
    settled, succeeded = fared.get((candidate.channel, case.method), (0, 0))
    if settled:
        expected[0] += 1
        expected[1] += 1000 * succeeded // settled


def _share(expected: list[int]) -> int | None:
    return expected[1] // expected[0] if expected[0] else None


def _moved(attempt: Attempt, name: str, because: str) -> Moved:
    return Moved(
        attempt=attempt.public_id,
        reference=attempt.payment.reference,
        amount=attempt.amount,
        currency=attempt.currency,
        before=attempt.channel,
        after=name,
        because=because,
    )
