"""Hosted invoices: coins that are too few, too many or too late, refunds that are refused, and notices that lie."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger.money import Money
from payments.channels import registry
from payments.channels.contract import (
    ActionKind,
    Answer,
    InvalidSignature,
    MalformedNotice,
    NotForUs,
    Notice,
    NoticeKind,
    Outcome,
    StaleNotice,
)
from payments.channels.crypto.channel import from_settings
from payments.channels.shared_secret import header
from tests.channels.drivers.crypto import CryptoDriver
from tests.channels.world import Receiver, Sandbox, eventually

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SETTINGS: dict[str, Any] = {
    "api_base": "http://127.0.0.1:9",
    "store": "sto_1",
    "api_key": "k",
    "webhook_secrets": ["new", "old"],
    "timeout_seconds": 1.0,
    "clock": lambda: NOW,
}
INVOICE = {
    "id": "inv_1",
    "reference": "att_1",
    "status": "settled",
    "exception": "",
    "amount": "100.00",
    "paid": "100.00",
    "currency": "CNY",
    "checkout_url": "http://127.0.0.1:9/i",
    "settled_at": "2026-11-20T11:59:00+00:00",
    "wallet": "bc1qsecret",
}
SETTLED = {"id": "evt_1", "type": "invoice.settled", "store": "sto_1", "data": INVOICE}


@pytest.fixture(scope="module")
def crypto(sandbox: Sandbox, receiver: Receiver) -> CryptoDriver:
    return CryptoDriver(sandbox, receiver)


def read(fields: Any, *, secret: str = "new", at: datetime = NOW, said: str = "") -> Notice:
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    signature = said or header(secret, int(at.timestamp()), body)
    return from_settings(SETTINGS).read_notice({"invoice-signature": signature}, body)


def after(crypto: CryptoDriver, *actions: str) -> Answer:
    """What the processor says of an invoice after that happened to it."""
    start = crypto.start_request()
    action = crypto.channel.start(start).next_action
    assert action is not None and action.kind is ActionKind.REDIRECT
    for deed in actions:
        crypto.sandbox.act(start.reference, deed)
    return crypto.channel.query(crypto.movement(start))


class TestInvoices:
    def test_seen_coins_are_no_money_yet(self, crypto: CryptoDriver) -> None:
        assert after(crypto, "see").outcome is Outcome.PENDING
        settled = after(crypto, "see", "pay")
        assert (settled.outcome, settled.amount) == (Outcome.SUCCEEDED, Money(10_000, "CNY"))

    @pytest.mark.parametrize(
        ("actions", "told", "code"),
        [
            (["underpay"], 5_000, "underpaid"),
            (["overpay"], 15_000, "overpaid"),
            (["expire", "pay"], 10_000, "late"),
        ],
    )
    def test_what_came_is_told_as_it_came(
        self, crypto: CryptoDriver, actions: list[str], told: int, code: str
    ) -> None:
        answer = after(crypto, *actions)
        assert (answer.outcome, answer.amount, answer.code) == (
            Outcome.SUCCEEDED,
            Money(told, "CNY"),
            code,
        )

    @pytest.mark.parametrize(
        ("action", "outcome"), [("expire", Outcome.CANCELLED), ("decline", Outcome.DECLINED)]
    )
    def test_what_never_came_is_over(self, crypto: CryptoDriver, action: str, outcome: Outcome) -> None:
        assert after(crypto, action).outcome is outcome

    def test_coins_on_their_way_can_not_be_called_back(self, crypto: CryptoDriver) -> None:
        start = crypto.start_request()
        crypto.channel.start(start)
        crypto.sandbox.act(start.reference, "see")
        assert crypto.channel.void(crypto.movement(start)).outcome is Outcome.PENDING

    def test_a_reference_is_one_invoice(self, crypto: CryptoDriver) -> None:
        start = crypto.start_request()
        crypto.channel.start(start)
        other = crypto.channel.start(replace(start, amount=Money(9_999, "CNY")))
        assert (other.outcome, other.code) == (Outcome.ERRORED, "reference_reused")

    def test_closing_what_never_arrived_waits_for_its_end(self, crypto: CryptoDriver) -> None:
        start = crypto.start_request()
        assert crypto.channel.void(crypto.movement(start)).outcome is Outcome.PENDING
        over = replace(start, expires_at=datetime.now(UTC) - timedelta(minutes=1))
        assert crypto.channel.void(crypto.movement(over)).outcome is Outcome.CANCELLED

    def test_what_no_invoice_can_be_is_refused(self, crypto: CryptoDriver) -> None:
        start = crypto.start_request()
        assert crypto.channel.start(replace(start, capture=False)).outcome is Outcome.ERRORED
        assert crypto.channel.start(replace(start, expires_at=datetime.now(UTC))).outcome is Outcome.ERRORED

    def test_a_refund_may_be_refused_later(self, crypto: CryptoDriver) -> None:
        start, answer = crypto.paid(100_000)
        movement = replace(
            crypto.movement(start, answer),
            amount=Money(crypto.slow_refund, "CNY"),
            movement_reference=start.reference.replace("att_", "ref_"),
        )
        assert crypto.channel.refund(movement).outcome is Outcome.PENDING
        crypto.end_refund(movement, reason="never_claimed")
        ended = crypto.channel.query_refund(movement)
        assert (ended.outcome, ended.code) == (Outcome.DECLINED, "never_claimed")
        assert crypto.sandbox.payments(start.reference)[0]["refunded"] == 0

        def told() -> list[Outcome]:
            read = [
                crypto.channel.read_notice(one.headers, one.body)
                for one in crypto.receiver.at(crypto.notify_path)
            ]
            return [
                one.answer.outcome for one in read if one.movement_reference == movement.movement_reference
            ]

        assert eventually(told) == [Outcome.DECLINED]


class TestSettings:
    @pytest.mark.parametrize("name", ["api_base", "store", "api_key", "webhook_secrets"])
    def test_a_missing_setting_is_named(self, name: str) -> None:
        with pytest.raises(ValueError, match=name):
            from_settings({**SETTINGS, name: ""})

    def test_it_is_off_unless_it_is_switched_on(self, settings: Any) -> None:
        assert "crypto" not in registry.configured()
        settings.CRYPTO = SETTINGS
        assert "crypto" in registry.configured()


class TestNotices:
    def test_a_settled_invoice_is_a_payment(self) -> None:
        notice = read(SETTLED)
        assert (notice.kind, notice.event_id, notice.reference) == (NoticeKind.PAYMENT, "evt_1", "att_1")
        assert (notice.answer.outcome, notice.answer.amount) == (Outcome.SUCCEEDED, Money(10_000, "CNY"))
        assert "bc1q" not in str(notice)

    @pytest.mark.parametrize("status", ["new", "processing", "something"])
    def test_what_decides_nothing_is_only_noted(self, status: str) -> None:
        assert read({**SETTLED, "data": {**INVOICE, "status": status}}).kind is NoticeKind.OTHER
        assert read({**SETTLED, "type": "store.changed"}).kind is NoticeKind.OTHER

    def test_both_secrets_are_believed_while_one_replaces_the_other(self) -> None:
        assert read(SETTLED, secret="old") == read(SETTLED, secret="new")
        with pytest.raises(InvalidSignature):
            read(SETTLED, secret="oldest")

    def test_a_second_signature_in_the_header_counts(self) -> None:
        body, stamp = json.dumps(SETTLED).encode(), int(NOW.timestamp())
        right = header("new", stamp, body).partition(",v1=")[2]
        assert read(body, said=f"t={stamp},v1={'0' * 64},v1={right}").event_id == "evt_1"

    @pytest.mark.parametrize("seconds", [-301, 301])
    def test_an_old_one_or_one_from_the_future_is_stale(self, seconds: int) -> None:
        with pytest.raises(StaleNotice):
            read(SETTLED, at=NOW + timedelta(seconds=seconds))

    def test_the_time_is_signed_too(self) -> None:
        body = json.dumps(SETTLED).encode()
        old = int(NOW.timestamp()) - 3_600
        moved = header("new", old, body).replace(f"t={old}", f"t={int(NOW.timestamp())}")
        with pytest.raises(InvalidSignature):
            read(body, said=moved)

    @pytest.mark.parametrize(
        "data",
        [
            *({**INVOICE, "paid": value} for value in (100, None, "x", "-1", "NaN", "0.001")),
            {**INVOICE, "currency": "ZZZ"},
            {**INVOICE, "reference": ""},
            {**INVOICE, "status": "new", "checkout_url": "javascript:alert(1)"},
            [],
            None,
        ],
    )
    def test_signed_nonsense_is_malformed(self, data: Any) -> None:
        with pytest.raises(MalformedNotice):
            read({**SETTLED, "data": data})

    def test_anothers_store_is_not_for_us(self) -> None:
        with pytest.raises(NotForUs):
            read({**SETTLED, "store": "sto_2"})
