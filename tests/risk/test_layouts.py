"""How decisions store their signals: by place, exactly as far as they are told, and readable for good."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk import layouts, readings
from risk.operands import asked
from risk.signals import Signals

WHOLE = {
    name
    for name in readings.NAMES
    if name in ("amount", "customer_amount_median")
    or any(part in name for part in ("_count_", "_sum_", "_distinct_", "_total", "_streak"))
}
COUNT, SHARE, SUM = "card_count_1h", "customer_fraud_rate_28d", "customer_sum_30d"
# Of each layout that decisions were stored by. Who adds a signal writes the next one: shipped/signals-2.txt.
WRITTEN = {1: "c5812b75"}


def test_the_newest_holds_every_signal() -> None:
    assert sorted(layouts.PLACES) == sorted(readings.NAMES), (
        "write the next layout, and take it for the newest"
    )


def test_none_ever_changes() -> None:
    told = {one: hashlib.sha256(" ".join(layouts.names(one)).encode()).hexdigest()[:8] for one in WRITTEN}
    assert told == WRITTEN and max(WRITTEN) == layouts.NEWEST


def test_what_was_not_known_is_told_from_nothing() -> None:
    stored = layouts.told({COUNT: 0.0, SHARE: None})
    assert stored["signals"].count(",") == len(layouts.PLACES) - 1
    assert layouts.named(stored) == {COUNT: "0"}
    read = layouts.read(stored)
    assert (read[layouts.PLACES[COUNT]], read[layouts.PLACES[SHARE]]) == ("0", "")


@given(st.dictionaries(st.sampled_from(readings.NAMES), st.none() | st.floats(-1e12, 1e12)))
def test_six_digits_are_kept(signals: Signals) -> None:
    named = layouts.named(layouts.told(signals))
    assert set(named) == {name for name, value in signals.items() if value is not None}
    for name, text in named.items():
        exact = signals[name] or 0.0
        whole = name in WHOLE
        assert abs(float(text) - exact) <= (0.5 if whole else 6e-6 * abs(exact)), name


@given(st.integers(0, 2**53))
def test_counts_and_sums_are_whole_however_large(value: int) -> None:
    named = layouts.named(layouts.told({COUNT: float(value), SUM: float(value), "amount": float(value)}))
    assert set(named.values()) == {str(value)}


@given(st.dictionaries(st.sampled_from(readings.NAMES), st.integers(0, 10**5).map(float)))
def test_rules_read_the_same_of_places_and_of_names(signals: Signals) -> None:
    by_place = {"facts": {}, "histories": [], **layouts.told(signals)}
    by_name = {"facts": {}, "histories": [], "signals": layouts.named(by_place)}
    for fields in (readings.SIGNAL, readings.VELOCITY):
        for name, field in fields.items():
            assert field.read(asked(by_place, 1)) == field.read(asked(by_name, 1)), name


def test_a_decision_of_another_layout_is_read_by_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "signals-0.txt").write_text(f"no_longer_told\n{SUM}\n{COUNT}\n")
    monkeypatch.setattr(layouts, "_FOLDER", tmp_path)
    old = {"layout": 0, "signals": "7,,30"}
    assert layouts.named(old) == {"no_longer_told": "7", COUNT: "30"}
    read = layouts.read(old)
    assert len(read) == len(layouts.PLACES)
    assert (read[layouts.PLACES[COUNT]], read[layouts.PLACES[SUM]]) == ("30", "")


def test_a_decision_without_any_knows_none() -> None:
    assert layouts.named({}) == {} and set(layouts.read({})) == {""}
