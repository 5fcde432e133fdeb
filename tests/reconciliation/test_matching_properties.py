"""Whatever happened and whatever the bill makes of it: what is told is what a slow comparison by hand would tell."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import count, product, starmap
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
        "repeated",
    ),
    *("unpaid", "unnamed", "fee_twice", "in_parts", "fee_of_a_part", "dearer_beside_twice"),
)
_SPLIT = ("in_parts", "fee_of_a_part", "dearer_beside_twice")
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
    wrong = replace(row, fee=row.fee + 2500)
    parts = [paid(ours.att, part, theirs=f"{ours.theirs}{part}", at=ours.at) for part in ours.parts]
    rows = {
        "lost": [],
        "dearer": [replace(row, amount=row.amount + 3, fee=fee_of(row.amount + 3))],
        "foreign": [replace(row, currency="HKD")],
        "fee": [wrong],
        "fee_twice": [wrong, replace(wrong, theirs=f"{row.theirs}x")],
        "in_parts": parts,
        "fee_of_a_part": [*parts[:1], *(replace(part, fee=part.fee + 2500) for part in parts[1:])],
        "dearer_beside_twice": [
            *(replace(part, amount=part.amount + 3, fee=fee_of(part.amount + 3)) for part in parts[:1]),
            *parts[1:],
            *(replace(part, theirs=f"{part.theirs}x") for part in parts[1:]),
        ],
        "twice": [row, replace(row, theirs=f"{row.theirs}x")],
        "repeated": [row, replace(row, order="")],
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
        for row, mate in sorted(product(left, free), key=lambda two: abs(two[0].amount - two[1].amount)):
            if row in left and mate in free and fits(row, mate):
                left.remove(row)
                free.remove(mate)
                pairs.append((row, mate))

    def same(row: Row, one: Ours) -> bool:
        return (row.amount, row.currency) == (one.amount, one.currency)

    def once(row: Row) -> bool:
        """It names nothing, and no other row is about the same."""
        return not row.order and (not row.theirs or [other.theirs for other in rows].count(row.theirs) == 1)

    pair(lambda row, one: row.order == one.att and same(row, one))
    pair(lambda row, one: bool(row.theirs) and row.theirs == one.theirs and same(row, one))
    pair(lambda row, one: once(row) and same(row, one) and abs(row.at - one.at) <= timedelta(minutes=10))
    pair(lambda row, one: row.order == one.att)
    pair(lambda row, one: bool(row.theirs) and row.theirs == one.theirs)
    yield from (told for told in starmap(_apart, pairs) if told)
    yield from _alone(left, [row for row, _ in pairs], {one.att for one in ours})
    for one in free:
        yield "missing_there", one.att


def _alone(left: list[Row], paired: list[Row], known: set[str]) -> Iterator[tuple[str, str]]:
    orders, theirs = {row.order for row in paired} - {""}, {row.theirs for row in paired} - {""}
    for row in left:
        if row.order in orders or row.theirs in theirs:
            yield "duplicate", row.order or row.theirs
        else:
            yield "state" if row.order in known else "missing_here", row.order


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
        whole = amount * 10 + number
        parts = (whole // 3, whole - whole // 3) if fault in _SPLIT else ()
        one = pay(whole, at=at, state=state, parts=parts)
        ours += [replace(one, amount=part) for part in parts] or [one]
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
