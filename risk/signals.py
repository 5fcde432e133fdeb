"""What histories say about a payment: numbers under names that never change their meaning. Pure.

The same function answers online and in training. It reads only what the histories were told before the payment.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TypeAlias

from risk.history import DAY, HOUR, LARGEST_RATIO, MARKS, MINUTE, Event, History

Signals: TypeAlias = dict[str, float | None]

# Most frauds are known after a week; the share of frauds is taken among payments that are older.
SETTLED_DAYS = 7
LABEL_WINDOWS = (7, 14, 21, 28)
# A fraud within so many days of the one before it belongs to the same run.
RUN_GAP_DAYS = 7
UNUSUAL_RATIO = 200  # percent of the customer's median

WINDOWS = {
    "1m": MINUTE, "10m": 10 * MINUTE, "1h": HOUR, "1d": DAY, "7d": 7 * DAY, "14d": 14 * DAY, "30d": 30 * DAY,
}  # fmt: skip
_COUNTED = {
    "customer": ("1m", "10m", "1h", "1d", "7d", "30d"),
    "card": ("1m", "10m", "1h", "1d", "7d", "30d"),
    "device": ("1m", "10m", "1h", "1d", "7d", "30d"),
    "address": ("1h", "1d", "7d", "30d"),
    "ip": ("1m", "10m", "1h", "1d", "7d"),
    "sku": ("1h", "1d", "7d"),
    "merchant": ("1h", "1d", "7d", "30d"),
}
_SUMMED = ("1d", "7d", "30d")
_DISTINCT = {
    "customer": ("card", "device", "address", "merchant"),
    "card": ("customer", "device", "address"),
    "device": ("customer", "card", "address"),
    "address": ("customer", "card"),
    "ip": ("customer", "card", "device"),
    "sku": ("customer", "card"),
    "merchant": ("customer",),
}
_DISTINCT_WINDOWS = ("1d", "7d")
_PLACE = {name: 3 + MARKS.index(name) for name in MARKS}  # of a mark within an event
_NOBODY = frozenset((0,))
_UNUSUAL = ("7d", "14d")

_AMOUNT = (
    "amount", "customer_amount_ratio_median", "customer_amount_ratio_mean", "customer_amount_ratio_p90",
    "customer_amount_ratio_largest", "customer_amount_z", "customer_amount_percentile", "customer_amount_median",
    "customer_amount_mean", "customer_amount_spread",
)  # fmt: skip
_LABELS = (
    *(f"fraud_{what}_{days}d" for days in LABEL_WINDOWS for what in ("count", "rate", "plain")),
    "fraud_plain_rate_28d", "fraud_last_days", "fraud_first_days", "fraud_plain_last_days",
    "fraud_plain_first_days", "fraud_goods_since", "fraud_streak",
)  # fmt: skip
_LABELLED = ("customer", "card", "device", "address", "merchant")
_TIME = ("hour", "weekday")
_CHALLENGED = {
    kind: (f"{kind}_challenges_passed_30d", f"{kind}_challenges_failed_30d")
    for kind in ("customer", "card", "device")
}
_CHALLENGE_DAYS = 30


def _names_of(kind: str) -> list[str]:
    names = [f"{kind}_age_days", f"{kind}_gap_minutes", f"{kind}_total"]
    for window in _COUNTED[kind]:
        names.append(f"{kind}_count_{window}")
        if window in _SUMMED:
            names += [f"{kind}_sum_{window}", f"{kind}_mean_{window}"]
    names += [f"{kind}_distinct_{other}_{w}" for other in _DISTINCT[kind] for w in _DISTINCT_WINDOWS]
    names += [f"{kind}_unusual_{what}_{w}" for w in _UNUSUAL for what in ("count", "largest", "mean")]
    if kind in _LABELLED:
        names += [f"{kind}_{label}" for label in _LABELS]
    return names


def _groups() -> dict[str, str]:
    named = dict.fromkeys(_AMOUNT, "amount") | dict.fromkeys(_TIME, "time")
    for kind in _COUNTED:
        named |= dict.fromkeys(_names_of(kind), kind)
    for names in _CHALLENGED.values():
        named |= dict.fromkeys(names, "challenge")
    return named


GROUPS: Mapping[str, str] = _groups()
"""Every signal's name, in a fixed order, and the group that its points are told under."""


@dataclass(frozen=True, slots=True)
class _Names:
    """The names of one kind's signals, put together once: that takes longer than most of the sums."""

    age: str
    gap: str
    total: str
    windows: tuple[tuple[int, str, str, str], ...]  # length, count, sum and mean ("" for none)
    distinct_windows: tuple[int, ...]  # lengths
    distinct: tuple[tuple[int, tuple[str, ...]], ...]  # field of the events, a name for each window
    unusual: tuple[tuple[int, str, str, str], ...]  # length, count, largest, mean
    labels: tuple[tuple[int, str, str, str], ...]  # days, count, rate, plain
    plain_rate: str
    fraud_last: str
    fraud_first: str
    plain_last: str
    plain_first: str
    goods_since: str
    streak: str
    no_frauds: Mapping[str, float | None]


def _names(kind: str) -> _Names:
    summed = {window: (f"{kind}_sum_{window}", f"{kind}_mean_{window}") for window in _SUMMED}
    return _Names(
        age=f"{kind}_age_days",
        gap=f"{kind}_gap_minutes",
        total=f"{kind}_total",
        windows=tuple(
            (WINDOWS[window], f"{kind}_count_{window}", *summed.get(window, ("", "")))
            for window in _COUNTED[kind]
        ),
        distinct_windows=tuple(WINDOWS[w] for w in _DISTINCT_WINDOWS),
        distinct=tuple(
            (_PLACE[other], tuple(f"{kind}_distinct_{other}_{w}" for w in _DISTINCT_WINDOWS))
            for other in _DISTINCT[kind]
        ),
        unusual=tuple(
            (
                WINDOWS[w],
                f"{kind}_unusual_count_{w}",
                f"{kind}_unusual_largest_{w}",
                f"{kind}_unusual_mean_{w}",
            )
            for w in _UNUSUAL
        ),
        labels=tuple(
            (days, f"{kind}_fraud_count_{days}d", f"{kind}_fraud_rate_{days}d", f"{kind}_fraud_plain_{days}d")
            for days in LABEL_WINDOWS
        ),
        plain_rate=f"{kind}_fraud_plain_rate_28d",
        fraud_last=f"{kind}_fraud_last_days",
        fraud_first=f"{kind}_fraud_first_days",
        plain_last=f"{kind}_fraud_plain_last_days",
        plain_first=f"{kind}_fraud_plain_first_days",
        goods_since=f"{kind}_fraud_goods_since",
        streak=f"{kind}_fraud_streak",
        no_frauds={
            f"{kind}_fraud_{what}": None
            for what in ("last_days", "first_days", "plain_last_days", "plain_first_days", "goods_since")
        }
        | {f"{kind}_fraud_streak": 0.0},
    )


_NAMES = {kind: _names(kind) for kind in _COUNTED}


def ratio_of(amount: int, customer: History | None) -> int:
    """`amount` in percent of the customer's median so far; 0 when there is none."""
    if customer is None or not customer.times:
        return 0
    ordered = customer.spread.ordered
    median = ordered[len(ordered) // 2]
    return min(100 * amount // max(median, 1), LARGEST_RATIO)


def is_plain(ratio: int) -> bool:
    """Whether a payment's amount was usual for its customer."""
    return ratio < UNUSUAL_RATIO


def signals(now: int, event: Event, histories: Mapping[str, History]) -> Signals:
    """Everything that `histories` (by kind of entity) say about `event`, which they have not been told yet.

    Amounts are CNY minor units, times of the day UTC. Absent: nothing is known of that kind; None: no answer yet.
    """
    found: Signals = {"hour": now % DAY / HOUR, "weekday": float((now // DAY + 3) % 7)}
    _amount(found, event.amount, histories.get("customer"))
    for kind, history in histories.items():
        if kind in _COUNTED:
            _velocity(found, kind, history, now)
            if kind in _LABELLED:
                _labels(found, _NAMES[kind], history, now // DAY)
            if kind in _CHALLENGED:
                _challenges(found, kind, history, now // DAY)
    return found


def _amount(found: Signals, amount: int, customer: History | None) -> None:
    found["amount"] = float(amount)
    if customer is None or not customer.times:
        found |= dict.fromkeys(_AMOUNT[1:], None)
        return
    amounts = customer.spread
    ordered, n = amounts.ordered, len(amounts.ordered)
    mean = amounts.sum / n
    spread = sqrt(max(amounts.squares / n - mean * mean, 0.0))
    median = ordered[n // 2]
    found["customer_amount_ratio_median"] = amount / max(median, 1)
    found["customer_amount_ratio_mean"] = amount / max(mean, 1.0)
    found["customer_amount_ratio_p90"] = amount / max(ordered[9 * (n - 1) // 10], 1)
    found["customer_amount_ratio_largest"] = amount / max(ordered[-1], 1)
    # With few payments the spread says little: never less than a hundredth of the mean.
    found["customer_amount_z"] = (amount - mean) / max(spread, mean / 100, 1.0)
    found["customer_amount_percentile"] = bisect_left(ordered, amount) / n
    found["customer_amount_median"] = float(median)
    found["customer_amount_mean"] = mean
    found["customer_amount_spread"] = spread


def _velocity(found: Signals, kind: str, history: History, now: int) -> None:
    names, times, amounts = _NAMES[kind], history.times, history.amounts
    found[names.age] = (now - history.first_at) / DAY if history.first_at else None
    found[names.gap] = (now - times[-1]) / MINUTE if times else None
    found[names.total] = float(history.total)
    for length, count_name, sum_name, mean_name in names.windows:
        start = now - length
        if length <= DAY or history.covers(start):
            place = bisect_left(times, start)
            count, total = len(times) - place, sum(amounts[place:]) if sum_name else 0
        else:
            count, total = _by_days(history, start // DAY)
        found[count_name] = float(count)
        if sum_name:
            found[sum_name] = float(total)
            found[mean_name] = total / count if count else None
    _distinct(found, names, history, now)
    _unusual(found, names, history, now)


def _distinct(found: Signals, names: _Names, history: History, now: int) -> None:
    """A longer window adds to the shorter one before it."""
    starts = [bisect_left(history.times, now - length) for length in names.distinct_windows]
    for other, of_windows in names.distinct:
        column, seen, until = history.columns[other], _NOBODY, None
        for place, name in zip(starts, of_windows, strict=True):
            if place != until:
                seen = seen.union(column[place:until])
                until = place
            found[name] = float(len(seen) - 1)


def _by_days(history: History, first_day: int) -> tuple[int, int]:
    days, payments, sums, *_ = history.by_day
    place = bisect_right(days, first_day)
    return sum(payments[place:]), sum(sums[place:])


def _unusual(found: Signals, names: _Names, history: History, now: int) -> None:
    """How far from usual for their customers the last payments were, labels or not."""
    unusual = known = total = largest = 0
    until = None
    for length, count_name, largest_name, mean_name in names.unusual:
        place = bisect_left(history.times, now - length)
        if place != until:
            more = [ratio for ratio in history.ratios[place:until] if ratio]
            if more:
                known, total, largest = known + len(more), total + sum(more), max(largest, *more)
                unusual += len([ratio for ratio in more if ratio >= UNUSUAL_RATIO])
            until = place
        found[count_name] = float(unusual)
        found[largest_name] = float(largest) if known else None
        found[mean_name] = total / known if known else None


def _labels(found: Signals, names: _Names, history: History, today: int) -> None:
    """What is known of frauds. Ages are in days, by the day of the payment."""
    days, _, _, frauds, plain, _, _ = history.by_day
    place = bisect_right(days, today)
    if not any(frauds[:place]) and not any(plain[:place]):
        _no_frauds(found, names, days, today)
        return
    # The newest first.
    payments, frauds, plain = (history.by_day[column][:place][::-1] for column in (1, 3, 4))
    ages = [today - day for day in days[:place][::-1]]
    settled_from = bisect_right(ages, SETTLED_DAYS)
    young = sum(frauds[:settled_from])
    settled = usual = 0
    for window, count_name, rate_name, plain_name in names.labels:
        until = bisect_right(ages, SETTLED_DAYS + window)
        bad, usual = sum(frauds[:until]), sum(plain[:until])
        settled = young + sum(payments[settled_from:until])
        found[count_name], found[plain_name] = float(bad), float(usual)
        found[rate_name] = bad / settled if settled else None
    found[names.plain_rate] = usual / settled if settled else None
    last, first = _run(ages, frauds)
    found[names.fraud_last], found[names.fraud_first] = last, first
    found[names.plain_last], found[names.plain_first] = _run(ages, plain)
    goods = zip(ages[settled_from:], payments[settled_from:], frauds[settled_from:], strict=True)
    found[names.goods_since] = None if last is None else float(_goods(goods, last))
    found[names.streak] = float(_streak(payments[settled_from:], frauds[settled_from:]))


def _no_frauds(found: Signals, names: _Names, days: Sequence[int], today: int) -> None:
    """The same of most histories. A day is kept because there was a payment on it."""
    settled = bisect_right(days, today - SETTLED_DAYS - 1)
    rate = None
    for window, count_name, rate_name, plain_name in names.labels:
        rate = 0.0 if bisect_left(days, today - SETTLED_DAYS - window) < settled else None
        found[count_name], found[rate_name], found[plain_name] = 0.0, rate, 0.0
    found |= names.no_frauds
    found[names.plain_rate] = rate


def _challenges(found: Signals, kind: str, history: History, today: int) -> None:
    """How challenges of the last days ended; no answer where nobody was asked."""
    days, *_, passed, failed = history.by_day
    lately = slice(bisect_right(days, today - _CHALLENGE_DAYS), bisect_right(days, today))
    yes, no = sum(passed[lately]), sum(failed[lately])
    for name, count in zip(_CHALLENGED[kind], (yes, no), strict=True):
        found[name] = float(count) if yes or no else None


def _run(ages: list[int], frauds: Sequence[int]) -> tuple[float | None, float | None]:
    """The age of the last fraud, and of the first of the run that it belongs to."""
    if not any(frauds):
        return None, None
    bad = [age for age, count in zip(ages, frauds, strict=True) if count]
    first = bad[0]
    for age in bad[1:]:
        if age - first > RUN_GAP_DAYS:
            break
        first = age
    return float(bad[0]), float(first)


def _goods(settled: Iterable[tuple[int, int, int]], last: float) -> int:
    """Settled payments that were no frauds, from the day after the last known fraud on."""
    return sum([count - bad for age, count, bad in settled if age < last])


def _streak(payments: Sequence[int], frauds: Sequence[int]) -> int:
    """Frauds on the last settled days on which there was nothing else."""
    streak = 0
    for count, bad in zip(payments, frauds, strict=True):
        if bad < count:
            break
        streak += bad
    return streak
