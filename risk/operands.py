"""A field that an expression may name: its type, and how it is read from a decision's inputs. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from risk import layouts
from risk.layouts import Number


class Asked(NamedTuple):
    """What fields are read from: the decision's inputs, some parts of them, and CNY minor units (None: no rate)."""

    inputs: Mapping[str, Any]
    facts: Mapping[str, Any]
    signals: Sequence[Number]  # by their places in `layouts.PLACES`
    amount_cny: int | None


def asked(
    inputs: Mapping[str, Any], amount_cny: int | None, signals: Sequence[Number] | None = None
) -> Asked:
    """`signals` are those of `inputs`, of who has read them already."""
    read = layouts.read(inputs) if signals is None else signals
    return Asked(inputs, inputs["facts"], read, amount_cny)


class Field(NamedTuple):
    """`kind` is bool, int, float or str."""

    kind: type
    read: Callable[[Asked], Any]


Fields: TypeAlias = Mapping[str, Field]  # of a group, by name
