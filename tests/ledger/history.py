"""Small histories of the books, and every report recomputed from their lines: slowly, in Python, without SQL."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from hypothesis import strategies as st

from ledger.facts import Entry, PostedTransaction, Posting
from ledger.models import Transaction
from ledger.models.days import today
from ledger.money import Money
from ledger.reports.unsettled import AGES
from ledger.rules import Kind, kind_of
from ledger.services.post_many import post_many


@dataclass(frozen=True)
class Step:
    """Something that happened `ago` days before today, for one of a few orders."""

    kind: str
    order: str
    channel: str
    item: str
    minor: int
    ago: int


STEPS = st.lists(
    st.builds(
        Step,
        kind=st.sampled_from(
            ["captured", "shipped", "returned", "refunded", "fee", "settled", "lost", "odd"]
        ),
        order=st.sampled_from(["ord_1", "ord_2", "ord_3", ""]),
        channel=st.sampled_from(["alipay", "stripe", "wechat"]),
        item=st.sampled_from(["tea", "cup", ""]),
        minor=st.integers(min_value=1, max_value=10**6),
        ago=st.integers(min_value=0, max_value=90),
    ),
    max_size=14,
)


def _entries(step: Step) -> list[tuple[str, int, str]]:
    owed, minor = f"receivable:{step.channel}", step.minor
    third = minor // 3
    kinds: dict[str, Callable[[], list[tuple[str, int, str]]]] = {
        "captured": lambda: [(owed, minor, ""), ("customer_prepayments", -minor, "")],
        "shipped": lambda: [
            ("customer_prepayments", minor - third, ""),
            ("discounts", third, step.item),
            ("sales", third - minor, step.item),
            ("sales", -third, ""),
        ],
        "returned": lambda: [
            ("refunds", minor, step.item),
            ("tax_payable:CN", third, ""),
            ("customer_prepayments", -minor - third, ""),
        ],
        "refunded": lambda: [("customer_prepayments", minor, ""), (owed, -minor, "")],
        "fee": lambda: [(f"channel_fees:{step.channel}", minor, ""), (owed, -minor, "")],
        "settled": lambda: [("bank:main", minor, ""), (owed, -minor, "")],
        "lost": lambda: [("dispute_losses", minor, ""), (f"disputed:{step.channel}", -minor, "")],
        "odd": lambda: [("write_offs", minor, step.item), ("suspense", -minor, "")],
    }
    return [line for line in kinds[step.kind]() if line[1]]


def write(steps: list[Step], name: str = "h") -> None:
    """Post them all, in one statement."""
    now = datetime.now(ZoneInfo("Asia/Shanghai"))
    postings = [
        Posting(
            business_key=f"{name}:{number}",
            reference=step.order,
            description=step.kind,
            entries=[
                Entry(account, Money(minor, "CNY"), item=item) for account, minor, item in _entries(step)
            ],
            happened_at=now - timedelta(days=step.ago),
        )
        for number, step in enumerate(steps)
    ]
    if postings:
        with transaction.atomic():
            assert all(isinstance(one, PostedTransaction) for one in post_many(postings=postings))


@dataclass(frozen=True)
class Written:
    """A line of the journal, with what its transaction says."""

    on: date
    account: str
    item: str
    reference: str
    minor: int
    beside: tuple[str, ...]

    @property
    def profit(self) -> int:
        return -self.minor if kind_of(self.account) in (Kind.INCOME, Kind.EXPENSE) else 0


def journal() -> list[Written]:
    """Every line, oldest first."""
    return [
        Written(head.posted_on, line.account, line.item, head.reference, line.amount.minor, names)
        for head in Transaction.objects.with_entries().order_by("posted_on", "id")
        for names in [tuple(line.account for line in head.lines())]
        for line in head.lines()
    ]


def balances(on: date) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for line in journal():
        if line.on <= on:
            found[line.account] += line.minor
    return found


def profit(first: date, last: date, by: Callable[[Written], str]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for line in journal():
        if first <= line.on <= last and line.profit:
            found[by(line)] += line.profit
    return found


def profit_by_channel(first: date, last: date) -> dict[str, int]:
    """By the rule in words: the account's name, else the transaction's money, else who captured for the order."""
    lines, found = journal(), defaultdict[str, int](int)
    for line in lines:
        if not (first <= line.on <= last and line.profit):
            continue
        moved = {name.split(":")[1] for name in line.beside if name.startswith(("receivable:", "disputed:"))}
        if line.account.startswith("channel_fees:"):
            found[line.account.split(":")[1]] += line.profit
        elif len(moved) == 1:
            found[moved.pop()] += line.profit
        else:
            for channel, minor in _dealt(line.minor, _captured(lines, line.reference)).items():
                found[channel] -= minor
    return {channel: minor for channel, minor in found.items() if minor}


def _captured(lines: list[Written], reference: str) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for line in lines:
        takes = line.minor > 0 and line.account.startswith("receivable:")
        if takes and "customer_prepayments" in line.beside and reference == line.reference != "":
            found[line.account.split(":")[1]] += line.minor
    return found


def _dealt(minor: int, weights: dict[str, int]) -> dict[str, int]:
    """So that the shares make the whole: each channel ends where its part of the whole ends, rounded."""
    if not weights:
        return {"": minor}
    whole, through, done, dealt = sum(weights.values()), 0, 0, {}
    for channel in sorted(weights):
        through += weights[channel]
        dealt[channel] = int((Decimal(minor * through) / whole).to_integral_value(ROUND_HALF_UP)) - done
        done += dealt[channel]
    return dealt


def ages(account: str, on: date) -> dict[str, int]:
    """First in, first out, one movement after the other."""
    open_: list[tuple[date, int]] = []
    for line in journal():
        if line.account != account or line.on > on:
            continue
        rest = line.minor
        while rest and open_ and (open_[0][1] > 0) != (rest > 0):
            day, minor = open_.pop(0)
            if abs(minor) > abs(rest):
                open_.insert(0, (day, minor + rest))
                rest = 0
            else:
                rest += minor
        if rest:
            open_.append((line.on, rest))
    found = dict.fromkeys(AGES, 0)
    for day, minor in open_:
        days = (on - day).days
        age = next(name for name, (_, most) in AGES.items() if most is None or days <= most)
        found[age] += minor
    return found


def days_ago(days: int) -> date:
    return today() - timedelta(days=days)


def whole(_: Any) -> str:
    return ""
