"""The figures of detection, by hand-made examples."""

import pytest

from risk import measures

SCORES = [0.9, 0.8, 0.7, 0.6, 0.5]
FRAUD = [1, 0, 1, 0, 0]


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    assert measures.auc(SCORES, FRAUD) == pytest.approx(5 / 6)


def test_average_precision_weighs_by_recall() -> None:
    assert measures.average_precision(SCORES, FRAUD) == pytest.approx((1 + 2 / 3) / 2)


def test_ties_count_together_whatever_their_order() -> None:
    assert measures.auc([1, 1, 1, 1], [1, 0, 1, 0]) == 0.5
    assert measures.average_precision([1, 1], [1, 0]) == measures.average_precision([1, 1], [0, 1]) == 0.5


def test_recall_where_a_share_of_honest_payments_is_flagged() -> None:
    scores = [2.0, 0.5, *(n / 1000 for n in range(1000))]
    fraud = [1, 1, *[0] * 1000]
    assert measures.threshold(scores, fraud, 0.001) == 0.999
    assert measures.recall_at(scores, fraud, 0.001) == 0.5


def test_card_precision_counts_a_card_once_a_day() -> None:
    scores, fraud = [0.9, 0.8, 0.7, 0.6], [0, 1, 1, 0]
    assert measures.card_precision(scores, fraud, cards=[1, 1, 2, 3], days=[1, 1, 1, 1], top=2) == 1
    assert measures.card_precision(scores, fraud, cards=[1, 1, 2, 3], days=[1, 1, 1, 2], top=2) == 0.5


def test_nothing_to_judge_is_zero() -> None:
    assert measures.auc([], []) == measures.average_precision([], []) == measures.recall_at([], [], 0.1) == 0
    assert measures.card_precision([], [], [], [], 100) == 0
