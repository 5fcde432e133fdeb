"""What decisions see is what training sees: retries, outcomes and challenges among it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from risk import histories, layouts, readings, selectors
from risk.examples import Memory, event_of, examples
from risk.facts import DeviceFacts, InstrumentFacts, Verdict
from risk.models import Proof
from risk.pasts import KINDS, stored
from risk.services.assess import assess
from risk.services.note_outcome import note_outcome
from risk.services.note_proof import note_proof
from risk.services.rebuild_histories import rebuild_histories
from risk.signals import GROUPS, signals
from risk.states import ChallengeKind, OutcomeKind
from tests.risk.makers import facts
from tests.risk.own_redis import OwnRedis, own_redis
from tests.risk.test_histories import decides

__all__ = ["own_redis"]
pytestmark = pytest.mark.django_db(transaction=True)
BEGAN = timezone.now() - timedelta(days=12)


@pytest.fixture(autouse=True)
def kept(own_redis: OwnRedis) -> None:
    """Histories are kept, and no decision is too late for them, however busy the machine is."""
    rebuild_histories()
    decides()


def at(hours: float) -> datetime:
    return BEGAN + timedelta(hours=hours)


def attempt(subject: str, hours: float, *, card: str = "fp_1", **others: Any) -> Verdict:
    asked = facts(
        subject=subject,
        happened_at=at(hours),
        instrument=InstrumentFacts(kind="card", country="CN", fingerprint=card, brand="visa"),
        device=DeviceFacts(identifier="dev_1", ip="203.0.113.77", ip_country="CN"),
        **others,
    )
    with transaction.atomic():
        return assess(facts=asked)


def heard(subject: str, hours: float, *, fraud: bool = True) -> None:
    with transaction.atomic():
        note_outcome(
            subject=subject,
            fraud=fraud,
            kind=OutcomeKind.DISPUTE,
            source=f"dsp_{subject}",
            known_at=at(hours),
        )


def confirmed(subject: str, hours: float, *, passed: bool, kind: str = "email") -> bool:
    with transaction.atomic():
        return note_proof(
            subject=subject,
            kind=ChallengeKind(kind),
            passed=passed,
            source=f"chl_{subject}_{hours}",
            known_at=at(hours),
        )


def live() -> list[Verdict]:
    """Twelve days of two customers; one order tries three cards, one is tried again after a failed challenge."""
    seen = [attempt("pay_1", 0), attempt("pay_2", 1, card="fp_2", customer="cus_bo", amount=30_000)]
    seen += [attempt("pay_3", 2 + n / 10, card=f"fp_{n}", amount=900_00) for n in (3, 4, 5)]
    confirmed("pay_3", 2.6, passed=False)
    seen.append(attempt("pay_4", 3, card="fp_5", currency="XTS"))  # no rate is known
    heard("pay_3", 70)
    seen += [attempt("pay_5", 80), attempt("pay_5", 80.5, card="fp_5"), attempt("pay_5", 81, card="fp_5")]
    confirmed("pay_5", 81.1, passed=True, kind="three_d_secure")
    heard("pay_5", 200, fraud=False)
    heard("pay_2", 100)
    seen.append(attempt("pay_6", 210, customer="cus_bo", card="fp_2"))
    heard("pay_2", 220, fraud=False)  # the dispute was won
    seen += [attempt("pay_7", 250, card="fp_5"), attempt("pay_8", 280, customer="cus_bo", card="fp_3")]
    return seen


def test_a_payment_with_retries_is_the_same_online_and_in_training() -> None:
    online = [selectors.decision(verdict.decision).inputs for verdict in live()]
    assert all(inputs["degraded"] == [] for inputs in online)

    memory, pasts = Memory(), stored(since=at(-1), until=timezone.now())
    assert len(pasts) == len(online)
    for past, inputs in zip(pasts, online, strict=True):
        memory.hear(past.at)
        known = memory.of(past.parties)
        event = event_of(past, known.get("customer"))
        trained = layouts.named(readings.pack(signals(past.at, event, known), known))
        assert trained == {name: value for name, value in layouts.named(inputs).items() if name in GROUPS}
        assert event.ratio == inputs["event"]["ratio"]
        memory.tell(past, event, known)
    meanwhile, last, after = (layouts.named(online[place]) for place in (-3, -2, -1))
    assert (meanwhile["customer_fraud_count_14d"], after["customer_fraud_count_14d"]) == ("1", "0")
    # Of cus_anna: three cards tried for one order are three tries, one fraud and one failed challenge of that device.
    assert (last["customer_total"], last["device_fraud_count_14d"]) == ("8", "1")
    assert (last["customer_challenges_failed_30d"], last["customer_challenges_passed_30d"]) == ("1", "1")


def test_a_rebuild_tells_the_same() -> None:
    last = live()[-2]
    entities = selectors.decision(last.decision).inputs["entities"]
    names = [f"{kind}:{entities[kind]}" for kind in ("customer", "card", "device")]
    before = histories.recall(names)
    rebuild_histories()
    after = histories.recall(names)
    assert before and after
    assert [before.histories[name].dump() for name in names] == [
        after.histories[name].dump() for name in names
    ]
    assert any(bucket.failed for bucket in after.histories[names[0]].days.values())


def test_a_payment_is_learnt_from_once() -> None:
    live()
    pasts = stored(since=at(-1), until=timezone.now())
    learnt = examples(pasts, wanted=lambda day: True, kinds=(*KINDS, "challenge"))
    assert (len(pasts), len(learnt.fraud), sum(learnt.fraud)) == (12, 8, 1)
    tries = [past for past in pasts if past.fraud]
    assert len(tries) == 1 and tries[0].last and tries[0].at == int(at(2.5).timestamp() * 1000)


def test_what_proves_nobody_is_no_proof() -> None:
    attempt("pay_1", 0)
    assert not confirmed("pay_1", 1, passed=True, kind="captcha")
    assert not confirmed("pay_unknown", 1, passed=True)
    assert confirmed("pay_1", 2, passed=False, kind="captcha")
    assert not confirmed("pay_1", 2, passed=False, kind="captcha")  # told twice
    assert [(one.kind, one.passed) for one in Proof.objects.all()] == [("captcha", False)]
