"""Whatever a file and the one in its place say: the fees in the books are those of the last one, each once; and
whatever is said of a refund from day to day, it counts once.
"""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciliation.models import Discrepancy
from reconciliation.rules import rounded
from reconciliation.services.settle_statement import settle_statement
from tests.reconciliation.bank_files import balance
from tests.reconciliation.statements import DAY, Ours, match, pay, refund, totals
from tests.reconciliation.wechat_bill import NOON, Row, fee_of, paid, sent_back

pytestmark = pytest.mark.django_db(transaction=True)
_CURRENCIES = ("CNY", "HKD")
_FAULTS = ("none", "none", "none", "lost", "dearer", "foreign", "fee", "twice", "stranger", "later")
_numbers = count(1)
_examples = count(1)


@pytest.fixture(autouse=True)
def _merchant(settings: Any) -> None:
    settings.WECHAT = {**settings.WECHAT, "mchid": "1900000001"}


def _listed(ours: Ours, part: int, number: int, fault: str) -> tuple[list[Row], Counter[str]]:
    """What the bill has of a capture, and the fees that are to be in the books."""
    row = paid(ours.att, part, theirs=f"{ours.theirs}{number}", at=ours.at, fee=fee_of(part))
    fee = Counter({"CNY": rounded(row.fee)})
    match fault:
        case "lost":
            return [], Counter()
        case "dearer":
            return [replace(row, amount=part + 1)], fee
        case "foreign":
            return [replace(row, currency="HKD")], Counter({"HKD": fee["CNY"]})
        case "fee":
            return [replace(row, fee=row.fee + 25_000)], fee
        case "twice":
            return [row, replace(row, theirs=f"{row.theirs}x")], fee
        case "stranger":
            return [row, replace(row, order=f"att_7{next(_numbers):025d}", theirs=f"{row.theirs}x")], fee
        case "later":
            return [replace(row, at=row.at + timedelta(seconds=7))], fee
    return [row], fee


def _held() -> Counter[str]:
    return Counter({currency: balance("channel_fees:wechat", currency) for currency in _CURRENCIES})


_faults = st.lists(st.sampled_from(_FAULTS), min_size=3, max_size=3)


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.integers(1, 3), st.tuples(_faults, _faults, _faults)), min_size=1, max_size=4),
    st.randoms(),
)
def test_fees_are_those_of_the_last_file(
    happened: list[tuple[int, tuple[list[str], ...]]], random: Any
) -> None:
    match([], DAY + timedelta(days=3))
    day = DAY - timedelta(days=next(_examples))
    before, ours = _held(), [_ours(parts, number, day) for number, (parts, _) in enumerate(happened)]
    for version in range(3):
        rows: list[Row] = []
        wanted: Counter[str] = Counter()
        for one, faults in zip(ours, (files[version] for _, files in happened), strict=True):
            # Beside what is not there a second row is taken for that.
            again = "none" if "lost" in faults else "twice"
            for number, part in enumerate(one.parts):
                fault = again if faults[number] == "twice" else faults[number]
                listed, fees = _listed(one, part, number, fault)
                rows += listed
                wanted += fees
        random.shuffle(rows)
        rows.append(paid(f"SHOP-{version}", 1, theirs=f"v{next(_numbers)}"))  # so that no file is another
        file = match(rows, day).id
        for _ in range(2):
            settle_statement(file=file)
            assert _held() - before == +wanted


def _ours(parts: int, number: int, day: date) -> Ours:
    """The amounts of its parts are far from each other, so that it is clear which row is which."""
    at = NOON.replace(year=day.year, month=day.month, day=day.day) + timedelta(minutes=15 * number)
    sums = tuple(10_000 * (part + 1) + 100 * number for part in range(parts))
    return pay(sum(sums), at=at, parts=sums)


_SAID = ("SUCCESS", "PROCESSING", "FAIL")
_said = st.lists(st.sampled_from(("", *_SAID[1:])), min_size=3, max_size=3)
_done_on = st.sampled_from((None, 0, 1, 2))


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(_said, _done_on, st.booleans()), min_size=1, max_size=12), st.permutations(range(3))
)
def test_what_is_said_of_a_refund_from_day_to_day_counts_once(
    happened: list[tuple[list[str], int | None, bool]], order: list[int]
) -> None:
    """Files come in any order; a day may say that it is under way beside saying that it is done."""
    first = DAY - timedelta(days=10 * next(_examples))
    at = NOON.replace(year=first.year, month=first.month, day=first.day)
    days: list[list[Row]] = [[], [], []]
    wanted: dict[str, str] = {}
    for said, done_on, beside in happened:
        tea = pay(10_000, at=at)
        back = refund(tea)
        days[0].append(paid(tea.att))
        for number, state in enumerate(said):
            done = number == done_on
            rows = [sent_back(back, tea.att, state=state)] if state and (beside or not done) else []
            days[number] += [*rows, *([sent_back(back, tea.att, theirs=f"{back[4:]}done")] if done else [])]
        if done_on is None:
            wanted[back] = "state" if any(said) else "missing_there"
    before = _held()
    for number in [*order, 6]:
        file = match(days[number] if number < 3 else [], first + timedelta(days=number)).id
        settle_statement(file=file)
        assert set(totals(file).values()) <= {(0, 0, 0)}
    kept = len(happened) * 54 - 5 * (len(happened) - len(wanted))
    assert _held() - before == Counter({"CNY": kept})
    told = Discrepancy.objects.unclosed().filter(file__day_on__range=(first, first + timedelta(days=6)))
    assert Counter(told.exclude(kind="late").values_list("subject", "kind")) == Counter(wanted.items())
