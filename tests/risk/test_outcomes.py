"""What is heard of payments after the decision: from disputes and from reviewers, once each."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from payments.channels.contract import DisputeNewsState
from payments.models import Attempt
from risk import invariants
from risk.facts import Verdict
from risk.models import Outcome
from risk.pasts import stored
from risk.services.assess import assess
from risk.services.decide_case import decide_case
from risk.services.note_outcome import note_outcome
from risk.states import OutcomeKind
from tests.payments.desk import FEN
from tests.payments.disputing import hear, news, paid
from tests.risk.makers import NOON, facts

pytestmark = pytest.mark.django_db(transaction=True)
S = DisputeNewsState


@pytest.fixture(autouse=True)
def _no_orders(settings: Any) -> None:
    settings.EVENT_HANDLERS = {}


def asked(amount: int = 10_000, **others: Any) -> Verdict:
    with transaction.atomic():
        return assess(facts=facts(amount, **others))


def noted(subject: str = "pay_1", *, fraud: bool = True, source: str = "dsp_1") -> bool:
    with transaction.atomic():
        return note_outcome(
            subject=subject, fraud=fraud, kind=OutcomeKind.DISPUTE, source=source, known_at=timezone.now()
        )


def heard() -> list[tuple[str, bool, str]]:
    return list(Outcome.objects.order_by("known_at", "id").values_list("subject", "fraud", "kind"))


def test_a_verdict_is_kept_once_and_may_be_taken_back() -> None:
    asked()
    assert noted()
    assert not noted()
    assert noted(fraud=False)
    assert heard() == [("pay_1", True, "dispute"), ("pay_1", False, "dispute")]


def test_what_was_never_judged_says_nothing() -> None:
    assert not noted("pay_unknown")
    assert heard() == []


def test_a_clock_behind_ours_never_knows_before_the_payment() -> None:
    asked()
    with transaction.atomic():
        note_outcome(
            subject="pay_1",
            fraud=True,
            kind=OutcomeKind.MANUAL,
            source="m",
            known_at=NOON - timedelta(days=1),
        )
    assert Outcome.objects.get().known_at == NOON


def test_verify_names_an_outcome_on_another_payments_decision() -> None:
    asked(subject="pay_1")
    noted("pay_1")
    row = Outcome.objects.get()
    Outcome.objects.create(
        decision=row.decision,
        subject="pay_2",
        fraud=True,
        kind=OutcomeKind.MANUAL,
        source="by hand",
        happened_at=row.happened_at,
        known_at=row.known_at,
    )
    found = {name: [one.subject for one in lost] for name, _, lost in invariants.check()}
    assert found["risk.outcomes_are_of_their_decisions"] == ["pay_2"]


def test_outcomes_are_append_only() -> None:
    asked()
    noted()
    with pytest.raises(DatabaseError, match="append_only"):
        Outcome.objects.update(fraud=False)


@pytest.mark.parametrize("approve", [True, False])
def test_a_reviewers_decision_is_an_outcome(approve: bool) -> None:
    case = asked(500_000, to="US").case
    with transaction.atomic():
        decide_case(case=case, approve=approve, actor="user:1", reason="called the customer")
    assert heard() == [("pay_1", not approve, "review")]


def disputed() -> Attempt:
    """A payment that was judged and taken."""
    attempt = paid()
    asked(subject=attempt.payment.public_id)
    return attempt


def test_a_dispute_about_fraud_is_heard_and_a_won_one_taken_back() -> None:
    attempt = disputed()
    hear(attempt, news(S.NEEDS_RESPONSE, withdrawn=FEN), news(S.UNDER_REVIEW, hour=1, withdrawn=FEN))
    subject = attempt.payment.public_id
    assert heard() == [(subject, True, "dispute")]
    hear(attempt, news(S.WON, hour=2, withdrawn=0))
    assert heard() == [(subject, True, "dispute"), (subject, False, "dispute")]


def test_a_dispute_about_goods_is_none() -> None:
    hear(disputed(), news(S.NEEDS_RESPONSE, withdrawn=FEN, reason="product_not_received"))
    assert heard() == []


def test_training_is_told_of_judged_payments_with_their_last_verdict() -> None:
    asked(12_345, subject="pay_1")
    asked(12_345, subject="pay_1")
    asked(700, subject="pay_2", happened_at=NOON + timedelta(minutes=5))
    asked(900, subject="pay_3", happened_at=NOON + timedelta(minutes=9), stage="order")
    noted("pay_1")
    noted("pay_2", source="dsp_2")
    noted("pay_2", fraud=False, source="dsp_2")
    pasts = stored(since=NOON - timedelta(days=1), until=NOON + timedelta(days=1))
    seen = [(past.amount, past.fraud, past.last) for past in pasts]
    assert seen == [(12_345, 0, False), (12_345, 1, True), (700, 0, True)]
    assert set(pasts[0].parties) == {"customer", "card", "device", "ip", "address"}
    assert pasts[1].known_at > pasts[1].at
    assert pasts[1].parties == pasts[2].parties
