"""No card number and no secret in a log line."""

import pytest

from config.scrubbing import CARD, SECRET, scrub

CARDS = [
    "4242424242424242",
    "4000 0025 0000 3155",
    "5555-5555-5555-4444",
    "378282246310005",
    "6200000000000005",
]


@pytest.mark.parametrize("card", CARDS)
def test_card_numbers_are_hidden_wherever_they_stand(card: str) -> None:
    event = {
        "event": f"paid with {card}, thanks",
        card: "as a name",
        "number": int(card.replace(" ", "").replace("-", "")),
        "deep": [{"body": (f'{{"n":"{card}"}}',)}],
        "error": ValueError(card),
    }
    told = repr(scrub(None, "info", event | {"extra": {card: 1}}))
    assert told.count(CARD) == 6
    assert card not in told
    assert card.replace(" ", "").replace("-", "") not in told


@pytest.mark.parametrize("text", ["It was {}.", "card.{}", "n={}&x=1", "{}, {}."])
def test_card_numbers_are_hidden_beside_punctuation(text: str) -> None:
    told = scrub(None, "info", {"event": text.format(CARDS[0], CARDS[1])})
    assert told["event"] == text.format(CARD, CARD)


@pytest.mark.parametrize(
    "text",
    [
        "/pay?cvc={}&x=1",
        "card[cvc]={}",
        "card%5Bcvc%5D={}",
        '{{"cvv": "{}"}}',
        '{{\\"csc\\": {}}}',
        "CVC {}.",
    ],
)
def test_security_codes_are_hidden(text: str) -> None:
    told = scrub(None, "info", {"event": text.format("737"), "cvc": "737", "card": {"security_code": "737"}})
    assert told == {"event": text.format(SECRET), "cvc": SECRET, "card": {"security_code": SECRET}}


def test_what_only_looks_like_one_stays() -> None:
    event = {
        "order": "ord_01jd4zy6m0e5w9v8q3t7r2k1xc",
        "amount": 1234567890123456,
        "phone": "+8613800138000",
        "at": "2026-11-21T00:14:05.171762Z",
        "seconds": "0.4242424242424242 s, 4242424242424242.5 s",
        "checks": {"cvc_check": "pass", "sku": "csc-1234-x"},
        "zeros": "0000000000000000",
        "long": "42000022220000123412341234",
        "request_id": "0137dadf-4242-4242-4242-4242a8b1183a",
    }
    assert scrub(None, "info", event) == event


def test_secrets_are_hidden_by_name_and_by_look() -> None:
    event = {
        "password": "hunter2",
        "headers": {"Authorization": "Bearer sk_test_abcdefgh12345678", "Accept": "json"},
        "event": "called https://user:pass@host/ with sk_live_abcdefgh1234 and pi_1_secret_abcdefghij",
        "api_v3_key": "k" * 32,
        "empty": {"token": ""},
    }
    told = scrub(None, "info", event)
    assert told["password"] == told["headers"]["Authorization"] == told["api_v3_key"] == SECRET
    assert told["headers"]["Accept"] == "json"
    assert told["event"] == f"called https://{SECRET}@host/ with {SECRET} and {SECRET}"
