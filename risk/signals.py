"""What histories say about a payment: numbers under names that never change their meaning. Pure.

The same function answers online and in training. It reads only what the histories were told before the payment.
"""

from bisect import bisect_left
from collections.abc import Mapping
from math import sqrt
from typing import TypeAlias

from risk.history import DAY, HOUR, LARGEST_RATIO, MARKS, MINUTE, Bucket, Event, History

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
_NOBODY = {0}
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
_CHALLENGED = ("customer", "card", "device")
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
    for kind in _CHALLENGED:
        named |= dict.fromkeys(_challenge_names(kind), "challenge")
    return named


def _challenge_names(kind: str) -> tuple[str, str]:
    return f"{kind}_challenges_passed_30d", f"{kind}_challenges_failed_30d"


GROUPS: Mapping[str, str] = _groups()
"""Every signal's name, in a fixed order, and the group that its points are told under."""


def ratio_of(amount: int, customer: History | None) -> int:
    """`amount` in percent of the customer's median so far; 0 when there is none."""
    if customer is None or not customer.ordered:
        return 0
    median = customer.ordered[len(customer.ordered) // 2]
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
                _labels(found, kind, history, now // DAY)
            if kind in _CHALLENGED:
                _challenges(found, kind, history, now // DAY)
    return found


def _amount(found: Signals, amount: int, customer: History | None) -> None:
    found["amount"] = float(amount)
    if customer is None or not customer.ordered:
        found |= dict.fromkeys(_AMOUNT[1:], None)
        return
    ordered, n = customer.ordered, len(customer.ordered)
    mean = customer.sum / n
    spread = sqrt(max(customer.squares / n - mean * mean, 0.0))
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
    known = bool(history.times)
    found[f"{kind}_age_days"] = (now - history.first_at) / DAY if history.first_at else None
    found[f"{kind}_gap_minutes"] = (now - history.times[-1]) / MINUTE if known else None
    found[f"{kind}_total"] = float(history.total)
    for window in _COUNTED[kind]:
        start = now - WINDOWS[window]
        if history.covers(start) or WINDOWS[window] <= DAY:
            place = history.since(start)
            count, total = len(history.times) - place, sum(history.amounts[place:])
        else:
            count, total = _by_days(history, start // DAY)
        found[f"{kind}_count_{window}"] = float(count)
        if window in _SUMMED:
            found[f"{kind}_sum_{window}"] = float(total)
            found[f"{kind}_mean_{window}"] = total / count if count else None
    for window in _DISTINCT_WINDOWS:
        recent = history.events[history.since(now - WINDOWS[window]) :]
        columns = list(zip(*recent, strict=True))
        for other in _DISTINCT[kind]:
            parties = set(columns[_PLACE[other]]) if columns else set()
            found[f"{kind}_distinct_{other}_{window}"] = float(len(parties - _NOBODY))
    _unusual(found, kind, history, now)


def _by_days(history: History, first_day: int) -> tuple[int, int]:
    kept = [bucket for day, bucket in history.days.items() if day > first_day]
    return sum([bucket[0] for bucket in kept]), sum([bucket[1] for bucket in kept])


def _unusual(found: Signals, kind: str, history: History, now: int) -> None:
    """How far from usual for their customers the last payments were, labels or not."""
    for window in _UNUSUAL:
        ratios = [ratio for ratio in history.ratios[history.since(now - WINDOWS[window]) :] if ratio]
        found[f"{kind}_unusual_count_{window}"] = float(
            len([ratio for ratio in ratios if ratio >= UNUSUAL_RATIO])
        )
        found[f"{kind}_unusual_largest_{window}"] = float(max(ratios)) if ratios else None
        found[f"{kind}_unusual_mean_{window}"] = sum(ratios) / len(ratios) if ratios else None


def _labels(found: Signals, kind: str, history: History, today: int) -> None:
    """What is known of frauds. Ages are in days, by the day of the payment."""
    ages = sorted([(today - day, bucket) for day, bucket in history.days.items() if day <= today])
    settled = frauds = plain = 0
    place = 0
    for window in LABEL_WINDOWS:
        while place < len(ages) and ages[place][0] <= SETTLED_DAYS + window:
            age, (count, _, bad, usual, _, _) = ages[place]
            settled += count if age > SETTLED_DAYS else bad
            frauds += bad
            plain += usual
            place += 1
        found[f"{kind}_fraud_count_{window}d"] = float(frauds)
        found[f"{kind}_fraud_plain_{window}d"] = float(plain)
        found[f"{kind}_fraud_rate_{window}d"] = frauds / settled if settled else None
    found[f"{kind}_fraud_plain_rate_28d"] = plain / settled if settled else None
    last, first = _run([age for age, bucket in ages if bucket[2]])
    found[f"{kind}_fraud_last_days"], found[f"{kind}_fraud_first_days"] = last, first
    last_plain, first_plain = _run([age for age, bucket in ages if bucket[3]])
    found[f"{kind}_fraud_plain_last_days"], found[f"{kind}_fraud_plain_first_days"] = last_plain, first_plain
    found[f"{kind}_fraud_goods_since"] = None if last is None else float(_goods_since(ages, last))
    found[f"{kind}_fraud_streak"] = float(_streak(ages))


def _challenges(found: Signals, kind: str, history: History, today: int) -> None:
    """How challenges of the last days ended; no answer where nobody was asked."""
    first_day = today - _CHALLENGE_DAYS
    asked = [bucket for day, bucket in history.days.items() if first_day < day <= today and any(bucket[4:])]
    passed, failed = _challenge_names(kind)
    found[passed] = float(sum([bucket.passed for bucket in asked])) if asked else None
    found[failed] = float(sum([bucket.failed for bucket in asked])) if asked else None


def _run(ages: list[int]) -> tuple[float | None, float | None]:
    """The age of the last fraud, and of the first of the run that it belongs to."""
    if not ages:
        return None, None
    first = ages[0]
    for age in ages[1:]:
        if age - first > RUN_GAP_DAYS:
            break
        first = age
    return float(ages[0]), float(first)


def _goods_since(ages: list[tuple[int, Bucket]], last: float) -> int:
    """Settled payments that were no frauds, from the day after the last known fraud on."""
    return sum([bucket[0] - bucket[2] for age, bucket in ages if SETTLED_DAYS < age < last])


def _streak(ages: list[tuple[int, Bucket]]) -> int:
    """Frauds on the last settled days on which there was nothing else."""
    streak = 0
    for age, bucket in ages:
        if age <= SETTLED_DAYS:
            continue
        if bucket[2] < bucket[0]:
            break
        streak += bucket[2]
    return streak
