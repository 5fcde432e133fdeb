"""How a form was filled in, as a decision keeps it and as rules name it. Pure.

Most of it is what a browser says, so it may be left out or made up: what is absurd is cut, what is missing is not
known, and no rule may lower a score by it (`policies` refuses one).
"""

from dataclasses import fields

from risk.facts import BehaviourFacts
from risk.operands import Asked, Field, Fields

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


def _cut(name: str, value: int | None) -> int | None:
    if value is None or value < 0:
        return None
    return min(int(value), _MOST[name])


def _field(name: str) -> Field:
    unknown = 0 if name in _COUNTED else UNKNOWN

    def read(asked: Asked) -> int:
        value: int | None = asked.facts.get("behaviour", {}).get(name)
        return unknown if value is None else value

    return Field(int, read)


# What a rule may name as `behaviour.…`; decisions from before it was measured know nothing.
FIELDS: Fields = {name: _field(name) for name in NAMES}
