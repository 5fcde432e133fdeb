"""Signals as a decision stores them, and as rules name them. Pure."""

from collections.abc import Iterable
from typing import Any

from risk import geography, layouts
from risk.features import whole
from risk.layouts import PLACES
from risk.operands import Asked, Field, Fields
from risk.signals import GROUPS, Signals

UNKNOWN = -1.0  # what a rule reads where there is no answer
NAMES: tuple[str, ...] = (*GROUPS, *geography.NAMES)
_NEVER_UNKNOWN = ("_count_", "_sum_", "_distinct_", "_total", "_fraud_streak")
_WINDOWED = ("_count_", "_sum_", "_distinct_")
# Decisions of before there were layouts left out what was zero, too, of the kinds that they looked at.
_COUNTED = frozenset(name for name in GROUPS if any(part in name for part in _NEVER_UNKNOWN))


def pack(signals: Signals, kinds: Iterable[str]) -> dict[str, Any]:
    """The part of a decision's inputs that holds them, and which kinds of histories were looked at."""
    return {**layouts.told(signals), "histories": sorted(kinds)}


def _signal(name: str) -> Field:
    place, looked_at = PLACES[name], GROUPS[name] if name in _COUNTED else ""

    def read(asked: Asked) -> float:
        stored = asked.signals[place]
        if stored != "":
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
