"""Alipay's channel: what it signs, which answers it believes, and when a void is safe to call a void."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from ledger.money import Money
from payments.channels import rsa
from payments.channels.alipay import client, signing
from payments.channels.alipay.channel import from_settings
from payments.channels.contract import ActionKind, Answer, Outcome
from payments.channels.transport import Transport
from tests.channels.drivers.alipay import AlipayDriver
from tests.channels.drivers.wallet import new_key, public_pem
from tests.channels.world import Receiver, Sandbox


@pytest.fixture(scope="module")
def ali(sandbox: Sandbox, receiver: Receiver) -> AlipayDriver:
    return AlipayDriver(sandbox, receiver, "channel")


@pytest.fixture(scope="module")
def alipay_key() -> RSAPrivateKey:
    return new_key()


Told = Callable[..., Answer]


@pytest.fixture
def told(ali: AlipayDriver, alipay_key: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch) -> Told:
    """What `query` makes of an answer with this body, from a gateway whose key we hold."""
    channel = from_settings(ali.settings(alipay_public_key_file=ali.file("mine.pem", public_pem(alipay_key))))

    def query(body: bytes, status: int = 200) -> Answer:
        monkeypatch.setattr(Transport, "send", lambda *a, **k: httpx.Response(status, content=body))
        return channel.query(replace(ali.movement(ali.start_request()), reference="att_1"))

    return query


def answer_body(key: RSAPrivateKey, text: str, name: str = "alipay_trade_query_response") -> bytes:
    signature = rsa.sign(key, text.encode())
    return f'{{"{name}":{text},"sign":"{signature}"}}'.encode()


PAID = (
    '{"code":"10000","msg":"Success","trade_no":"2026","out_trade_no":"att_1","trade_status":"TRADE_SUCCESS",'
    '"total_amount":"88.80","send_pay_date":"2026-11-21 08:00:00","buyer_logon_id":"159****5620"'
)


class TestSigning:
    def test_the_text_of_a_request(self) -> None:
        sent = {
            "version": "1.0",
            "app_id": "2021",
            "biz_content": '{"subject":"茶 & 水"}',
            "sign_type": "RSA2",
            "return_url": "",
            "sign": "x",
        }
        expected = 'app_id=2021&biz_content={"subject":"茶 & 水"}&sign_type=RSA2&version=1.0'
        assert signing.request_text(sent) == expected

    def test_the_text_of_a_notice_leaves_sign_type_out(self) -> None:
        told = {"trade_no": "1", "sign_type": "RSA2", "sign": "x", "body": "", "app_id": "2021"}
        assert signing.notice_text(told) == "app_id=2021&trade_no=1"

    def test_members_are_the_raw_characters(self) -> None:
        raw = ' {"a" : {"url":"http:\\/\\/x","brace":"}{"} , "b":"\\u8336", "c": 1.10 } '
        found = signing.members(raw)
        assert found["a"] == (
            {"url": "http://x", "brace": "}{"},
            '{"url":"http:\\/\\/x","brace":"}{"}',
        )
        assert found["b"] == ("茶", '"\\u8336"')
        assert found["c"] == (Decimal("1.10"), "1.10")

    @pytest.mark.parametrize(
        "raw",
        [
            "",
            "[]",
            "{",
            "{}",
            '{"a"}',
            '{"a":1,"a":2}',
            '{"a":1}x',
            "{1:2}",
            '{"a":1,}',
            "[" * 9999,
            '{"a":' * 9999,
        ],
    )
    def test_what_is_no_single_object_is_refused(self, raw: str) -> None:
        with pytest.raises(signing.MalformedAnswer):
            signing.members(raw)

    def test_times_are_beijings(self) -> None:
        moment = datetime(2026, 11, 20, 16, 0, 0, tzinfo=UTC)
        assert client.written_time(moment) == "2026-11-21 00:00:00"
        assert client.read_time("2026-11-21 00:00:00.123") == moment
        assert client.read_time("soon") is None


class TestStart:
    def test_a_desktop_gets_a_code_and_a_phone_gets_a_page(self, ali: AlipayDriver) -> None:
        start = ali.start_request()
        code = ali.channel.start(start).next_action
        assert code is not None and code.kind is ActionKind.QR and code.expires_at == start.expires_at
        phone = ali.channel.start(replace(ali.start_request(), device="phone")).next_action
        assert phone is not None and phone.kind is ActionKind.REDIRECT
        assert ali.open(phone.value) == 200

    def test_the_page_carries_a_deadline_and_beijings_time(self, ali: AlipayDriver) -> None:
        start = replace(ali.start_request(12_345), device="phone", description="A/B = C & D")
        action = ali.channel.start(start).next_action
        assert action is not None
        sent = {name: values[0] for name, values in parse_qs(urlsplit(action.value).query).items()}
        content = json.loads(sent["biz_content"])
        assert content["total_amount"] == "123.45"
        assert content["subject"] == "A B   C   D"
        assert content["time_expire"] == client.written_time(start.expires_at)
        assert sent["method"] == "alipay.trade.wap.pay"
        written = client.read_time(sent["timestamp"])
        assert written is not None and abs(written - datetime.now(UTC)) < timedelta(seconds=10)

    def test_a_desktop_page_by_settings(self, ali: AlipayDriver) -> None:
        channel = from_settings(ali.settings(desktop_product="page"))
        action = channel.start(ali.start_request()).next_action
        assert action is not None and "method=alipay.trade.page.pay" in action.value
        assert ali.open(action.value) == 200

    def test_a_code_lives_two_hours_at_most(self, ali: AlipayDriver) -> None:
        start = replace(ali.start_request(), expires_at=datetime.now(UTC) + timedelta(days=1))
        action = ali.channel.start(start).next_action
        assert action is not None and action.expires_at is not None
        assert action.expires_at < datetime.now(UTC) + timedelta(hours=2)

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"amount": Money(100, "USD")}, "currency_not_supported"),
            ({"amount": Money(0, "CNY")}, "amount_out_of_range"),
            ({"amount": Money(100_000_000_01, "CNY")}, "amount_out_of_range"),
            ({"capture": False}, "manual_capture_not_supported"),
            ({"expires_at": datetime(2026, 1, 1, tzinfo=UTC)}, "expired"),
        ],
    )
    def test_what_can_not_be_asked_is_not_asked(
        self, ali: AlipayDriver, changed: dict[str, Any], code: str
    ) -> None:
        start = replace(ali.start_request(), **changed)
        answer = ali.channel.start(start)
        assert (answer.outcome, answer.code) == (Outcome.ERRORED, code)
        assert ali.sandbox.payments(start.reference) == []

    def test_another_amount_under_the_same_number_is_unclear(self, ali: AlipayDriver) -> None:
        start = ali.start_request()
        ali.channel.start(start)
        answer = ali.channel.start(replace(start, amount=Money(1, "CNY")))
        assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "ACQ.CONTEXT_INCONSISTENT")

    def test_settings_that_are_missing_are_named(self, ali: AlipayDriver) -> None:
        with pytest.raises(ValueError, match="seller_id"):
            from_settings(ali.settings(seller_id=""))


class TestAnswers:
    def test_a_signed_answer_is_believed(self, told: Told, alipay_key: RSAPrivateKey) -> None:
        answer = told(answer_body(alipay_key, PAID + ',"store_name":"a}b{\\/c"}'))
        assert (answer.outcome, answer.amount) == (Outcome.SUCCEEDED, Money(8_880, "CNY"))
        assert answer.happened_at == datetime(2026, 11, 21, tzinfo=UTC)
        assert "buyer_logon_id" not in answer.raw

    def test_nothing_else_is(self, told: Told, alipay_key: RSAPrivateKey) -> None:
        genuine = answer_body(alipay_key, PAID + "}")
        unsigned = json.dumps({"alipay_trade_query_response": json.loads(PAID + "}")}).encode()
        for body in (
            genuine.replace(b"88.80", b"88.81"),
            genuine.replace(b'","trade_no"', b'", "trade_no"'),
            answer_body(new_key(), PAID + "}"),
            answer_body(alipay_key, PAID + "}", "alipay_trade_refund_response"),
            answer_body(alipay_key, '{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}', "error_response"),
            unsigned,
            genuine[:-9],
            b"\xff" + genuine,
            b"",
            b"null",
        ):
            assert told(body).outcome is Outcome.UNKNOWN
        assert told(genuine, status=502).outcome is Outcome.UNKNOWN
        assert told(genuine).outcome is Outcome.SUCCEEDED

    def test_a_signed_answer_about_another_trade_is_an_old_one(
        self, told: Told, alipay_key: RSAPrivateKey
    ) -> None:
        answer = told(answer_body(alipay_key, PAID.replace("att_1", "att_2") + "}"))
        assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "other_trade")

    @pytest.mark.parametrize("amount", ["88.801", "", "NaN", "1e999999999", "-", "0x10"])
    def test_an_amount_that_can_not_be_read_is_unclear(
        self, told: Told, alipay_key: RSAPrivateKey, amount: str
    ) -> None:
        body = answer_body(alipay_key, PAID.replace("88.80", amount) + "}")
        assert told(body).outcome is Outcome.UNKNOWN

    @pytest.mark.parametrize(
        ("fields", "outcome"),
        [
            ('{"code":"20000","sub_code":"aop.unknow-error"}', Outcome.UNKNOWN),
            ('{"code":"40004","sub_code":"ACQ.SYSTEM_ERROR"}', Outcome.UNKNOWN),
            ('{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}', Outcome.NOT_FOUND),
            (PAID.replace("TRADE_SUCCESS", "TRADE_CLOSED") + "}", Outcome.SUCCEEDED),
            (
                '{"code":"10000","out_trade_no":"att_1","trade_status":"TRADE_CLOSED","total_amount":"1.00"}',
                Outcome.CANCELLED,
            ),
            (
                '{"code":"10000","out_trade_no":"att_1","trade_status":"NEW_ONE","total_amount":"1.00"}',
                Outcome.UNKNOWN,
            ),
        ],
    )
    def test_what_alipay_says_in_our_words(
        self, told: Told, alipay_key: RSAPrivateKey, fields: str, outcome: Outcome
    ) -> None:
        assert told(answer_body(alipay_key, fields)).outcome is outcome

    def test_braces_and_slashes_from_the_sandbox(self, ali: AlipayDriver) -> None:
        start = replace(ali.start_request(), description="A } box {with braces}")
        ali.channel.start(start)
        ali.customer_pays(start)
        answer = ali.channel.query(ali.movement(start))
        assert answer.outcome is Outcome.SUCCEEDED
        assert (answer.raw["subject"], answer.raw["store_name"]) == (start.description, "Sandbox {1/2}")


class TestVoid:
    def test_an_unscanned_code_is_not_over_before_its_deadline(self, ali: AlipayDriver) -> None:
        start = ali.start_request()
        ali.channel.start(start)
        movement = ali.movement(start)
        assert ali.channel.query(movement).outcome is Outcome.NOT_FOUND
        assert ali.channel.void(movement).outcome is Outcome.PENDING
        # and rightly so: the code can still be paid
        ali.customer_pays(start)
        assert ali.channel.void(movement).outcome is Outcome.SUCCEEDED

    @pytest.mark.parametrize(
        ("after_deadline", "outcome"), [(0, Outcome.PENDING), (59, Outcome.PENDING), (61, Outcome.CANCELLED)]
    )
    def test_after_its_deadline_it_is(self, ali: AlipayDriver, after_deadline: int, outcome: Outcome) -> None:
        start = ali.start_request()
        ali.channel.start(start)
        ali.sandbox.act(start.reference, "expire")
        later = start.expires_at + timedelta(seconds=after_deadline)
        channel = from_settings(ali.settings(clock=lambda: later))
        assert channel.void(ali.movement(start)).outcome is outcome
        assert channel.void(replace(ali.movement(start), start=None)).outcome is Outcome.PENDING

    def test_a_scanned_code_is_closed(self, ali: AlipayDriver) -> None:
        start = ali.start_request()
        ali.channel.start(start)
        ali.customer_opens(start)
        assert ali.channel.void(ali.movement(start)).outcome is Outcome.CANCELLED
        assert ali.sandbox.payments(start.reference)[0]["state"] == "closed"

    def test_a_close_without_an_answer_is_unknown(self, ali: AlipayDriver) -> None:
        start = ali.start_request()
        ali.channel.start(start)
        ali.customer_opens(start)
        ali.sandbox.fault("/alipay", "slow", seconds=0.0)  # the query is answered
        ali.sandbox.fault("/alipay", "drop_after")
        assert ali.channel.void(ali.movement(start)).outcome is Outcome.UNKNOWN
        assert ali.channel.void(ali.movement(start)).outcome is Outcome.CANCELLED


def test_a_wholly_refunded_payment_still_was_paid(ali: AlipayDriver) -> None:
    start, answer = ali.paid()
    movement = replace(
        ali.movement(start, answer), amount=start.amount, movement_reference=f"ref_{start.reference[4:]}"
    )
    assert ali.channel.refund(movement).outcome is Outcome.SUCCEEDED
    assert ali.channel.query(ali.movement(start)).outcome is Outcome.SUCCEEDED
    assert ali.channel.void(ali.movement(start)).outcome is Outcome.SUCCEEDED
