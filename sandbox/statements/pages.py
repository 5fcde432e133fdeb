"""A statement as its provider plugs it in: the true rows of a day, how one is read, and how one is changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Any, Generic, TypeVar

from sandbox.provider import World

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen:
    """A row in plain words. `key` is the provider's own name of the movement, `kind` payment, refund, payout or other.

    `amount` is signed as the merchant sees it, `fee` what the provider keeps; minor units. `payer` is a deposit's.
    """

    key: str
    kind: str
    reference: str
    amount: int
    fee: int
    currency: str
    moved_at: float
    payer: str = ""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`change(row, what)` takes amount, fee, currency, state, moved_at, key, reference and more text, what is named.

    `row_kinds` and `file_kinds` are the faults that this statement can bear, `begins` tells when a day of it begins.
    """

    rows: Callable[[World, str, date], list[T]]
    seen: Callable[[T], Seen]
    change: Callable[[T, Mapping[str, Any]], T]
    begins: Callable[[date], float]
    row_kinds: Sequence[str]
    file_kinds: Sequence[str]
    # a row out of nothing; without it, one is made after another of the day
    invented: Callable[[World, str, date, Random], T] | None = None
    # whether sums inside the file give away a changed amount
    has_totals: bool = True
    # whether a row stands in the file of the day of its `moved_at`
    by_moment: bool = True
