"""What each group of signals adds, of a model of small trees: all that its trees can answer, asked once. Pure.

A tree of so few splits gives so few answers that LightGBM is asked for all of them when the model is loaded. Of a row,
each tree's answer is then one line of a table. (LightGBM walks through every tree for every subset of signals; that
takes six times as long.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isnan, nan
from typing import Self

import numpy as np
from numpy.typing import NDArray

MOST_SPLITS = 7
_CODES = 2**MOST_SPLITS
_WIDTH = 8  # bits of a byte: the last one is of no split
_BY_DEFAULT_LEFT, _MISSING, _CATEGORICAL = 2, 12, 1  # of LightGBM's decision_type
_NONE_MISSES, _NAN_MISSES = 0, 8

Rows = NDArray[np.float64]
Contributions = Callable[[Rows, int], Rows]
"""What LightGBM answers for rows by one tree: what each column adds, and what everybody has."""


@dataclass(frozen=True, slots=True)
class Split:
    """One question of a tree: is this column's value at most the threshold? Left is yes."""

    column: int
    threshold: float
    unknown_is_left: bool

    def is_left(self, value: float) -> bool:
        return self.unknown_is_left if isnan(value) else value <= self.threshold


class Table:
    """Every answer of every tree, by what its splits say."""

    def __init__(self, trees: Sequence[Sequence[Split]], points: Rows) -> None:
        padded = [[*tree, *[None] * (_WIDTH - len(tree))] for tree in trees]
        splits = [split for tree in padded for split in tree]
        self._columns = np.array([split.column if split else 0 for split in splits])
        # Signals are rounded to 32 bits; what is at most this threshold is at most the exact one.
        self._thresholds = _down([split.threshold if split else -inf for split in splits])
        self._unknown_left = np.array([bool(split and split.unknown_is_left) for split in splits])
        self._first = np.arange(len(trees)) * _CODES
        self._points = points

    @classmethod
    def of(cls, text: str, columns: int, groups: Sequence[Sequence[int]], ask: Contributions) -> Self | None:
        """The table of a model in LightGBM's text format, and with its answers; None where trees are too large.

        Each group (of columns) has a column of the table, and the last one is everybody's.
        """
        trees = _trees(text)
        if trees is None:
            return None
        belongs = np.zeros((columns + 1, len(groups) + 1))
        for place, members in enumerate([*groups, [columns]]):
            belongs[list(members), place] = 1
        points = np.full((len(trees), _CODES, len(groups) + 1), nan)
        for number, tree in enumerate(trees):
            codes, rows = _cases(tree, columns)
            points[number, codes] = ask(rows, number) @ belongs
        return cls(trees, points.reshape(-1, len(groups) + 1))

    def points(self, row: Sequence[float]) -> list[float]:
        """What each group adds, in their order, and what everybody has."""
        asked = np.array(row, dtype=np.float32).take(self._columns)
        left = asked <= self._thresholds
        left |= np.isnan(asked) & self._unknown_left
        lines = np.packbits(left, bitorder="little") + self._first
        found: list[float] = self._points.take(lines, axis=0).sum(axis=0).tolist()
        return found


def _down(exact: Sequence[float]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        near = np.array(exact, dtype=np.float32)
    return np.where(near > np.array(exact), np.nextafter(near, np.float32(-inf)), near)


def _cases(tree: Sequence[Split], columns: int) -> tuple[NDArray[np.intp], Rows]:
    """Every combination of answers that a row can bring about, as a number whose bits they are, and such a row."""
    used = sorted({split.column for split in tree})
    kinds = [_kinds(tree, column) for column in used]
    shape = tuple(map(len, kinds))
    codes, rows = np.zeros(shape, dtype=np.intp), np.zeros((*shape, columns))
    for axis, (column, kind) in enumerate(zip(used, kinds, strict=True)):
        along = [-1 if place == axis else 1 for place in range(len(used))]
        codes += np.reshape(list(kind), along)
        rows[..., column] = np.reshape(list(kind.values()), along)
    return codes.ravel(), rows.reshape(-1, columns)


def _kinds(tree: Sequence[Split], column: int) -> dict[int, float]:
    """A value of each kind that the splits on a column tell apart, by their bits."""
    splits = [(1 << bit, split) for bit, split in enumerate(tree) if split.column == column]
    values = [nan, *(split.threshold for _, split in splits), inf]
    return {sum(bit for bit, split in splits if split.is_left(value)): value for value in values}


def _trees(text: str) -> list[list[Split]] | None:
    """None where a tree has more splits than a table holds, or of another kind."""
    trees = []
    for block in text.split("\nend of trees", maxsplit=1)[0].split("\nTree=")[1:]:
        told = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        if int(told["num_leaves"]) - 1 > MOST_SPLITS:
            return None
        asked = zip(
            told.get("split_feature", "").split(),
            told.get("threshold", "").split(),
            map(int, told.get("decision_type", "").split()),
            strict=True,
        )
        splits = [_split(int(column), float(threshold), kind) for column, threshold, kind in asked]
        if None in splits:
            return None
        trees.append([split for split in splits if split])
    return trees


def _split(column: int, threshold: float, kind: int) -> Split | None:
    missing = kind & _MISSING
    if kind & _CATEGORICAL or missing not in (_NONE_MISSES, _NAN_MISSES):
        return None
    # Where nothing was missing in training, what is unknown counts as 0.
    left = bool(kind & _BY_DEFAULT_LEFT) if missing == _NAN_MISSES else threshold >= 0
    return Split(column, threshold, left)
