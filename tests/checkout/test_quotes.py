"""The four ways in which a quote is refused, and key rotation. Pure: nothing here touches the database."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.errors import QuoteExpired, QuoteStale, QuoteTampered
from checkout.facts import Item, PriceBreakdown
from checkout.pricing import Wanted, price
from checkout.quotes import LIFE, Keys, require_same_price, sign, verify
from ledger.money import Money

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
OLD = Keys(current="k1", secrets={"k1": "a" * 64})
BOTH = Keys(current="k2", secrets={"k2": "b" * 64, "k1": "a" * 64})
NEW = Keys(current="k2", secrets={"k2": "b" * 64})
ITEMS = (Item("tea", 2),)


def breakdown(minor: int = 10_000, region: str = "CN") -> PriceBreakdown:
    line = Wanted(sku="tea", quantity=2, unit_price=Money(minor, "CNY"), tax_class="standard")
    return price(wanted=[line], region=region)


QUOTE, TERMS = sign(items=ITEMS, breakdown=breakdown(), now=NOW, keys=OLD)


def test_what_was_promised_comes_back() -> None:
    terms = verify(QUOTE, items=ITEMS, now=NOW, keys=OLD)
    assert terms == TERMS
    assert (terms.payable, terms.currency, terms.region) == (20_000, "CNY", "CN")
    require_same_price(terms, breakdown())


def test_two_quotes_are_never_the_same() -> None:
    assert sign(items=ITEMS, breakdown=breakdown(), now=NOW, keys=OLD)[1].id != TERMS.id


@given(st.integers(0, len(QUOTE) - 1), st.characters(codec="ascii", categories=["L", "N"]))
def test_no_character_can_be_changed(position: int, other: str) -> None:
    forged = QUOTE[:position] + other + QUOTE[position + 1 :]
    if forged != QUOTE:
        with pytest.raises(QuoteTampered):
            verify(forged, items=ITEMS, now=NOW, keys=OLD)


@given(st.text(max_size=300))
def test_noise_is_not_a_quote(noise: str) -> None:
    with pytest.raises(QuoteTampered):
        verify(noise, items=ITEMS, now=NOW, keys=OLD)


def test_a_lower_price_signed_by_somebody_else_is_refused() -> None:
    head, key, terms, _ = QUOTE.split(".")
    promised = json.loads(base64.urlsafe_b64decode(terms + "=="))
    cheaper = base64.urlsafe_b64encode(json.dumps({**promised, "payable": 1}).encode()).decode().rstrip("=")
    theirs = sign(
        items=ITEMS, breakdown=breakdown(), now=NOW, keys=Keys(current="k1", secrets={"k1": "z" * 64})
    )[0]
    for forged in (f"{head}.{key}.{cheaper}.{QUOTE.split('.')[3]}", theirs, f"{QUOTE}.x", QUOTE[:-1]):
        with pytest.raises(QuoteTampered):
            verify(forged, items=ITEMS, now=NOW, keys=OLD)


def test_another_cart_is_refused() -> None:
    for items in ((Item("tea", 3),), (Item("tea", 2), Item("cup", 1)), (Item("cup", 2),)):
        with pytest.raises(QuoteTampered):
            verify(QUOTE, items=items, now=NOW, keys=OLD)


def test_it_holds_for_fifteen_minutes() -> None:
    verify(QUOTE, items=ITEMS, now=NOW + LIFE - timedelta(seconds=1), keys=OLD)
    with pytest.raises(QuoteExpired):
        verify(QUOTE, items=ITEMS, now=NOW + LIFE, keys=OLD)


def test_another_price_region_or_version_is_stale() -> None:
    for today in (breakdown(9_999), breakdown(region="US"), replace(breakdown(), rules_version="next")):
        with pytest.raises(QuoteStale):
            require_same_price(TERMS, today)


def test_keys_rotate() -> None:
    verify(QUOTE, items=ITEMS, now=NOW, keys=BOTH)
    renewed, _ = sign(items=ITEMS, breakdown=breakdown(), now=NOW, keys=BOTH)
    verify(renewed, items=ITEMS, now=NOW, keys=NEW)
    with pytest.raises(QuoteTampered):
        verify(QUOTE, items=ITEMS, now=NOW, keys=NEW)
