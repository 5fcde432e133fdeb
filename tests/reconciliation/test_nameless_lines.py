"""UnionPay's lines name nothing of ours: they are known by their number, have their fee, and come to a payout."""

import io
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection

from ledger import selectors as ledger
from ledger.postings import transactions_by_key
from reconciliation.facts import Settled
from reconciliation.models import Settlement
from reconciliation.services.process_statement import process_statement
from reconciliation.services.receive_statement import receive_statement
from reconciliation.states import StatementSource
from tests.ledger.books import tamper
from tests.reconciliation.parsers.samples import UNIONPAY_MERCHANT, unionpay_line
from tests.reconciliation.statements import DAY, discrepancies, pay, refund

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER, OTHER = "101112123456", "101112123999"


@pytest.fixture(autouse=True)
def _mer_id(settings: Any) -> None:
    settings.UNIONPAY = {**settings.UNIONPAY, "mer_id": UNIONPAY_MERCHANT}


def at_unionpay() -> None:
    """What is in our books went through UnionPay."""
    tamper("UPDATE payments_attempt SET channel = 'unionpay'")
    tamper("UPDATE payments_payment SET channel = 'unionpay', method = 'unionpay'")


def settled(*lines: str, day: date = DAY) -> Settled:
    view = receive_statement(
        channel="unionpay",
        kind="ACOMN",
        day=day,
        name="INDACOMN",
        content=io.BytesIO("".join(f"{line}\r\n" for line in lines).encode("ascii")),
        source=StatementSource.UPLOADED,
        actor="user:1",
    )
    _, done = process_statement(file=view.id)
    assert done is not None
    return done


def told() -> list[tuple[str, str, str]]:
    """Of the lines: that the payout of a day so long ago never arrived is another matter."""
    return [one for one in discrepancies() if one[0] != "deposit_missing"]


def number_of(back: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT substr(channel_reference, 9, 12) FROM payments_refund WHERE ledger_public_id('ref', id) = %s",
            [back],
        )
        return str(cursor.fetchone()[0])


def test_known_by_its_number_a_line_has_its_fee() -> None:
    tea = pay(theirs=f"{DAY:%Y%m%d}{NUMBER}7")
    back = refund(tea, 2_500)
    at_unionpay()
    done = settled(
        unionpay_line("0302120000", "000000", 10_000, NUMBER, 60),
        unionpay_line("0302120000", "200000", 2_500, number_of(back)),
    )
    assert (done.fees, told()) == (1, [])
    assert list(transactions_by_key([f"{tea.att}:fee"])) == [f"{tea.att}:fee"]
    assert ledger.balance("channel_fees:unionpay", "CNY").minor == 60
    assert Settlement.objects.get().net_amount == 10_000 - 2_500 - 60


def test_a_payout_is_what_our_books_come_to_whatever_a_row_says() -> None:
    tea = pay(theirs=f"{DAY:%Y%m%d}{NUMBER}7")
    at_unionpay()
    settled(unionpay_line("0302120000", "000000", 10_321, NUMBER, 60))
    assert told() == [("amount", tea.att, "OPEN")]
    assert Settlement.objects.get().net_amount == 10_000 - 60
    assert ledger.balance("in_transit:unionpay", "CNY").minor == 10_000 - 60


@pytest.mark.parametrize(
    ("days", "found"), [((0, 5), ["late"]), ((5, 0), [])], ids=["our day first", "their day first"]
)
def test_what_comes_days_later_has_its_fee(days: tuple[int, int], found: list[str]) -> None:
    late, tea = pay(theirs=f"{DAY:%Y%m%d}{NUMBER}7"), pay(3_000, theirs=f"{DAY:%Y%m%d}{OTHER}7")
    at_unionpay()
    files = {
        0: unionpay_line("0302120000", "000000", 3_000, OTHER, 18),
        5: unionpay_line("0307120000", "000000", 10_000, NUMBER, 60),
    }
    for number in days:
        settled(files[number], day=DAY + timedelta(days=number))
    assert [kind for kind, _, _ in told()] == found
    assert set(transactions_by_key([f"{one.att}:fee" for one in (late, tea)])) == {
        f"{one.att}:fee" for one in (late, tea)
    }
    assert ledger.balance("channel_fees:unionpay", "CNY").minor == 78
