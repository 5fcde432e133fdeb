"""What is remembered of one entity, and what it says about the next payment."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.history import DAY, DAYS, HOUR, MINUTE, RING, Bucket, Event, History, NotAHistory, mark
from risk.signals import GROUPS, LABEL_WINDOWS, is_plain, ratio_of, signals

START = 1_700_000_000_000 // DAY * DAY


def told(*events: Event) -> History:
    history = History()
    for event in events:
        history.observe(event)
    return history


def every(step: int, count: int, amount: int = 10_000, **marks: int) -> list[Event]:
    return [Event(START + step * n, amount, **marks) for n in range(count)]


_EVENTS = st.lists(
    st.builds(
        Event,
        at=st.integers(START, START + 90 * DAY),
        amount=st.integers(0, 10**9),
        ratio=st.integers(0, 65_535),
        customer=st.integers(0, 2**32 - 1),
        card=st.integers(0, 3),
        device=st.integers(0, 3),
        address=st.integers(0, 3),
        merchant=st.integers(0, 3),
    ),
    max_size=200,
)


@given(_EVENTS)
def test_dump_and_load_answer_alike(events: list[Event]) -> None:
    history = told(*events)
    history.outcome(START + DAY, plain=True)
    loaded = History.load(history.dump())
    now = START + 91 * DAY
    asked = Event(now, 12_345)
    assert loaded.dump() == history.dump()
    assert signals(now, asked, {"customer": loaded, "card": loaded}) == signals(
        now, asked, {"customer": history, "card": history}
    )


@given(_EVENTS)
def test_running_sums_are_those_of_the_ring(events: list[Event]) -> None:
    history = told(*events[:100])
    assert len(history.spread.ordered) == len(history.times)  # from now on it is kept up to date
    for event in events[100:]:
        history.observe(event)
    assert list(history.times) == sorted(history.times)
    assert list(history.amounts) == [event.amount for event in history.events]
    assert history.spread.ordered == sorted(history.amounts)
    assert history.spread.sum == sum(history.amounts)
    assert history.spread.squares == sum(amount * amount for amount in history.amounts)


def test_a_history_is_bounded() -> None:
    history = told(*every(HOUR, 100 * 24))
    assert len(history.times) == RING
    assert len(history.days) == DAYS
    assert history.total == 2400
    assert len(history.dump()) < 8_000


def test_payments_older_than_sixty_days_are_dropped_one_by_one() -> None:
    history = told(Event(START, 1), Event(START + 61 * DAY, 2))
    assert history.amounts == [2]
    assert history.first_at == START


@pytest.mark.parametrize("data", [b"", b"\x02" * 40, told(*every(DAY, 3)).dump()[:-1], b"{}" * 9])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(NotAHistory):
        History.load(data)


def test_a_payment_that_comes_late_is_put_where_it_belongs() -> None:
    events = every(MINUTE, 10)
    late = deque(events)
    late.rotate(3)
    assert told(*late).dump() == told(*events).dump()


def test_a_record_has_one_length() -> None:
    event = Event(START, 5, 100, 1, 2, 3, 4, 2**32 - 1)
    assert Event.unpack(event.pack()) == event
    assert len({len(e.pack()) for e in [event, *every(DAY, 5)]}) == 1


def test_marks_are_short_and_absence_is_zero() -> None:
    assert mark("") == 0
    assert 0 < mark("0123abcd") < 2**32


def test_amounts_are_held_against_the_customers_own() -> None:
    customer = told(*every(DAY, 9, 10_000), Event(START + 9 * DAY, 20_000))
    now = START + 10 * DAY
    found = signals(now, Event(now, 50_000), {"customer": customer})
    assert found["customer_amount_ratio_median"] == 5
    assert found["customer_amount_ratio_largest"] == 2.5
    assert found["customer_amount_mean"] == 11_000
    assert found["customer_amount_z"] == pytest.approx(13)
    assert found["customer_amount_percentile"] == 1
    assert ratio_of(50_000, customer) == 500
    assert is_plain(ratio_of(15_000, customer))
    assert not is_plain(ratio_of(20_000, customer))


def test_nothing_known_is_no_answer_rather_than_zero() -> None:
    found = signals(START, Event(START, 100), {"customer": History()})
    assert found["customer_amount_ratio_median"] is None
    assert found["customer_age_days"] is None
    assert found["customer_count_30d"] == 0
    assert ratio_of(100, None) == 0


def test_counts_sums_and_distinct_parties_by_window() -> None:
    now = START + DAY
    card = told(
        Event(now - 2 * HOUR, 300, customer=1, device=9),
        Event(now - 30 * MINUTE, 200, customer=2, device=9),
        Event(now - 30_000, 100, customer=2, device=8),
    )
    found = signals(now, Event(now, 1), {"card": card})
    assert [found[f"card_count_{w}"] for w in ("1m", "10m", "1h", "1d")] == [1, 1, 2, 3]
    assert found["card_sum_1d"] == 600
    assert found["card_mean_1d"] == 200
    assert found["card_distinct_customer_1d"] == 2
    assert found["card_distinct_device_1d"] == 2
    assert found["card_gap_minutes"] == 0.5


def test_a_busy_merchant_is_counted_by_days_where_the_ring_is_too_short() -> None:
    merchant = told(*every(HOUR, 20 * 24))
    now = START + 20 * DAY
    found = signals(now, Event(now, 1), {"merchant": merchant})
    assert found["merchant_count_1d"] == 24
    assert found["merchant_count_7d"] == 6 * 24  # whole days: the first one is cut by the window
    assert found["merchant_count_30d"] == 20 * 24


def test_frauds_count_once_they_are_known() -> None:
    merchant = told(*every(DAY, 30))
    now = START + 30 * DAY
    asked = Event(now, 1)
    assert signals(now, asked, {"merchant": merchant})["merchant_fraud_count_28d"] == 0
    merchant.outcome(START + 12 * DAY, plain=False)
    merchant.outcome(START + 20 * DAY, plain=True)
    merchant.outcome(START + 21 * DAY, plain=True)
    found = signals(now, asked, {"merchant": merchant})
    assert [found[f"merchant_fraud_count_{w}d"] for w in LABEL_WINDOWS] == [2, 3, 3, 3]
    assert [found[f"merchant_fraud_plain_{w}d"] for w in LABEL_WINDOWS] == [2, 2, 2, 2]
    assert found["merchant_fraud_rate_14d"] == 3 / 14
    assert (found["merchant_fraud_last_days"], found["merchant_fraud_first_days"]) == (9, 10)
    assert found["merchant_fraud_goods_since"] == 1
    assert found["merchant_fraud_streak"] == 0


def test_a_streak_is_days_of_nothing_but_fraud() -> None:
    merchant = told(*every(DAY, 30))
    for day in (20, 21, 22):
        merchant.outcome(START + day * DAY, plain=True)
    now = START + 30 * DAY
    assert signals(now, Event(now, 1), {"merchant": merchant})["merchant_fraud_streak"] == 3


def test_a_verdict_may_be_taken_back() -> None:
    merchant = told(*every(DAY, 3))
    before = merchant.dump()
    merchant.outcome(START, plain=True)
    merchant.outcome(START, plain=True, undo=True)
    assert merchant.dump() == before
    assert merchant.days[START // DAY] == Bucket(START // DAY, 1, 10_000)


def test_an_outcome_of_a_forgotten_day_changes_nothing() -> None:
    merchant = told(*every(DAY, DAYS + 5))
    before = merchant.dump()
    merchant.outcome(START, plain=True)
    assert merchant.dump() == before


def test_every_signal_has_a_name_and_a_group() -> None:
    kinds = ("customer", "card", "device", "address", "ip", "sku", "merchant")
    histories = {kind: told(*every(DAY, 40)) for kind in kinds}
    now = START + 41 * DAY
    assert set(signals(now, Event(now, 1), histories)) == set(GROUPS)
    assert set(signals(now, Event(now, 1), {kind: History() for kind in kinds})) == set(GROUPS)
    assert set(GROUPS.values()) == {"amount", "time", "challenge", *kinds}
