"""LightGBM: how a model is trained, and what it answers. Pure; it reads and writes LightGBM's text format only.

One seed and one thread: the same rows give the same text.
"""

import ctypes
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from weakref import finalize

import lightgbm
import numpy as np
from lightgbm.basic import LightGBMError
from lightgbm.libpath import _LIB
from numpy.typing import NDArray

from risk.examples import Examples
from risk.signals import GROUPS

Matrix = NDArray[np.float32]

# Of LightGBM's C interface, which tells what a caller passes by number.
_CONTRIBUTIONS, _FLOAT32 = 3, 0

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
        self._booster = lightgbm.Booster(model_str=text)
        if self._booster.num_feature() != len(names):
            raise ValueError("the model looks at another number of signals than its schema names")
        self.names = tuple(names)
        self._one = _OneRow(text, len(names))
        self._groups: dict[str, list[int]] = {}
        for place, name in enumerate(names):
            self._groups.setdefault(GROUPS.get(name, "other"), []).append(place)

    def scores(self, rows: Matrix) -> list[float]:
        found: list[float] = np.asarray(self._booster.predict(rows, raw_score=True, num_threads=1)).tolist()
        return found

    def answers(self, rows: Matrix) -> list[Answer]:
        """The scores with their reasons: what each group of signals added."""
        points = np.asarray(self._booster.predict(rows, pred_contrib=True, num_threads=1))
        return [self._answer(row) for row in points.tolist()]

    def answer(self, row: Sequence[float]) -> Answer:
        """The same of one row, for whom there is no time: a matrix takes several times as long to be asked about."""
        return self._answer(self._one.points(row))

    def _answer(self, points: list[float]) -> Answer:
        groups = [(name, sum(points[place] for place in places)) for name, places in self._groups.items()]
        groups.sort(key=lambda group: -group[1])
        base = points[-1]
        return Answer(base + sum(value for _, value in groups), base, tuple(groups))


class _OneRow:
    """A model that answers a row at a time, all that does not change between two rows prepared.

    This is LightGBM's own C interface for that purpose, which its Python package does not offer.
    """

    def __init__(self, text: str, columns: int) -> None:
        self._columns = columns
        self._model, self._prepared = ctypes.c_void_p(), ctypes.c_void_p()
        iterations = ctypes.c_int()
        _call(
            "LGBM_BoosterLoadModelFromString",
            text.encode(),
            ctypes.byref(iterations),
            ctypes.byref(self._model),
        )
        _call(
            "LGBM_BoosterPredictForMatSingleRowFastInit",
            *(
                self._model,
                ctypes.c_int(_CONTRIBUTIONS),
                ctypes.c_int(0),
                ctypes.c_int(-1),
                ctypes.c_int(_FLOAT32),
            ),
            *(ctypes.c_int32(columns), b"num_threads=1", ctypes.byref(self._prepared)),
        )
        finalize(self, _call, "LGBM_BoosterFree", self._model)
        finalize(self, _call, "LGBM_FastConfigFree", self._prepared)  # the last comes first

    def points(self, row: Sequence[float]) -> list[float]:
        """What each column added, and what everybody has."""
        if len(row) != self._columns:
            raise ValueError("a row has as many numbers as the model's schema has names")
        values, found = array("f", row), (ctypes.c_double * (self._columns + 1))()
        address, _ = values.buffer_info()
        length = ctypes.c_int64()
        _call(
            "LGBM_BoosterPredictForMatSingleRowFast",
            *(self._prepared, ctypes.c_void_p(address), ctypes.byref(length), found),
        )
        return list(found)


def _call(function: str, *args: object) -> None:
    if getattr(_LIB, function)(*args):
        raise LightGBMError(_LIB.LGBM_GetLastError().decode())


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
