"""Whatever happens to money, in any order: every invariant of the books holds."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import invariants, selectors
from ledger.errors import Refusal
from ledger.facts import Entry, Posting
from ledger.models import Account, DayClose
from ledger.money import Money
from ledger.services.close_day import close_day
from ledger.services.exchange import exchange
from ledger.services.post import post
from ledger.services.post_many import post_many
from ledger.services.record_rate import record_rate
from ledger.services.reverse import reverse
from ledger.services.take_snapshots import take_snapshots
from tests.ledger.books import tamper

pytestmark = pytest.mark.django_db(transaction=True)

_NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)
_CLEAN = "; ".join(
    f"DELETE FROM ledger_{table}"
    for table in (
        "daytotal", "daybalance", "dayclose", "balancesnapshot", "fxrate", "entry", "transaction", "account",
        "auditseal", "auditentry",
    )
)  # fmt: skip
# What happens → debit, credit.
_MOVES = {
    "captured": ("receivable:stripe", "customer_prepayments"),
    "shipped": ("customer_prepayments", "sales"),
    "refunded": ("customer_prepayments", "receivable:stripe"),
    "settled": ("bank:main", "receivable:stripe"),
    "fee": ("channel_fees:stripe", "receivable:stripe"),
    "disputed": ("disputed:stripe", "receivable:stripe"),
    "won": ("receivable:stripe", "disputed:stripe"),
    "lost": ("dispute_losses", "disputed:stripe"),
    "surplus": ("bank:main", "suspense"),
    "written off": ("write_offs", "receivable:stripe"),
}
_STEPS = st.lists(
    st.tuples(
        st.sampled_from([*_MOVES, "exchange", "reverse", "close", "snapshots", "again"]),
        st.integers(1, 10**12),
        st.integers(0, 6),  # day
        st.sampled_from(["", "TEA-1", "CUP-2"]),
    ),
    max_size=14,
)


class _World:
    """Posts by turns one by one and in batches, and counts along."""

    def __init__(self) -> None:
        self.expected: dict[tuple[str, str], int] = defaultdict(int)
        self.posted: list[str] = []
        self.waiting: list[Posting] = []
        self.last: Posting | None = None

    def step(self, kind: str, minor: int, day: int, item: str) -> None:
        at = _NOON + timedelta(days=day)
        if kind == "close":
            self.flush()
            close_day(day=at.date(), actor="user:1")
        elif kind == "snapshots":
            take_snapshots(at_least=1)
        elif kind == "again":
            self.again()
        elif kind == "reverse":
            self.reversed()
        elif kind == "exchange":
            self.exchanged(minor, at)
        else:
            self.moved(kind, Money(minor, "CNY"), at, item)

    def moved(self, kind: str, money: Money, at: datetime, item: str) -> None:
        debit, credit = _MOVES[kind]
        self.last = Posting(
            business_key=f"{kind}:{money.minor}:{at}:{item}:{len(self.posted)}:{len(self.waiting)}",
            reference="ord_1",
            description=kind,
            entries=[Entry(debit, money, item), Entry(credit, -money)],
            happened_at=at,
        )
        self.waiting.append(self.last)
        if len(self.waiting) > 2:
            self.flush()

    def again(self) -> None:
        """The same is told a second time, whether it is posted already or not."""
        if self.last:
            self.flush()
            with transaction.atomic():
                (again,) = post_many(postings=[self.last])
            assert not isinstance(again, Refusal) and not again.created

    def flush(self) -> None:
        waiting, self.waiting = self.waiting, []
        with transaction.atomic():
            results = post_many(postings=waiting)
        for posting, result in zip(waiting, results, strict=True):
            assert not isinstance(result, Refusal), result
            if result.created:
                self.note(posting.entries, result.id)

    def exchanged(self, minor: int, at: datetime) -> None:
        with transaction.atomic():
            done = exchange(
                business_key=f"fx:{len(self.posted)}:{minor}:{at}",
                reference="stm_1",
                description="settled in CNY",
                given=Entry("receivable:stripe", Money(minor, "EUR")),
                taken=Entry("bank:main", Money(minor * 8, "CNY")),
                booked_at=at,
                happened_at=at,
            )
        if done.created:
            self.note(selectors.transaction(done.id).entries, done.id)

    def reversed(self) -> None:
        if not self.posted:
            return
        original = self.posted.pop(0)
        with transaction.atomic():
            reverse(business_key=f"{original}:undone", of=original, reason="")
        for entry in selectors.transaction(original).entries:
            self.expected[entry.account, entry.amount.currency] -= entry.amount.minor

    def note(self, entries: Any, key: str) -> None:
        self.posted.append(key)
        for entry in entries:
            self.expected[entry.account, entry.amount.currency] += entry.amount.minor

    def prove(self) -> None:
        self.flush()
        for name, _, findings in invariants.check():
            assert list(findings) == [], name
        for (account, currency), minor in self.expected.items():
            assert selectors.balance(account, currency).minor == minor
            assert selectors.balance(account, currency, at=_NOON + timedelta(days=3650)).minor == minor
            found = selectors.account_statement(
                account, currency, since=_NOON.date(), until=(_NOON + timedelta(days=3650)).date(), limit=1000
            )
            assert found.opening.minor + sum(line.amount.minor for line in found.lines) == minor
        assert all(total.minor == 0 for total in selectors.trial_balance().totals)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_every_invariant_holds_after_any_sequence(steps: list[tuple[str, int, int, str]]) -> None:
    tamper(_CLEAN)
    record_rate(
        base="EUR", quote="CNY", rate=Decimal("7.8512"), source="t", valid_since=_NOON - timedelta(days=1)
    )
    world = _World()
    for step in steps:
        world.step(*step)
    world.prove()
    days = list(DayClose.objects.order_by("posted_on").values_list("posted_on", flat=True))
    assert days == [days[0] + timedelta(days=number) for number in range(len(days))]
    connection.close()


def test_the_same_books_by_post_and_by_post_many() -> None:
    entries = [Entry("bank:main", Money(5, "CNY")), Entry("suspense", Money(-5, "CNY"))]
    with transaction.atomic():
        one = post(business_key="k", reference="r", description="", entries=entries)
        (again,) = post_many(
            postings=[Posting(business_key="k", reference="r", description="", entries=entries)]
        )
    assert not isinstance(again, Refusal)
    assert (again.id, again.created) == (one.id, False)
    assert Account.objects.count() == 2
