"""In what order a decision stores its signals, and how. Pure.

Their names would be three quarters of what is stored. So a decision stores numbers, and which layout they follow: the
names, one a line, of `shipped/signals-<layout>.txt`. A layout never changes, for decisions were stored by it. Who adds
a signal, or takes one away, writes the next layout and takes it for the newest.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from math import nan
from pathlib import Path
from typing import Any, TypeAlias

NEWEST = 1
_FOLDER = Path(__file__).parent / "shipped"
_WHOLE = ("_count_", "_sum_", "_distinct_", "_total", "_streak", "amount_median")

Number: TypeAlias = int | str
"""As it is stored: whole, or with six digits. "" is what was not known."""


@cache
def names(layout: int) -> tuple[str, ...]:
    return tuple((_FOLDER / f"signals-{layout}.txt").read_text(encoding="utf-8").split())


PLACES: Mapping[str, int] = {name: place for place, name in enumerate(names(NEWEST))}
"""Of the newest layout."""

# What counts and adds up is whole however large it is.
_FORMAT = ",".join(
    "%.0f" if name == "amount" or any(part in name for part in _WHOLE) else "%.6g" for name in PLACES
)


def told(signals: Mapping[str, float | None]) -> dict[str, Any]:
    """The part of a decision's inputs that holds them: the same bytes for the same numbers."""
    numbers = [nan if value is None else value for value in map(signals.get, PLACES)]
    return {"layout": NEWEST, "signals": (_FORMAT % tuple(numbers)).replace("nan", "")}


def read(inputs: Mapping[str, Any]) -> Sequence[Number]:
    """What a decision stored, by the places of the newest layout."""
    stored = inputs.get("signals", {})
    if isinstance(stored, str) and inputs["layout"] == NEWEST:
        return stored.split(",")
    known = named(inputs)
    return [known.get(name, "") for name in PLACES]


def named(inputs: Mapping[str, Any]) -> dict[str, Number]:
    """All that was known, by name. Decisions without histories, and those of before there were layouts, kept names."""
    stored = inputs.get("signals") or {}
    if isinstance(stored, str):
        stored = dict(zip(names(inputs["layout"]), stored.split(","), strict=True))
    return {name: value for name, value in stored.items() if value != ""}
