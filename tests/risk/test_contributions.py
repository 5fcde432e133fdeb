"""One payment's reasons are looked up; LightGBM, asked about the same rows, says the same."""

import random
from collections.abc import Iterator
from itertools import chain, islice
from math import inf, nan
from threading import Thread

import lightgbm
import numpy as np
import pytest

from risk import starting_model
from risk.contributions import Table
from risk.learning import PLAIN, Scorer, matrix

SHIPPED = starting_model.read()


def learnt(*, unknown: bool, **others: float | str) -> str:
    """A small model of three columns; one that was never asked about what is `unknown` takes that for 0."""
    chance = np.random.default_rng(3)
    rows = chance.normal(size=(2000, 3))
    answers = (rows[:, 0] * rows[:, 1] > 0.2) | (rows[:, 2] > 1)
    if unknown:
        rows[chance.random(size=rows.shape) < 0.2] = nan
    given = {"objective": "binary", "num_leaves": 8, "verbose": -1, "num_threads": 1, **others}
    text: str = lightgbm.train(given, lightgbm.Dataset(rows, answers), 20).model_to_string()
    return text


def rows_for(text: str, columns: int) -> Iterator[list[float]]:
    """Values at every threshold, a step beside it, zeros and unknowns, shuffled."""
    chance = random.Random(7)
    near: dict[int, list[float]] = {column: [0.0, 1.0, -1.0, 1e30] for column in range(columns)}
    asked, found = None, ""
    for line in text.splitlines():
        name, _, values = line.partition("=")
        if name == "split_feature":
            found = values
        if name == "threshold":
            for column, threshold in zip(found.split(), map(float, values.split()), strict=True):
                asked = min(threshold, 1e30)
                near[int(column)] += [asked, np.nextafter(np.float32(asked), np.float32(inf)).item()]
    for _ in range(1000):
        yield [nan if chance.random() < 0.2 else chance.choice(near[column]) for column in range(columns)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (SHIPPED.text, SHIPPED.names),
        (learnt(unknown=True), ("amount", "hour", "weekday")),
        (learnt(unknown=False), ("amount", "hour", "weekday")),
        (learnt(unknown=True, num_leaves=3), ("amount", "hour", "weekday")),
        (
            learnt(unknown=True, min_data_in_leaf=1500),
            ("amount", "hour", "weekday"),
        ),  # a tree without a split
    ],
)
def test_what_is_looked_up_is_what_lightgbm_says(text: str, names: tuple[str, ...]) -> None:
    slow, quick = Scorer(text, names), Scorer(text, names).prepare()
    assert quick.looks_up
    rows = list(rows_for(text, len(names)))
    for row, told in zip(
        rows, slow.answers(matrix(list(chain.from_iterable(rows)), len(names))), strict=True
    ):
        answer = quick.answer(row)
        assert answer.base == pytest.approx(told.base)
        assert answer.score == pytest.approx(told.score)
        assert dict(answer.groups) == pytest.approx(dict(told.groups), abs=1e-9)


@pytest.mark.parametrize("others", [PLAIN, {"zero_as_missing": "true"}])
def test_other_trees_are_left_to_lightgbm(others: dict[str, float | str]) -> None:
    quick = Scorer(learnt(unknown=True, **others), ("amount", "hour", "weekday")).prepare()
    assert not quick.looks_up
    for row in ([0.3, nan, 2.0], [-1.0, 0.0, 0.5]):
        assert quick.answer(row) == quick.answers(matrix(row, 3))[0]


def test_a_group_has_the_sum_of_its_columns() -> None:
    told = np.array([[1.0, 2.0, 4.0, 8.0]])
    text = (
        "tree\n\nTree=0\nnum_leaves=2\nsplit_feature=2\nthreshold=1\ndecision_type={kind}\n\nend of trees\n"
    )
    table = Table.of(text.format(kind=8), 3, [[0, 2], [1]], lambda rows, tree: told)
    assert table is not None
    assert table.points([nan, 0.0, 5.0]) == [5.0, 2.0, 8.0]
    assert Table.of(text.format(kind=9), 3, [[0, 2], [1]], lambda rows, tree: told) is None  # by category


def test_who_answers_and_who_prepares_do_not_meet() -> None:
    """LightGBM keeps in a model which of its trees are asked: asked for one tree after another, it would answer others
    by those alone, and they would spoil the table."""
    rows = list(islice(rows_for(SHIPPED.text, len(SHIPPED.names)), 20))
    exact = Scorer(SHIPPED.text, SHIPPED.names).answers(matrix(list(chain(*rows)), len(SHIPPED.names)))
    for _ in range(3):
        asked = Scorer(SHIPPED.text, SHIPPED.names)
        preparing = Thread(target=asked.prepare)
        preparing.start()
        meanwhile = [asked.answer(row).score for _ in _while(preparing) for row in rows]
        assert asked.looks_up
        assert meanwhile == pytest.approx([one.score for one in exact] * (len(meanwhile) // len(rows)))
        assert [asked.answer(row).score for row in rows] == pytest.approx([one.score for one in exact])


def _while(thread: Thread) -> Iterator[None]:
    while thread.is_alive():
        yield
