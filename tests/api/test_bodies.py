"""What is not JSON, not an object, too large, or holds a card number never reaches a use case, a table or a log."""

import json
import logging

import pytest

from payments.models.idempotency import IdempotencyKey
from tests.api.conftest import Caller, moved

pytestmark = pytest.mark.django_db

POSTS = ["checkout/preview", "orders", "orders/ord_x/cancel", "payments", "payments/pay_x/cancel", "refunds"]
VISA = "4242424242424242"


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"not json",
        b'{"items": }',
        b"[]",
        b"null",
        b"7",
        b'"text"',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1, "a": 2}',
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b'{"a": ' + b"9" * 5_000 + b"}",
    ],
    ids=lambda raw: raw[:12].decode(errors="replace"),
)
def test_what_is_no_json_object(merchant: Caller, path: str, raw: bytes) -> None:
    before = moved()
    answer = merchant.post(path, raw=raw)
    assert (answer.status, answer.code) == (400, "body_malformed")
    assert moved() == before
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize("path", POSTS)
def test_a_body_that_is_too_large(merchant: Caller, path: str) -> None:
    answer = merchant.post(path, {"reason": "x" * 70_000})
    assert (answer.status, answer.code) == (413, "body_too_large")


def test_another_content_type(merchant: Caller) -> None:
    answer = merchant._read(
        merchant.http.post("/api/v1/checkout/preview", {"items": "tea"}, headers=merchant.headers)
    )
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize("path", ["orders", "payments", "refunds", "orders/ord_x/cancel"])
def test_every_post_that_moves_something_wants_a_key(merchant: Caller, path: str) -> None:
    before = moved()
    answer = merchant.post(path, {}, key=None)
    assert (answer.status, answer.code) == (400, "idempotency_key_missing")
    assert answer.body["param"] == "Idempotency-Key"
    for malformed in ("a b", "é", "x" * 256, "a\tb"):
        assert merchant.post(path, {}, key=malformed).code == "idempotency_key_malformed"
    assert moved() == before


@pytest.mark.parametrize(
    "body",
    [
        {"order": "x", "method": "card", "instrument": VISA},
        {"card": {"number": VISA}},
        {"card": {"number": int(VISA)}},
        {"note": f"my card is {VISA}, please"},
        {"note": "4242 4242 4242 4242"},
        {"note": "4242-4242-4242-4242"},
        {VISA: "as a name"},
        {"list": ["378282246310005"]},
        {"unionpay": "6205500000000000004"},
        {"visa of thirteen digits": "4222222222222"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["checkout/preview", "payments"])
def test_a_card_number_is_refused_and_kept_nowhere(
    merchant: Caller, path: str, body: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    before = moved()
    with caplog.at_level(logging.DEBUG):
        answer = merchant.post(path, body)
    assert (answer.status, answer.code) == (400, "card_number_refused")
    told = (answer.raw.decode() + caplog.text).replace(" ", "").replace("-", "")
    assert not any(
        number in told for number in (VISA, "378282246310005", "6205500000000000004", "4222222222222")
    )
    assert moved() == before
    assert not IdempotencyKey.objects.exists()


def test_escapes_do_not_hide_a_card_number(merchant: Caller) -> None:
    hidden = b'{"note": "' + "".join(f"\\u{ord(digit):04x}" for digit in VISA).encode() + b'"}'
    assert json.loads(hidden) == {"note": VISA}
    assert merchant.post("payments", raw=hidden).code == "card_number_refused"


def test_a_card_number_as_a_key(merchant: Caller) -> None:
    answer = merchant.post("orders", {}, key=VISA)
    assert (answer.code, answer.body["param"]) == ("card_number_refused", "Idempotency-Key")


@pytest.mark.parametrize(
    "innocent",
    [
        "4242424242424241",  # fails the check digit
        "+86 138 0013 8000",
        "8613800138000",
        "pay_4242424242424242424242424z",
        "42424242-4242-4242-4242-424242424242",
        "1700000000000",
    ],
)
def test_what_only_resembles_a_card_number(merchant: Caller, innocent: str) -> None:
    answer = merchant.post("payments", {"order": innocent})
    assert (answer.status, answer.code) == (400, "invalid")
