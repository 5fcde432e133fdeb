"""Signals as a decision stores them, and as rules name them. Pure.

Stored are whole numbers, and others as six digits in text, so that the same content is the same bytes. What is not
known is left out, and so are counts of zero: `histories` says which kinds were looked at.
"""

from collections.abc import Iterable
from typing import Any

from risk import geography
from risk.features import whole
from risk.operands import Asked, Field, Fields
from risk.signals import GROUPS, Signals

_EXACT = 2**53  # whole numbers below it are told apart
UNKNOWN = -1.0  # what a rule reads where there is no answer
NAMES: tuple[str, ...] = (*GROUPS, *geography.NAMES)
_NEVER_UNKNOWN = ("_count_", "_sum_", "_distinct_", "_total", "_fraud_streak")
_WINDOWED = ("_count_", "_sum_", "_distinct_")
_COUNTED = frozenset(name for name in GROUPS if any(part in name for part in _NEVER_UNKNOWN))


def pack(signals: Signals, kinds: Iterable[str]) -> dict[str, Any]:
    """The part of a decision's inputs that holds them."""
    kept = {
        name: int(value) if value.is_integer() and -_EXACT < value < _EXACT else format(value, ".6g")
        for name, value in signals.items()
        if value is not None and (value or name not in _COUNTED)
    }
    return {"signals": kept, "histories": sorted(kinds)}


def _signal(name: str) -> Field:
    looked_at = GROUPS[name] if name in _COUNTED else ""

    def read(asked: Asked) -> float:
        stored = asked.signals.get(name)
        if stored is not None:
            return float(stored)
        return 0.0 if looked_at and looked_at in asked.inputs.get("histories", ()) else UNKNOWN

    return Field(float, read)


def _velocity(name: str) -> Field:
    """A count or sum with the payment that is being asked about; how many different ones before it."""
    is_count, is_sum = "_count_" in name, "_sum_" in name
    signal = SIGNAL[name].read

    def read(asked: Asked) -> int:
        before = signal(asked)
        if before < 0:
            return 0
        more = 1 if is_count else (asked.amount_cny or 0) if is_sum else 0
        return whole(int(before) + more)

    return Field(int, read)


# What a rule may name as `signal.…`: `UNKNOWN` where there was no answer.
SIGNAL: Fields = {name: _signal(name) for name in NAMES}
# And as `velocity.…`.
VELOCITY: Fields = {
    name: _velocity(name)
    for name in GROUPS
    if any(part in name for part in _WINDOWED) and "_unusual_" not in name and "_fraud_" not in name
}
