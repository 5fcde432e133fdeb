"""LightGBM: how a model is trained, and what it answers. Pure; it reads and writes LightGBM's text format only.

One seed and one thread: the same rows give the same text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import Any, Self

import lightgbm
import numpy as np
from numpy.typing import NDArray

from risk.contributions import Table
from risk.examples import Examples
from risk.signals import GROUPS

Matrix = NDArray[np.float32]

_SURE = {"verbose": -1, "num_threads": 1, "deterministic": True, "force_row_wise": True, "seed": 7}
# Frauds are rare and their amounts rarer: bins are narrow, so that the largest amounts keep a bin of their own.
PARAMETERS = {
    "objective": "binary",
    "learning_rate": 0.03,
    "num_leaves": 8,
    "max_bin": 4095,
    "min_data_in_bin": 1,
    "min_data_in_leaf": 5,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
}
ROUNDS = 300
# What a boosted-tree model is without thought.
PLAIN = {"objective": "binary", "learning_rate": 0.1, "num_leaves": 31}
PLAIN_ROUNDS = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """`score` is in log odds: the `base` of everybody plus the groups' points."""

    score: float
    base: float
    groups: tuple[tuple[str, float], ...]  # the largest first

    @property
    def probability(self) -> float:
        return 1 / (1 + exp(-self.score))


class Scorer:
    """A trained model with the names of what it looks at."""

    def __init__(self, text: str, names: Sequence[str]) -> None:
        self._text, self._booster = text, lightgbm.Booster(model_str=text)
        if self._booster.num_feature() != len(names):
            raise ValueError("the model looks at another number of signals than its schema names")
        self.names = tuple(names)
        self._groups: dict[str, list[int]] = {}
        for place, name in enumerate(names):
            self._groups.setdefault(GROUPS.get(name, "other"), []).append(place)
        self._table: Table | None = None

    def prepare(self) -> Self:
        """Be quick to `answer`: takes a tenth of a second, and changes nothing of what is answered.

        LightGBM keeps in a booster which of its trees are asked, so it is another one that is asked for single trees:
        threads may ask this one meanwhile.
        """
        apart = lightgbm.Booster(model_str=self._text)
        self._table = Table.of(
            self._text,
            len(self.names),
            list(self._groups.values()),
            lambda rows, tree: _contributions(apart, rows, first=tree, count=1),
        )
        return self

    @property
    def looks_up(self) -> bool:
        return self._table is not None

    def scores(self, rows: Matrix) -> list[float]:
        found: list[float] = np.asarray(self._booster.predict(rows, raw_score=True, num_threads=1)).tolist()
        return found

    def answers(self, rows: Matrix) -> list[Answer]:
        """The scores with their reasons: what each group of signals added."""
        return [
            self._answer(
                [*(sum(row[place] for place in places) for places in self._groups.values()), row[-1]]
            )
            for row in _contributions(self._booster, rows).tolist()
        ]

    def answer(self, row: Sequence[float]) -> Answer:
        """The same of one row, for whom there is no time."""
        if len(row) != len(self.names):
            raise ValueError("a row has as many numbers as the model's schema has names")
        if self._table is None:
            return self.answers(matrix(row, len(row)))[0]
        return self._answer(self._table.points(row))

    def _answer(self, points: list[float]) -> Answer:
        """`points` are those of the groups, and everybody's."""
        base = points.pop()
        groups = sorted(zip(self._groups, points, strict=True), key=lambda group: -group[1])
        return Answer(base + sum(points), base, tuple(groups))


def _contributions(
    booster: lightgbm.Booster, rows: NDArray[Any], first: int = 0, count: int = -1
) -> NDArray[np.float64]:
    """What each column adds to each row, and what everybody has; of `count` trees from the `first` on."""
    return np.asarray(
        booster.predict(rows, pred_contrib=True, num_threads=1, start_iteration=first, num_iteration=count)
    )


def matrix(values: Sequence[float], columns: int) -> Matrix:
    return np.asarray(values, dtype=np.float32).reshape(-1, columns)


def signals_of(examples: Examples) -> Matrix:
    return np.frombuffer(examples.values, dtype=np.float32).reshape(-1, len(examples.names))


def train(rows: Matrix, fraud: Sequence[int], *, plain: bool = False) -> str:
    """The model in LightGBM's text format."""
    data = lightgbm.Dataset(rows, np.asarray(fraud))
    booster = lightgbm.train(
        {**_SURE, **(PLAIN if plain else PARAMETERS)}, data, PLAIN_ROUNDS if plain else ROUNDS
    )
    text: str = booster.model_to_string()
    return text
