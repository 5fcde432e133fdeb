"""Whatever happened and whatever the bill makes of it: what is told is what a slow comparison by hand would tell."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import count, starmap
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciliation.models import Discrepancy
from tests.reconciliation.statements import DAY, Ours, match, our_total, pay, refund, totals
from tests.reconciliation.wechat_bill import NOON, Row, fee_of, paid, sent_back

pytestmark = pytest.mark.django_db(transaction=True)

_FAULTS = (
    *(
        "none",
        "none",
        "none",
        "lost",
        "dearer",
        "foreign",
        "fee",
        "twice",
        "stranger",
        "nameless",
        "wordless",
    ),
    *("unpaid", "unnamed"),
)
_numbers = count(1)
_examples = count(1)


@pytest.fixture(autouse=True)
def _merchant(settings: Any) -> None:
    settings.WECHAT = {**settings.WECHAT, "mchid": "1900000001"}


def _stranger() -> str:
    return f"att_7{next(_numbers):025d}"


def _listed(ours: Ours, fault: str) -> list[Row]:
    """What the bill has of one payment."""
    row = paid(ours.att, ours.amount, theirs=ours.theirs, at=ours.at)
    shifted = ours.at + timedelta(minutes=4)
    rows = {
        "lost": [],
        "dearer": [replace(row, amount=row.amount + 3, fee=fee_of(row.amount + 3))],
        "foreign": [replace(row, currency="HKD")],
        "fee": [replace(row, fee=row.fee + 2500)],
        "twice": [row, replace(row, theirs=f"{row.theirs}x")],
        "stranger": [replace(row, order=_stranger(), theirs=f"{row.theirs}x")],
        "nameless": [replace(row, order="")],
        "wordless": [replace(row, order="", theirs="", at=shifted)],
        "unnamed": [replace(row, order=f"SHOP-{next(_numbers)}", theirs="")],
    }
    return rows.get(fault, [row])


def _by_hand(ours: list[Ours], rows: list[Row]) -> Iterator[tuple[str, str]]:
    """Payments only: one row after the other, the surest sign first."""
    free = [one for one in ours if one.state == "SUCCEEDED"]
    left, pairs = list(rows), []

    def pair(fits: Callable[[Row, Ours], bool]) -> None:
        for row in list(left):
            mate = next((one for one in free if fits(row, one)), None)
            if mate:
                left.remove(row)
                free.remove(mate)
                pairs.append((row, mate))

    def same(row: Row, one: Ours) -> bool:
        return (row.amount, row.currency) == (one.amount, one.currency)

    pair(lambda row, one: row.order == one.att and same(row, one))
    pair(lambda row, one: bool(row.theirs) and row.theirs == one.theirs and same(row, one))
    pair(lambda row, one: not row.order and same(row, one) and abs(row.at - one.at) <= timedelta(minutes=10))
    pair(lambda row, one: row.order == one.att)
    pair(lambda row, one: bool(row.theirs) and row.theirs == one.theirs)
    yield from (told for told in starmap(_apart, pairs) if told)
    known, counted = {one.att for one in ours}, {row.order for row, _ in pairs}
    for row in left:
        if row.order and row.order in counted:
            yield "duplicate", row.order
        else:
            yield "state" if row.order in known else "missing_here", row.order
    for one in free:
        yield "missing_there", one.att


def _apart(row: Row, one: Ours) -> tuple[str, str] | None:
    if row.currency != one.currency:
        return "currency", one.att
    if row.amount != one.amount:
        return "amount", one.att
    fees = {fee_of(one.amount), (one.amount * 60 + 5000) // 10_000 * 1000}
    return None if row.fee in fees else ("fee", one.att)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(1, 3000), st.sampled_from(_FAULTS)), max_size=9), st.randoms())
def test_the_same_as_by_hand(happened: list[tuple[int, str]], random: Any) -> None:
    # A day of its own for each, before one that is matched: what is missing is due at once.
    day = _fresh_day()
    ours, rows = [], []
    for number, (amount, fault) in enumerate(happened):
        state = "FAILED" if fault == "unpaid" else "SUCCEEDED"
        at = NOON.replace(year=day.year, month=day.month, day=day.day) + timedelta(minutes=15 * number)
        one = pay(amount * 10 + number, at=at, state=state)
        ours.append(one)
        rows += _listed(one, fault)
    random.shuffle(rows)
    before = set(Discrepancy.objects.values_list("pk", flat=True))
    done = match(rows, day)
    told = Discrepancy.objects.exclude(pk__in=before).values_list("kind", "subject")
    assert Counter(told) == Counter(_by_hand(ours, rows))
    assert done.rows == len(rows)
    assert our_total(done.id) == sum(one.amount for one in ours if one.state == "SUCCEEDED")
    assert all(lies_between == (0, 0, 0) for lies_between in totals(done.id).values())


def _fresh_day() -> date:
    """The days go back in time, before one that is matched."""
    match([], DAY + timedelta(days=3))
    return DAY - timedelta(days=next(_examples))


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.integers(1, 400), min_size=1, max_size=4), st.integers(1, 3), st.booleans())
def test_refunds_agree_one_by_one_or_together(amounts: list[int], lines: int, shy: bool) -> None:
    """Several refunds of a payment on as many lines, or fewer: only the sum has to be right."""
    day = _fresh_day()
    at = NOON.replace(year=day.year, month=day.month, day=day.day)
    tea = pay(100_000, at=at)
    backs = [(refund(tea, amount, at=at), amount) for amount in amounts]
    together = sum(amounts[lines - 1 :])
    rows = [sent_back(back, tea.att, amount, at=at) for back, amount in backs[: lines - 1]]
    if together:
        name = f"R{next(_numbers)}" if shy else backs[lines - 1][0]  # made in WeChat's own console
        fee = -sum(fee_of(amount) for amount in amounts[lines - 1 :])
        rows.append(sent_back(name, tea.att, together, fee=fee, theirs=f"5030{next(_numbers)}", at=at))
    before = Discrepancy.objects.count()
    done = match([paid(tea.att, 100_000, at=at), *rows], day)
    assert Discrepancy.objects.count() == before
    assert done.matched == done.rows
    assert our_total(done.id) == 100_000 - sum(amounts)
    assert all(lies_between == (0, 0, 0) for lies_between in totals(done.id).values())
