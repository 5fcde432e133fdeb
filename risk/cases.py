"""What a reviewer reads beside a case: notes, who is linked with it, and how well reviewers agree."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from risk import ties
from risk.models import CaseNote, RiskCase
from risk.selectors import CaseView, case_key, case_view, decision_row
from risk.states import CaseKind, ChallengeKind
from risk.ties import Link

MOST_AT_ONCE = 50  # cases of one ring that are decided together
_SINCE = timedelta(days=30)
_BY_STRENGTH = (ChallengeKind.PASSKEY, ChallengeKind.SMS, ChallengeKind.EMAIL, ChallengeKind.CAPTCHA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    author: str
    text: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """The graph around a decision as it is now. `me` is the customer's key, `entities` its keys by kind."""

    me: str
    entities: dict[str, str]
    links: tuple[Link, ...]

    @property
    def customers(self) -> set[str]:
        return {link.customer for link in self.links}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """What one person decided. `looks` of it were decided again by a colleague, `agreed` of those alike."""

    actor: str
    decided: int
    rejected: int
    escalated: int
    median_seconds: int
    fraud_after: int  # approved, and found to be fraud later
    looks: int
    agreed: int

    @property
    def median_minutes(self) -> int:
        return self.median_seconds // 60

    @property
    def agreed_percent(self) -> int | None:
        return 100 * self.agreed // self.looks if self.looks else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Second looks against first verdicts, both ways. `kappa_percent` is what is left when chance is taken off."""

    both_approve: int
    both_reject: int
    only_first_rejects: int
    only_second_rejects: int

    @property
    def looks(self) -> int:
        return self.both_approve + self.both_reject + self.only_first_rejects + self.only_second_rejects

    @property
    def alike(self) -> int:
        return self.both_approve + self.both_reject

    @property
    def alike_percent(self) -> int | None:
        return 100 * self.alike // self.looks if self.looks else None

    @property
    def kappa_percent(self) -> int | None:
        """Cohen's kappa in whole per cent; None where there is nothing to compare."""
        first, second = (
            self.both_reject + self.only_first_rejects,
            self.both_reject + self.only_second_rejects,
        )
        all_ = self.looks
        by_chance = first * second + (all_ - first) * (all_ - second)
        if not all_ or by_chance == all_ * all_:
            return None
        return 100 * (self.alike * all_ - by_chance) // (all_ * all_ - by_chance)


_REVIEWERS = """
SELECT c.closed_by, count(*), count(*) FILTER (WHERE c.state = 'REJECTED'),
       (SELECT count(*) FROM risk_riskcase e WHERE e.escalated_by = c.closed_by AND e.closed_at > %(since)s),
       coalesce(percentile_disc(0.5) WITHIN GROUP (
           ORDER BY extract(epoch FROM c.closed_at - coalesce(c.claimed_at, c.opened_at))::bigint), 0),
       count(*) FILTER (WHERE c.state = 'APPROVED' AND EXISTS (
           SELECT 1 FROM risk_tie t WHERE t.customer_key = d.customer_key AND t.fraud_at > c.closed_at)),
       count(s.id), count(s.id) FILTER (WHERE s.state = c.state)
  FROM risk_riskcase c
  JOIN risk_decision d ON d.id = c.decision_id
  LEFT JOIN risk_riskcase s ON s.decision_id = c.decision_id AND s.kind = 'second' AND c.kind <> 'second'
       AND s.state IN ('APPROVED', 'REJECTED')
 WHERE c.closed_at > %(since)s AND c.state IN ('APPROVED', 'REJECTED')
 GROUP BY c.closed_by ORDER BY 2 DESC, 1 LIMIT 100
"""

_AGREEMENT = """
SELECT count(*) FILTER (WHERE c.state = 'APPROVED' AND s.state = 'APPROVED'),
       count(*) FILTER (WHERE c.state = 'REJECTED' AND s.state = 'REJECTED'),
       count(*) FILTER (WHERE c.state = 'REJECTED' AND s.state = 'APPROVED'),
       count(*) FILTER (WHERE c.state = 'APPROVED' AND s.state = 'REJECTED')
  FROM risk_riskcase s
  JOIN risk_riskcase c ON c.decision_id = s.decision_id AND c.kind <> 'second'
   AND c.state IN ('APPROVED', 'REJECTED')
 WHERE s.kind = 'second' AND s.state IN ('APPROVED', 'REJECTED') AND s.closed_at > %(since)s
"""


def notes_of(case: str) -> list[Note]:
    """The oldest first."""
    rows = CaseNote.objects.filter(case=case_key(case)).order_by("id")[:200]
    return [Note(author=row.author, text=row.text, created_at=row.created_at) for row in rows]


def ways_to_ask(case: str) -> list[str]:
    """The kinds of challenge that the customer of a waiting payment can answer, what proves most first."""
    row = RiskCase.objects.filter(pk=case_key(case)).values_list("respondent", flat=True).first() or {}
    return [str(kind) for kind in _BY_STRENGTH if kind in row.get("kinds", ())]


def linked_with(decision: str) -> Linked:
    """Who is linked with the customer of a decision by now. Raises `DecisionNotFound`."""
    row = decision_row(decision)
    entities = dict(row.inputs["entities"])
    links = ties.links(row.customer_key, entities, timezone.now()) if row.customer_key else []
    return Linked(me=row.customer_key, entities=entities, links=tuple(links))


def ring_of(case: CaseView, linked: Linked, *, locale: str = "en") -> list[CaseView]:
    """The other cases of the same customer, and of those linked with it, for which a payment waits."""
    keys: Collection[str] = {*linked.customers, linked.me} - {""}
    rows = RiskCase.objects.live().filter(kind=CaseKind.HOLD, decision__customer_key__in=keys)
    others = rows.exclude(pk=case_key(case.id)).select_related("decision__policy")
    return [case_view(row, locale) for row in others.order_by("-expected_loss", "pk")[:MOST_AT_ONCE]]


def reviewers() -> list[Reviewer]:
    """Who decided what in the last thirty days. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_REVIEWERS, {"since": timezone.now() - _SINCE})
        return [
            Reviewer(
                actor=actor,
                decided=decided,
                rejected=rejected,
                escalated=escalated,
                median_seconds=int(median),
                fraud_after=fraud_after,
                looks=looks,
                agreed=agreed,
            )
            for actor, decided, rejected, escalated, median, fraud_after, looks, agreed in cursor.fetchall()
        ]


def agreement() -> Agreement:
    """First verdicts against second looks of the last thirty days. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_AGREEMENT, {"since": timezone.now() - _SINCE})
        both_approve, both_reject, only_first, only_second = cursor.fetchone()
    return Agreement(
        both_approve=both_approve,
        both_reject=both_reject,
        only_first_rejects=only_first,
        only_second_rejects=only_second,
    )
