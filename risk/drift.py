"""How the inputs of decisions are spread, and how far a spread has moved. Pure.

Numbers fall into bins that double in width, so that counts of any day add up to those of any other. The population
stability index compares two spreads: below 0.1 nothing moved, above 0.25 it has.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import frexp, isfinite, log
from statistics import median
from typing import Any

from risk.variables import variables

MOVED = 0.25
_SAMPLE = 200  # fewer say nothing
_PER_BIN = 40  # chance alone then stays below 0.05
_MOST_BINS = 40
_EMPTY = 0.0005  # the share that stands for a bin without any, so that the logarithm exists
HOUR = 50  # decisions: fewer say nothing of an hour
_WEEKS = 3
_FAR = 0.05
_LIKE_SIGMA = 1.4826  # what makes a median distance comparable with a standard deviation
_WORD = re.compile(r"[\w .-]{0,24}\Z")


def spread_of(inputs: Mapping[str, Any], rates: Mapping[str, Decimal]) -> dict[str, str]:
    """Input → bin, of all that rules may name."""
    named = {
        f"{group}.{item}": value
        for group, items in variables(inputs, rates).items()
        for item, value in items.items()
        if f"{group}.{item}" != "payment.amount"  # amounts of several currencies do not compare
    }
    return {name: bin_of(value) for name, value in named.items()}


def bin_of(value: Any) -> str:
    match value:
        case None:
            return "unknown"
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return _doubling(value)
        case _:
            return str(value) if _WORD.match(str(value)) else "other"


def _doubling(value: float) -> str:
    """From one power of two to the next: "4 to 8"; less than a thousandth is none."""
    if not isfinite(value):
        return "unknown"
    if abs(value) * 1000 < 1:
        return "0"
    _, power = frexp(value)
    low, high = (f"{2**n:,}" if n >= 0 else f"1/{2**-n}" for n in (power - 1, power))
    return f"{'-' if value < 0 else ''}{low} to {high}"


def add(spreads: dict[str, dict[str, int]], bins: Mapping[str, str], times: int = 1) -> None:
    for name, found in bins.items():
        spread = spreads.setdefault(name, {})
        fits = found if found in spread or len(spread) < _MOST_BINS else "other"
        spread[fits] = spread.get(fits, 0) + times


def index(reference: Mapping[str, int], now: Mapping[str, int]) -> float | None:
    """The population stability index; None where either is too small a sample."""
    before, after = sum(reference.values()), sum(now.values())
    if min(before, after) < max(_SAMPLE, _PER_BIN * len({*reference, *now})):
        return None
    total = 0.0
    for one in {*reference, *now}:
        p = max(reference.get(one, 0) / before, _EMPTY)
        q = max(now.get(one, 0) / after, _EMPTY)
        total += (q - p) * log(q / p)
    return round(total, 4)


def summed(days: list[dict[str, dict[str, int]]]) -> dict[str, Counter[str]]:
    """The spreads of several days together."""
    together: dict[str, Counter[str]] = {}
    for day in days:
        for name, spread in day.items():
            together.setdefault(name, Counter()).update(spread)
    return together


def unusual(
    weeks: Sequence[Mapping[str, int]], now: Mapping[str, int], action: str
) -> tuple[float, float] | None:
    """The share of an action in this hour of the past `weeks` (their median) and now, where that is out of the usual.

    Five hundredths away at least, five times as far as these weeks lay from each other (by their median distance, so
    that one odd week does not matter), and four times what chance would make of an hour of this size.
    """
    shares = [week.get(action, 0) / sum(week.values()) for week in weeks if sum(week.values()) >= HOUR]
    after = sum(now.values())
    if len(shares) < _WEEKS or after < HOUR:
        return None
    usual, share = median(shares), now.get(action, 0) / after
    spread = _LIKE_SIGMA * median([abs(one - usual) for one in shares])
    chance = (max(usual * (1 - usual), 1 / after) / after) ** 0.5
    if abs(share - usual) < max(_FAR, 5 * spread, 4 * chance):
        return None
    return round(usual, 4), round(share, 4)


def jumped(reference: Mapping[str, int], now: Mapping[str, int], action: str) -> tuple[float, float] | None:
    """The share of an action before and now, where it is half as much again and by three hundredths, or so much less.

    The distance must also be four times what chance would make of a sample of this size.
    """
    before, after = sum(reference.values()), sum(now.values())
    if before < _SAMPLE or after < _SAMPLE:
        return None
    p, q = reference.get(action, 0) / before, now.get(action, 0) / after
    chance = (max(p, 1 / before) * (1 - p) / after) ** 0.5
    far = abs(q - p) >= 0.03 and (q >= 1.5 * p or p >= 1.5 * q) and abs(q - p) > 4 * chance
    return (round(p, 4), round(q, 4)) if far else None
