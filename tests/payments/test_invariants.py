"""`verify` says nothing of sound payments, and names whatever is bent behind the services' back."""

from collections import Counter
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from payments.channels.contract import Answer, Outcome
from payments.invariants import check
from payments.models import Attempt, Payment, Refund
from payments.services.apply_refund_answer import apply_refund_answer
from payments.services.queue_refund import queue_refund
from payments.states import AttemptKind
from tests.kept import kept as kept_world
from tests.payments.cards import MEI, kept
from tests.payments.desk import FEN, again, movement, opened, tell
from tests.payments.disputing import FEE, S, hear, news

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = {
    "payments.one_open_attempt",
    "payments.somebody_ends_it",
    "payments.challenges_can_be_answered",
    "payments.attempts_ask_for_it",
    "payments.one_start_brought_it",
    "payments.parts_brought_theirs",
    "payments.success_was_published",
    "payments.refund_sums",
    "payments.refunds_second_person",
    "payments.surplus_goes_back",
    "payments.disputed_sums",
    "payments.double_risk_is_seen",
    "payments.lost_disputes_are_losses",
    "payments.kept_cards_are_agreed_to",
    "payments.vaults_open",
    "payments.disputes_in_journal",
    "payments.captures_in_journal",
    "payments.refunds_in_journal",
}


def broken() -> Counter[str]:
    found = [finding for _, _, findings in check() for finding in findings]
    assert all(finding.subject and finding.detail for finding in found)
    return Counter(finding.check for finding in found)


def bend(offence: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(offence)


def refund(payment: Payment, minor: int, key: str, outcome: Outcome) -> None:
    with transaction.atomic():
        queue_refund(
            payment=payment.public_id, amount=payment.money(minor), reason="x", actor="system", key=key
        )
        row = Refund.objects.get(business_key=key)
        row.process()
        row.store()
        apply_refund_answer(refund=row, answer=Answer(outcome, code="x"))


@pytest.fixture(autouse=True)
def till_roll(settings: Any) -> dict[str, Attempt]:
    """One payment of each fate; the paid one is partly refunded, and once in vain."""
    settings.EVENT_HANDLERS = {}
    return kept_world("till_roll", made_till_roll)


def made_till_roll() -> dict[str, Attempt]:
    fates = {
        "paid": Outcome.SUCCEEDED,
        "failed": Outcome.DECLINED,
        "waiting": Outcome.ACTION_REQUIRED,
        "unknown": Outcome.UNKNOWN,
        "closed": Outcome.ACTION_REQUIRED,
    }
    rows = {fate: opened() for fate in fates}
    for fate, outcome in fates.items():
        tell(rows[fate], outcome)
    tell(movement(rows["closed"], AttemptKind.VOID), Outcome.CANCELLED)
    # A hold that is being captured, and one that nobody wants: the void is on its way.
    rows["captured"] = opened()
    tell(rows["captured"], Outcome.AUTHORIZED)
    rows["dropped"] = opened()
    tell(rows["dropped"], Outcome.DECLINED)
    tell(rows["dropped"], Outcome.AUTHORIZED)
    # Paid twice: the second money is on its way back.
    rows["twice"] = opened()
    tell(rows["twice"], Outcome.DECLINED)
    tell(again(rows["twice"].payment), Outcome.SUCCEEDED)
    tell(rows["twice"], Outcome.SUCCEEDED)
    paid = Payment.objects.get(attempts=rows["paid"])
    refund(paid, 3_000, "r1", Outcome.SUCCEEDED)
    refund(paid, 2_000, "r2", Outcome.ERRORED)
    refund(paid, 1_000, "r3", Outcome.SUCCEEDED)
    with transaction.atomic():
        returned = Refund.objects.get(business_key="r3")
        apply_refund_answer(refund=returned, answer=Answer(Outcome.DECLINED, code="sent_back"))
    rows["kept"] = opened()
    Attempt.objects.filter(pk=rows["kept"].pk).update(saved_method=kept(MEI))
    Payment.objects.filter(pk=rows["kept"].payment_id).update(customer=MEI)
    tell(rows["kept"], Outcome.SUCCEEDED)
    # Taken back on top of the refund: lost, and one more that is open.
    hear(rows["paid"], news(S.LOST, minor=8_000, withdrawn=8_000, fee=FEE, submitted=True))
    hear(rows["paid"], news(S.NEEDS_RESPONSE, minor=100, withdrawn=100, reference="dp_2"))
    return rows


def test_sound_payments(till_roll: dict[str, Attempt]) -> None:
    assert broken() == {}
    assert {name for name, _, _ in check()} == NAMES
    assert all(count for _, count, _ in check())


PAID = "payment_id IN (SELECT payment_id FROM payments_refund WHERE business_key = 'r1')"
PLANTED = [
    (
        "UPDATE payments_attempt SET state = 'DECLINED' WHERE state = 'SENT' AND kind = 'START'",
        "one_open_attempt",
    ),
    ("UPDATE payments_payment SET state = 'FAILED' WHERE state = 'UNKNOWN'", "one_open_attempt"),
    (
        "UPDATE payments_attempt SET state = 'ERRORED' WHERE state = 'SENT' AND kind = 'CAPTURE'",
        "somebody_ends_it",
    ),
    (
        "UPDATE payments_attempt SET state = 'ERRORED' WHERE state = 'SENT' AND kind = 'VOID'",
        "somebody_ends_it",
    ),
    ("UPDATE payments_payment SET state = 'IN_REVIEW' WHERE state = 'REQUIRES_ACTION'", "one_open_attempt"),
    ("UPDATE payments_attempt SET next_check_at = NULL", "somebody_ends_it"),
    ("UPDATE payments_attempt SET amount = amount - 1 WHERE state = 'SENT'", "attempts_ask_for_it"),
    ("UPDATE payments_attempt SET currency = 'USD' WHERE state = 'DECLINED'", "attempts_ask_for_it"),
    ("UPDATE payments_payment SET amount = amount + 1 WHERE state = 'FAILED'", "attempts_ask_for_it"),
    (f"UPDATE payments_attempt SET state = 'DECLINED' WHERE {PAID}", "one_start_brought_it"),
    (f"UPDATE payments_attempt SET channel = 'alipay' WHERE {PAID}", "one_start_brought_it"),
    (
        "UPDATE payments_payment SET amount_captured = amount - 1 WHERE amount_refunded > 0",
        "one_start_brought_it",
    ),
    ("UPDATE payments_attempt SET brought = 1 WHERE kind = 'VOID'", "parts_brought_theirs"),
    ("UPDATE payments_payment SET captures = 0", "one_start_brought_it"),
    ("DELETE FROM payments_outboxevent WHERE name = 'payment.succeeded'", "success_was_published"),
    ("UPDATE payments_payment SET amount_refunded = 0", "refund_sums"),
    ("UPDATE payments_payment SET amount_refunding = 1 WHERE amount_refunded > 0", "refund_sums"),
    ("DELETE FROM payments_refund", "refund_sums"),
    ("UPDATE payments_refund SET state = 'PROCESSING' WHERE state = 'SUCCEEDED'", "refund_sums"),
    ("UPDATE payments_payment SET amount_refunding = 0 WHERE surplus", "surplus_goes_back"),
    ("UPDATE payments_payment SET amount_disputed = 0 WHERE amount_disputed > 0", "disputed_sums"),
    ("UPDATE payments_payment SET amount_disputed = 1 WHERE amount_captured = 0", "disputed_sums"),
    ("UPDATE payments_dispute SET double_risk = false", "double_risk_is_seen"),
    ("UPDATE payments_dispute SET state = 'WON' WHERE state = 'LOST'", "lost_disputes_are_losses"),
    ("UPDATE payments_attempt SET saved_method_id = NULL", "kept_cards_are_agreed_to"),
    ("UPDATE payments_payment SET customer = 'cus_2' WHERE customer <> ''", "kept_cards_are_agreed_to"),
    ("UPDATE payments_attempt SET answered_at = NULL", "kept_cards_are_agreed_to"),
    ("UPDATE payments_customervault SET customer = 'cus_2'", "vaults_open"),
    ("UPDATE payments_savedmethod SET sealed = replace(sealed, 'v1.test', 'v1.gone')", "vaults_open"),
    ("UPDATE payments_savedmethod SET fingerprint = repeat('0', 64)", "vaults_open"),
    ("UPDATE payments_dispute SET fee = fee + 1 WHERE fee > 0", "disputes_in_journal"),
    ("UPDATE payments_dispute SET postings = '{}'", "disputes_in_journal"),
    ("DELETE FROM ledger_transaction WHERE business_key LIKE 'dsp_%:lost'", "disputes_in_journal"),
    ("DELETE FROM ledger_transaction WHERE business_key LIKE '%:capture:1'", "captures_in_journal"),
    ("UPDATE ledger_entry SET amount = amount * 2", "captures_in_journal"),
    (
        (
            "UPDATE payments_payment SET state = 'CANCELLED', amount_captured = 0, amount_refunded = 0,"
            " amount_refunding = 0 WHERE amount_captured > 0"
        ),
        "captures_in_journal",
    ),
    ("DELETE FROM ledger_transaction WHERE business_key LIKE '%:refund'", "refunds_in_journal"),
    ("DELETE FROM ledger_transaction WHERE business_key LIKE '%:returned'", "refunds_in_journal"),
    ("UPDATE payments_refund SET amount = amount + 1 WHERE state = 'SUCCEEDED'", "refunds_in_journal"),
    ("UPDATE payments_refund SET state = 'FAILED' WHERE state = 'SUCCEEDED'", "refunds_in_journal"),
]


@pytest.mark.parametrize(("offence", "named"), PLANTED)
def test_what_was_bent_is_named(till_roll: dict[str, Attempt], offence: str, named: str) -> None:
    bend(offence)
    assert f"payments.{named}" in broken()


def test_the_command_fails_and_says_which(till_roll: dict[str, Attempt]) -> None:
    bend("DELETE FROM ledger_transaction WHERE business_key LIKE '%:capture:1'")
    out = StringIO()
    with pytest.raises((CommandError, SystemExit)):
        call_command("verify", stdout=out, stderr=out)
    paid = Payment.objects.get(attempts=till_roll["paid"])
    assert paid.public_id in out.getvalue() and "payments.captures_in_journal" in out.getvalue()
    assert str(FEN) in out.getvalue()
