"""From a bill's bytes to differences: each fault has its kind, and nothing else is told."""

from datetime import timedelta

import pytest

from reconciliation.models import OpenItem, StatementFile
from tests.reconciliation.statements import (
    DAY,
    NOON,
    bring,
    discrepancies,
    match,
    paid,
    pay,
    refund,
    sent_back,
    totals,
)

pytestmark = pytest.mark.django_db(transaction=True)
NEXT = DAY + timedelta(days=1)
NOTHING = {(0, 0, 0)}


@pytest.fixture(autouse=True)
def _mchid(settings) -> None:
    settings.WECHAT = {**settings.WECHAT, "mchid": "1900000001"}


def test_what_agrees_leaves_no_row() -> None:
    tea, hat = pay(), pay(5_000)
    back = refund(tea)
    done = match([paid(tea.att), paid(hat.att, 5_000), sent_back(back, tea.att)])
    assert (done.state, done.rows, done.matched) == ("MATCHED", 3, 3)
    assert discrepancies() == []
    assert not OpenItem.objects.exists()
    assert set(totals(done.id).values()) == NOTHING
