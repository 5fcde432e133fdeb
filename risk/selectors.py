"""What others may read of risk: frozen dataclasses, words in the reader's language."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db.models import Case, Q, When
from django.utils import timezone

from ledger.identifiers import MalformedIdentifier, decode, encode
from ledger.money import Money
from ledger.sentences import Sentence
from risk import policies, rules, wording
from risk.errors import CaseNotFound, DecisionNotFound, PolicyNotFound
from risk.facts import Reason
from risk.limits import CURRENCY
from risk.models import Decision, ListEntry, Policy, PolicySwitch, RiskCase
from risk.rules import PolicyDocument
from risk.states import LIVE_CASE, Action, CaseKind, CaseState, Level, PolicyState

_CHUNK = 1000
_SOON = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """`inputs` is what was looked at, personal values hashed or cut; words are in the language that was asked for."""

    id: str
    stage: str
    subject: str
    amount: Money | None  # None where the currency of the question is not one
    amount_in_words: str
    policy: str
    score: int
    level: str
    action: str
    reasons: tuple[Reason, ...]
    explanation: str
    inputs: Mapping[str, Any]
    latency_us: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """`overdue` is true from `decide_by` on while nobody has decided. `subject` is what waits ("pay_…")."""

    id: str
    subject: str
    state: str
    decide_by: datetime
    overdue: bool
    live: bool
    assignee: str
    closed_by: str
    closed_at: datetime | None
    reason: str
    opened_at: datetime
    kind: str  # "hold": a payment waits; "sample", "second": none does
    senior: bool  # escalated: not everybody who decides may decide this
    expected_loss: int  # CNY minor units
    expected_loss_in_words: str
    decision: DecisionView

    @property
    def explanation(self) -> str:
        return self.decision.explanation

    @property
    def reasons(self) -> tuple[Reason, ...]:
        return self.decision.reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An entry of a list that a decision met. `reason` is as it was then; the rest as the entry says now."""

    id: str
    kind: str
    entity: str
    reason: str
    label: str
    source: str
    added_at: datetime | None
    expires_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A decision judged again from what was stored. `same` is true when every byte agrees."""

    decision: str
    same: bool
    stored: bytes
    recomputed: bytes
    fault: str = ""  # "engine", "digest" or "outcome"


@lru_cache(maxsize=64)
def _read_policy(policy_id: UUID) -> PolicyDocument:
    return parse_policy(Policy.objects.get(pk=policy_id))


def parse_policy(policy: Policy) -> PolicyDocument:
    return policies.parse(
        name=str(policy),
        rules=policy.rules,
        thresholds=policy.thresholds,
        limits=policy.limits,
        rates=policy.rates,
        model=policy.model,
    )


def policy_document(policy_id: UUID) -> PolicyDocument:
    """A policy that has left DRAFT, as the judge reads it; kept in memory because it can not change."""
    return _read_policy(policy_id)


def policy_named(policy: str) -> Policy:
    """Raises `PolicyNotFound`."""
    found = Policy.objects.named(policy).first()
    if found is None:
        raise PolicyNotFound(Sentence("There is no policy %(policy)s.", policy=policy[:60]), param="policy")
    return found


def policy_before() -> Policy | None:
    """Which policy the active one replaced when it was switched on; going back is no such switch."""
    switches = PolicySwitch.objects.filter(policy__state=PolicyState.ACTIVE, returned=False)
    last = switches.select_related("replaced").order_by("-id").first()
    return last.replaced if last else None


def decision(dec_id: str, *, locale: str = "en") -> DecisionView:
    """Raises `DecisionNotFound`."""
    return decision_view(decision_row(dec_id), locale)


def asks_customer(dec_id: str) -> bool:
    """Whether the decision was to have the customer prove who they are."""
    return Decision.objects.filter(pk=decode("dec", dec_id), action=str(Action.CHALLENGE)).exists()


def decisions_of(subject: str, *, locale: str = "en", most: int = 50) -> list[DecisionView]:
    """The newest first."""
    rows = Decision.objects.select_related("policy").filter(subject=subject).order_by("-id")[:most]
    return [decision_view(row, locale) for row in rows]


def decisions_of_customer(dec_id: str, *, locale: str = "en", most: int = 20) -> list[DecisionView]:
    """Other decisions on the same customer before this one, the newest first. Raises `DecisionNotFound`."""
    one = decision_row(dec_id)
    if not one.customer_key:
        return []
    earlier = Decision.objects.filter(customer_key=one.customer_key, happened_at__lte=one.happened_at)
    rows = earlier.exclude(pk=one.pk).select_related("policy").order_by("-happened_at")[:most]
    return [decision_view(row, locale) for row in rows]


def hits_of(dec_id: str) -> list[Hit]:
    """Which entries of lists a decision met. Raises `DecisionNotFound`."""
    met = decision_row(dec_id).inputs["lists"]
    rows = ListEntry.objects.in_bulk([UUID(one["entry"]) for one in met])
    return [_hit(one, rows.get(UUID(one["entry"]))) for one in met]


def _hit(met: Mapping[str, str], row: ListEntry | None) -> Hit:
    return Hit(
        id=encode("lst", UUID(met["entry"])),
        kind=met["kind"],
        entity=met["entity"],
        reason=met["reason"],
        label=row.label if row else "",
        source=row.source if row else "",
        added_at=row.created_at if row else None,
        expires_at=row.expires_at if row else None,
        ended_at=row.ended_at if row else None,
    )


def case_of(case_id: str, *, locale: str = "en") -> CaseView:
    """Raises `CaseNotFound`."""
    row = RiskCase.objects.select_related("decision__policy").filter(pk=case_key(case_id)).first()
    if row is None:
        raise CaseNotFound("There is no such case.", param="case")
    return case_view(row, locale)


def live_cases(*, locale: str = "en", most: int = 200) -> list[CaseView]:
    """The work queue: what would cost most comes first, but what is due soon before all that has time."""
    soon = Q(decide_by__lte=timezone.now() + _SOON)
    rows = RiskCase.objects.live().select_related("decision__policy")
    rows = rows.annotate(rush=Case(When(soon, then=0), default=1)).order_by(
        "rush", "-expected_loss", "decide_by", "pk"
    )[:most]
    return [case_view(row, locale) for row in rows]


def closed_cases(*, locale: str = "en", most: int = 20) -> list[CaseView]:
    """What was decided or expired last."""
    closed = RiskCase.objects.filter(closed_at__isnull=False).select_related("decision__policy")
    return [case_view(row, locale) for row in closed.order_by("-closed_at")[:most]]


def due_cases(*, now: datetime | None = None, most: int = 100) -> list[CaseView]:
    """Cases whose time is over and which nobody closed: give their payments up, then `expire_case`."""
    due = RiskCase.objects.live().filter(decide_by__lte=now or timezone.now(), kind=CaseKind.HOLD)
    return [
        case_view(row) for row in due.select_related("decision__policy").order_by("decide_by", "pk")[:most]
    ]


def replay(dec_id: str) -> Replay:
    """Judge again from stored inputs and policy version, and compare. Raises `DecisionNotFound`."""
    return replay_row(decision_row(dec_id))


def replays(*, since: UUID | None = None) -> Iterator[Replay]:
    """Every decision from the key `since` on, judged again; read in chunks, each a statement of its own."""
    rows = Decision.objects.only(
        "policy_id", "inputs", "outcome", "score", "level", "action", "digest"
    ).order_by("pk")
    after = UUID(int=since.int - 1) if since else UUID(int=0)
    while chunk := list(rows.filter(pk__gt=after)[:_CHUNK]):
        yield from map(replay_row, chunk)
        after = chunk[-1].pk


def replay_row(row: Decision) -> Replay:
    judgement = rules.judge(policy_document(row.policy_id), row.inputs)
    recomputed, stored = rules.canonical(rules.outcome(judgement)), rules.canonical(row.outcome)
    columns = (row.outcome["score"], row.outcome["level"], row.outcome["action"])
    fault = ""
    if row.outcome.get("engine") != rules.ENGINE:
        fault = "engine"
    elif row.digest != rules.digest(row.inputs, row.outcome) or columns != (row.score, row.level, row.action):
        fault = "digest"
    elif stored != recomputed:
        fault = "outcome"
    return Replay(decision=row.public_id, same=not fault, stored=stored, recomputed=recomputed, fault=fault)


def case_key(case_id: str) -> UUID:
    """Raises `CaseNotFound` for what is no identifier of a case."""
    try:
        return decode("case", case_id)
    except MalformedIdentifier as problem:
        raise CaseNotFound("There is no such case.", param="case") from problem


def case_view(row: RiskCase, locale: str = "en") -> CaseView:
    live = CaseState(row.state) in LIVE_CASE
    return CaseView(
        id=row.public_id,
        subject=row.subject,
        state=str(row.state),
        decide_by=row.decide_by,
        overdue=live and row.decide_by <= timezone.now(),
        live=live,
        assignee=row.assignee,
        closed_by=row.closed_by,
        closed_at=row.closed_at,
        reason=row.reason,
        opened_at=row.opened_at,
        kind=row.kind,
        senior=row.senior,
        expected_loss=row.expected_loss,
        expected_loss_in_words=wording.amount(row.expected_loss, CURRENCY, locale),
        decision=decision_view(row.decision, locale),
    )


def decision_view(row: Decision, locale: str = "en") -> DecisionView:
    reasons = reasons_in_words(row.reasons, locale)
    return DecisionView(
        id=row.public_id,
        stage=row.stage,
        subject=row.subject,
        amount=_money(row.amount, row.currency),
        amount_in_words=wording.amount(row.amount, row.currency, locale),
        policy=str(row.policy),
        score=row.score,
        level=row.level,
        action=row.action,
        reasons=reasons,
        explanation=explain(row, reasons, locale),
        inputs=row.inputs,
        latency_us=row.latency_us,
        created_at=row.created_at,
    )


def reasons_in_words(stored: list[dict[str, Any]], locale: str = "en") -> tuple[Reason, ...]:
    return tuple(
        Reason(
            code=one["code"],
            text=wording.reason(one["message"], one["params"], locale),
            weight=one["weight"],
        )
        for one in stored
    )


def explain(row: Decision, reasons: tuple[Reason, ...], locale: str) -> str:
    """The stored explanation for English readers, the same rendered for others; empty where none was due."""
    if not row.explanation or wording.language(locale) == "en":
        return row.explanation
    return wording.explanation(
        score=row.score,
        level=Level(row.level),
        action=Action(row.action),
        reasons=[(reason.text, reason.weight) for reason in reasons],
        locale=locale,
    )


def decision_row(dec_id: str) -> Decision:
    """For this app only. Raises `DecisionNotFound`."""
    try:
        key = decode("dec", dec_id)
    except MalformedIdentifier as problem:
        raise DecisionNotFound(Sentence("There is no such decision."), param="decision") from problem
    row = Decision.objects.select_related("policy").filter(pk=key).first()
    if row is None:
        raise DecisionNotFound(Sentence("There is no such decision."), param="decision")
    return row


def _money(minor: int, currency: str) -> Money | None:
    try:
        return Money(minor, currency)
    except ValueError:
        return None
