"""From a provider's other amount to a closed discrepancy: once a mismatch, by people, with reasons."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from ledger import selectors as ledger
from ledger.invariants import Finding
from ledger.money import Money
from payments.events import PaymentMismatched
from reconciliation import invariants
from reconciliation.errors import (
    DiscrepancyClosed,
    DiscrepancyNotFound,
    InvestigatedByAnother,
    NotUnderInvestigation,
    ReasonMissing,
    SecondPersonNeeded,
)
from reconciliation.facts import DiscrepancyView, RepairView
from reconciliation.handlers import payment_mismatched
from reconciliation.matching import difference
from reconciliation.models import Discrepancy
from reconciliation.selectors import discrepancies_of, discrepancy
from reconciliation.services.approve_repair import approve_repair
from reconciliation.services.investigate import investigate
from reconciliation.services.repair_discrepancy import repair_discrepancy
from reconciliation.services.resolve import resolve
from tests.ledger.books import tamper

pytestmark = pytest.mark.django_db(transaction=True)


def told(amount: int = 9_900, currency: str = "CNY", source: str = "notice") -> DiscrepancyView:
    """The provider says so of a payment over CN¥100.00."""
    with transaction.atomic():
        payment_mismatched(
            PaymentMismatched(
                reference="ord_1",
                payment="pay_1",
                amount=10_000,
                currency="CNY",
                method="card",
                channel="stripe",
                told_amount=amount,
                told_currency=currency,
                source=source,
            )
        )
    return discrepancies_of("ord_1")[-1]


def propose_write_off(*, discrepancy: str, actor: str, reason: str) -> RepairView:
    return repair_discrepancy(discrepancy=discrepancy, kind="write_off", actor=actor, reason=reason)


@pytest.fixture
def taken() -> DiscrepancyView:
    return investigate(discrepancy=told().id, actor="user:1")


def test_a_mismatch_becomes_a_discrepancy_with_its_amount_at_risk() -> None:
    found = told()
    assert (found.state, found.kind, found.subject, found.source) == ("OPEN", "amount", "pay_1", "notice")
    assert (found.ours, found.told) == (Money(10_000, "CNY"), Money(9_900, "CNY"))
    assert (found.at_risk, found.times_seen) == (Money(100, "CNY"), 1)
    assert discrepancy(found.id) == found


@pytest.mark.parametrize(
    ("theirs", "kind", "at_risk"),
    [
        (Money(10_100, "CNY"), "amount", 100),
        (Money(10_000, "USD"), "currency", 10_000),
        (None, "currency", 10_000),
    ],
)
def test_what_is_at_risk(theirs: Money | None, kind: str, at_risk: int) -> None:
    assert difference(Money(10_000, "CNY"), theirs) == (kind, Money(at_risk, "CNY"))


def test_the_same_mismatch_again_is_the_same_row() -> None:
    first = told()
    again = told(source="query")
    assert (again.id, again.times_seen, again.first_seen_at) == (first.id, 2, first.first_seen_at)
    assert again.last_seen_at > first.last_seen_at
    told(9_800)
    told(9_900, "USD")
    told(0, "")
    assert [row.times_seen for row in discrepancies_of("ord_1")] == [2, 1, 1, 1]


def test_a_closed_discrepancy_that_is_told_again_stays_closed(taken: DiscrepancyView) -> None:
    resolve(discrepancy=taken.id, actor="user:1", reason="partial capture by hand")
    again = told()
    assert (again.state, again.times_seen) == ("RESOLVED", 2)


def test_a_person_resolves_what_was_investigated(taken: DiscrepancyView) -> None:
    closed = resolve(discrepancy=taken.id, actor="user:1", reason="fee of the acquirer")
    assert (closed.state, closed.closed_by, closed.reason) == ("RESOLVED", "user:1", "fee of the acquirer")
    assert closed.closed_at is not None
    trail = [(row.actor, row.before, row.after, row.reason) for row in ledger.audit_trail(taken.id)]
    assert trail == [
        ("system", None, "OPEN", ""),
        ("user:1", "OPEN", "INVESTIGATING", ""),
        ("user:1", "INVESTIGATING", "RESOLVED", "fee of the acquirer"),
    ]


def test_a_write_off_takes_two_people(taken: DiscrepancyView) -> None:
    asked = propose_write_off(discrepancy=taken.id, actor="user:1", reason="not worth a letter")
    with pytest.raises(SecondPersonNeeded):
        approve_repair(repair=asked.id, actor="user:1")
    approve_repair(repair=asked.id, actor="user:2")
    closed = discrepancy(taken.id)
    assert (closed.state, closed.write_off_proposed_by, closed.closed_by) == (
        "WRITTEN_OFF",
        "user:1",
        "user:2",
    )
    assert [row.action for row in ledger.audit_trail(taken.id)][-2:] == [
        "discrepancy.write_off_proposed",
        "discrepancy.state",
    ]


def _investigate(row: str) -> Any:
    return investigate(discrepancy=row, actor="user:3")


def _resolve(row: str) -> Any:
    return resolve(discrepancy=row, actor="user:3", reason="so")


def _propose(row: str) -> Any:
    return propose_write_off(discrepancy=row, actor="user:3", reason="so")


_STEPS = [_investigate, _resolve, _propose]
Step = Callable[[str], Any]


@pytest.mark.parametrize("step", _STEPS)
@pytest.mark.parametrize("unknown", ["", "pay_1", "dis_" + "0" * 26])
def test_an_unknown_discrepancy_is_refused(step: Step, unknown: str) -> None:
    with pytest.raises(DiscrepancyNotFound):
        step(unknown)


@pytest.mark.parametrize("step", _STEPS)
def test_a_closed_discrepancy_is_refused(taken: DiscrepancyView, step: Step) -> None:
    closed = resolve(discrepancy=taken.id, actor="user:1", reason="explained")
    with pytest.raises(DiscrepancyClosed):
        step(taken.id)
    assert discrepancy(taken.id) == closed


@pytest.mark.parametrize("step", [_resolve, _propose])
def test_nothing_is_closed_that_nobody_looked_into(step: Step) -> None:
    found = told()
    with pytest.raises(NotUnderInvestigation):
        step(found.id)
    assert discrepancy(found.id) == found


def test_an_investigation_has_one_investigator(taken: DiscrepancyView) -> None:
    assert investigate(discrepancy=taken.id, actor="user:1") == taken
    with pytest.raises(InvestigatedByAnother):
        investigate(discrepancy=taken.id, actor="user:2")


@pytest.mark.parametrize("use_case", [resolve, propose_write_off])
def test_closing_needs_a_reason(taken: DiscrepancyView, use_case: Any) -> None:
    with pytest.raises(ReasonMissing):
        use_case(discrepancy=taken.id, actor="user:1", reason="  ")
    assert discrepancy(taken.id) == taken


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"state": "GONE"}, "discrepancy_state"),
        ({"state": "RESOLVED"}, "closed_by_someone"),
        ({"state": "RESOLVED", "closed_by": "user:1", "reason": ""}, "closed_by_someone"),
    ],
)
def test_the_table_refuses_what_the_machine_would(
    taken: DiscrepancyView, change: dict[str, str], constraint: str
) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        Discrepancy.objects.update(**change)


def _broken() -> list[Finding]:
    return [finding for _, _, findings in invariants.check() for finding in findings]


_BROKEN = [
    ("UPDATE reconciliation_discrepancy SET amount_at_risk = 1", "reconciliation.amount_at_risk"),
    ("UPDATE reconciliation_discrepancy SET kind = 'currency'", "reconciliation.amount_at_risk"),
]


@pytest.mark.parametrize(("sql", "check"), _BROKEN)
def test_what_is_broken_is_found(taken: DiscrepancyView, sql: str, check: str) -> None:
    assert _broken() == []
    tamper(sql)
    assert [(finding.check, finding.subject) for finding in _broken()] == [(check, taken.id)]
