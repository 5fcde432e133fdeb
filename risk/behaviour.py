"""How a form was filled in, as a decision keeps it and as rules name it. Pure.

Most of it is what a browser says, so it may be left out or made up: what is absurd is cut, what is missing is not
known, and no rule may lower a score by it (`policies` refuses one).
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from risk.facts import BehaviourFacts

UNKNOWN = -1  # what a rule reads where nobody measured
_COUNTED = ("address_changes", "coupon_attempts")  # by the server: never unknown
_MOST = {
    "seconds_on_page": 24 * 3600,
    "keystrokes": 10_000,
    "keystroke_ms": 60_000,
    "pastes": 1_000,
    "address_changes": 1_000,
    "coupon_attempts": 1_000,
}
NAMES = tuple(one.name for one in fields(BehaviourFacts))


def inputs_of(facts: BehaviourFacts) -> dict[str, int | None]:
    """What is stored with the decision; a negative figure is none."""
    return {name: _cut(name, getattr(facts, name)) for name in NAMES}


def variables(stored: Mapping[str, Any]) -> dict[str, int]:
    """What a rule may name as `behaviour.…`; decisions from before it was measured know nothing."""
    return {name: _read(stored.get(name), 0 if name in _COUNTED else UNKNOWN) for name in NAMES}


def _read(value: int | None, unknown: int) -> int:
    return unknown if value is None else value


def _cut(name: str, value: int | None) -> int | None:
    if value is None or value < 0:
        return None
    return min(int(value), _MOST[name])
