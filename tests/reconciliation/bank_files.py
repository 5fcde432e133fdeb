"""A bank's CSV brought by hand, and payouts that should be in it."""

import io
from datetime import date

import pytest
from django.db import transaction

from ledger import selectors as ledger
from ledger.identifiers import new_key
from reconciliation import bank_invariants
from reconciliation.models import BankMapping, Discrepancy, Settlement, StatementFile
from reconciliation.rows import Line
from reconciliation.runs import payout_terms
from reconciliation.services.announce_payouts import announce_payouts
from reconciliation.services.process_statement import process_statement
from reconciliation.services.receive_statement import receive_statement
from reconciliation.states import StatementSource
from tests.reconciliation.statements import DAY
from tests.reconciliation.wechat_bill import NOON

HEADER = "booked,what,amount,id\n"


@pytest.fixture
def account() -> BankMapping:
    columns = {"date": "booked", "amount": "amount", "text": ["what"], "their_reference": "id"}
    return BankMapping.objects.create(
        name="main", account="DE001", currency="CNY", format="csv", columns=columns, saved_by="user:1"
    )


def balance(account: str, currency: str = "CNY") -> int:
    return ledger.balance(account, currency).minor


def bank_file(*rows: str, day: date = DAY) -> str:
    """What the bank says of the day, settled."""
    text = HEADER + "".join(f"{day},{row}\n" for row in rows)
    view = receive_statement(
        channel="bank:main",
        kind="csv",
        day=day,
        name="bank.csv",
        content=io.BytesIO(text.encode()),
        source=StatementSource.COMMAND,
        actor="user:1",
    )
    process_statement(file=view.id)
    return view.id


def payout(net: int, *, group: str = "", day: date = DAY) -> Settlement:
    """It is announced, and on its way in the books."""
    group = group or f"PAYOUT{new_key().hex[-12:]}"
    file = StatementFile.objects.get_or_create(
        channel="wechat",
        kind="fundflow",
        day_on=day,
        sha256="0" * 64,
        defaults={"source": "command", "name": "x", "size": 0, "brought_by": "user:1"},
    )[0]
    terms = payout_terms("wechat")
    assert terms is not None
    line = Line(1, "payout", "", "", group, group, -net, 0, "CNY", NOON, "success", "")
    with transaction.atomic():
        announce_payouts(file=file, terms=terms, lines=[line])
    return Settlement.objects.get(grp=group)


def discrepancies() -> list[tuple[str, str, int]]:
    rows = Discrepancy.objects.order_by("id").values_list("kind", "state", "amount_at_risk")
    return [(str(kind), str(state), amount) for kind, state, amount in rows]


def findings() -> list[str]:
    return [f"{one.check} {one.detail}" for _, _, found in bank_invariants.check() for one in found]
