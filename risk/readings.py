"""Signals as a decision stores them, and as rules name them. Pure.

Stored are whole numbers, and others as six digits in text, so that the same content is the same bytes. What is not
known is left out, and so are counts of zero: `histories` says which kinds were looked at.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from risk import geography
from risk.features import Inputs, whole
from risk.signals import GROUPS, Signals

_EXACT = 2**53  # whole numbers below it are told apart
UNKNOWN = -1.0  # what a rule reads where there is no answer
NAMES: tuple[str, ...] = (*GROUPS, *geography.NAMES)
_NEVER_UNKNOWN = ("_count_", "_sum_", "_distinct_", "_total", "_fraud_streak")
_WINDOWED = ("_count_", "_sum_", "_distinct_")
_COUNTED = frozenset(name for name in GROUPS if any(part in name for part in _NEVER_UNKNOWN))
VELOCITY: tuple[str, ...] = tuple(
    name
    for name in GROUPS
    if any(part in name for part in _WINDOWED) and "_unusual_" not in name and "_fraud_" not in name
)
# What rules may read of each group; as keys, for their order and for looking up.
GROUPED = {"signal": dict.fromkeys(NAMES), "velocity": dict.fromkeys(VELOCITY)}


def pack(signals: Signals, kinds: Iterable[str]) -> dict[str, Any]:
    """The part of a decision's inputs that holds them."""
    kept = {
        name: int(value) if value.is_integer() and -_EXACT < value < _EXACT else format(value, ".6g")
        for name, value in signals.items()
        if value is not None and (value or name not in _COUNTED)
    }
    return {"signals": kept, "histories": sorted(kinds)}


def signal(inputs: Inputs, name: str) -> float:
    """One signal of a stored decision; `UNKNOWN` where there was no answer."""
    stored: Mapping[str, int | str] = inputs.get("signals") or {}
    if name in stored:
        return float(stored[name])
    looked = name in _COUNTED and GROUPS[name] in inputs.get("histories", ())
    return 0.0 if looked else UNKNOWN


def velocity(inputs: Inputs, name: str, amount_cny: int | None) -> int:
    """A count or sum with the payment that is being asked about; how many different ones before it."""
    before = signal(inputs, name)
    if before < 0:
        return 0
    more = 1 if "_count_" in name else (amount_cny or 0) if "_sum_" in name else 0
    return whole(int(before) + more)
