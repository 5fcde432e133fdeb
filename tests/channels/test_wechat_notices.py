"""WeChat Pay's notifications: signed, fresh, sealed with our key, meant for us; anything else is a refusal."""

import json
from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.money import Money
from payments.channels import rsa
from payments.channels.contract import (
    InvalidSignature,
    MalformedNotice,
    NotForUs,
    Notice,
    NoticeKind,
    NoticeRefused,
    Outcome,
    StaleNotice,
)
from payments.channels.wechat.notices import Reader
from payments.channels.wechat.signing import SCHEME, Verifier, answer_text
from tests.channels.drivers.wallet import new_key

NOW = datetime(2026, 11, 21, 0, 0, 0, tzinfo=UTC)
KEY, OLD_KEY = new_key(), new_key()
API_V3_KEY = b"0123456789abcdef0123456789abcdef"
KEYS = {"PUB_KEY_ID_01": KEY.public_key(), "5E0B": OLD_KEY.public_key()}
READER = Reader("wx01", "1600000001", API_V3_KEY, Verifier(KEYS.get, lambda: NOW))
PAID: dict[str, Any] = {
    "appid": "wx01",
    "mchid": "1600000001",
    "out_trade_no": "att_1",
    "transaction_id": "4200002026",
    "trade_state": "SUCCESS",
    "trade_state_desc": "支付成功",
    "success_time": "2026-11-21T08:00:00+08:00",
    "payer": {"openid": "o1"},
    "amount": {"total": 8880, "payer_total": 8880, "currency": "CNY", "payer_currency": "CNY"},
}
REFUNDED: dict[str, Any] = {
    "mchid": "1600000001",
    "out_trade_no": "att_1",
    "transaction_id": "4200002026",
    "out_refund_no": "ref_1",
    "refund_id": "5030",
    "refund_status": "SUCCESS",
    "success_time": "2026-11-21T08:00:00+08:00",
    "user_received_account": "招商银行信用卡0403",
    "amount": {"total": 8880, "refund": 1000, "payer_total": 8880, "payer_refund": 1000},
}


def resource(plain: Any, key: bytes = API_V3_KEY, kind: str = "transaction") -> dict[str, str]:
    text = plain if isinstance(plain, bytes) else json.dumps(plain, ensure_ascii=False).encode()
    sealed = AESGCM(key).encrypt(b"123456789012", text, kind.encode())
    return {
        "original_type": kind,
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": b64encode(sealed).decode(),
        "associated_data": kind,
        "nonce": "123456789012",
    }


def envelope(plain: Any, event_type: str = "TRANSACTION.SUCCESS", **changed: Any) -> bytes:
    told = {
        "id": "EV-1",
        "create_time": "2026-11-21T08:00:00+08:00",
        "resource_type": "encrypt-resource",
        "event_type": event_type,
        "summary": "支付成功",
        "resource": resource(plain),
        **changed,
    }
    return json.dumps(told, ensure_ascii=False).encode()


def headers(
    body: bytes, key: RSAPrivateKey = KEY, serial: str = "PUB_KEY_ID_01", at: datetime = NOW
) -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    return {
        "wechatpay-timestamp": timestamp,
        "wechatpay-nonce": "nonce",
        "wechatpay-signature": rsa.sign(key, answer_text(timestamp, "nonce", body)),
        "wechatpay-serial": serial,
        "wechatpay-signature-type": SCHEME,
    }


def read(plain: Any, event_type: str = "TRANSACTION.SUCCESS", **changed: Any) -> Notice:
    body = envelope(plain, event_type, **changed)
    return READER.read(headers(body), body)


class TestGenuine:
    def test_a_payment(self) -> None:
        notice = read(PAID)
        assert (notice.event_id, notice.kind, notice.reference) == ("EV-1", NoticeKind.PAYMENT, "att_1")
        assert (notice.answer.outcome, notice.answer.amount) == (Outcome.SUCCEEDED, Money(8_880, "CNY"))
        assert notice.answer.happened_at == NOW
        assert "payer" not in notice.raw

    def test_a_refund(self) -> None:
        notice = read(REFUNDED, "REFUND.SUCCESS")
        assert (notice.kind, notice.movement_reference) == (NoticeKind.REFUND, "ref_1")
        assert (notice.answer.outcome, notice.answer.amount) == (Outcome.SUCCEEDED, Money(1_000, "CNY"))
        assert "user_received_account" not in notice.raw

    @pytest.mark.parametrize(
        ("status", "outcome"), [("CLOSED", Outcome.ERRORED), ("ABNORMAL", Outcome.PENDING)]
    )
    def test_a_refund_that_did_not_arrive(self, status: str, outcome: Outcome) -> None:
        notice = read({**REFUNDED, "refund_status": status}, f"REFUND.{status}")
        assert (notice.answer.outcome, notice.answer.code) == (outcome, status)

    def test_either_key_during_a_switch(self) -> None:
        body = envelope(PAID)
        assert READER.read(headers(body, OLD_KEY, "5E0B"), body).reference == "att_1"

    def test_an_event_that_we_do_not_know(self) -> None:
        assert read({"mchid": "1600000001"}, "PAYSCORE.USER_PAID").kind is NoticeKind.OTHER

    def test_the_last_fresh_second(self) -> None:
        body = envelope(PAID)
        for seconds in (-300, 300):
            told = READER.read(headers(body, at=NOW + timedelta(seconds=seconds)), body)
            assert told.reference == "att_1"


class TestRefused:
    @pytest.mark.parametrize("seconds", [-301, 301, -86_400, 10**9])
    def test_stale_or_from_the_future(self, seconds: int) -> None:
        body = envelope(PAID)
        with pytest.raises(StaleNotice):
            READER.read(headers(body, at=NOW + timedelta(seconds=seconds)), body)

    @pytest.mark.parametrize("timestamp", ["", "-1", "١", "1_0", "9" * 30, "1763683200.0"])
    def test_signed_with_a_time_that_is_none(self, timestamp: str) -> None:
        body = envelope(PAID)
        text = answer_text(timestamp, "nonce", body)
        forged = {**headers(body), "wechatpay-timestamp": timestamp}
        with pytest.raises(StaleNotice):
            READER.read({**forged, "wechatpay-signature": rsa.sign(KEY, text)}, body)

    @pytest.mark.parametrize("name", ["timestamp", "nonce", "signature", "serial"])
    @pytest.mark.parametrize("value", ["", "1", "é", "\ud800"])
    def test_an_altered_header(self, name: str, value: str) -> None:
        body = envelope(PAID)
        with pytest.raises(InvalidSignature):
            READER.read({**headers(body), f"wechatpay-{name}": value}, body)

    def test_another_algorithm(self) -> None:
        body = envelope(PAID)
        with pytest.raises(InvalidSignature):
            READER.read({**headers(body), "wechatpay-signature-type": "WECHATPAY2-SM2-WITH-SM3"}, body)

    def test_the_probe_that_must_fail(self) -> None:
        body = envelope(PAID)
        genuine = headers(body)
        probe = "WECHATPAY/SIGNTEST/" + genuine["wechatpay-signature"]
        for signature in (probe, probe[: len(genuine["wechatpay-signature"])]):
            with pytest.raises(InvalidSignature):
                READER.read({**genuine, "wechatpay-signature": signature}, body)

    def test_another_key_under_our_keys_name(self) -> None:
        body = envelope(PAID)
        with pytest.raises(InvalidSignature):
            READER.read(headers(body, new_key()), body)

    def test_one_keys_signature_under_the_others_name(self) -> None:
        body = envelope(PAID)
        with pytest.raises(InvalidSignature):
            READER.read(headers(body, KEY, "5E0B"), body)

    def test_no_headers(self) -> None:
        with pytest.raises(InvalidSignature):
            READER.read({}, envelope(PAID))

    @pytest.mark.parametrize(
        "changed", [{"mchid": "1600000002"}, {"appid": "wx02"}, {"mchid": None}, {"appid": ""}]
    )
    def test_another_merchant_or_application(self, changed: dict[str, Any]) -> None:
        with pytest.raises(NotForUs):
            read({**PAID, **changed})

    def test_a_refund_of_another_merchant(self) -> None:
        with pytest.raises(NotForUs):
            read({**REFUNDED, "mchid": "1600000002"}, "REFUND.SUCCESS")

    @pytest.mark.parametrize(
        "amount",
        [
            None,
            88.80,
            {},
            {"total": "8880"},
            {"total": 88.8},
            {"total": True},
            {"total": 1, "currency": "XXY"},
        ],
    )
    def test_an_amount_that_can_not_be_read(self, amount: Any) -> None:
        with pytest.raises(MalformedNotice):
            read({**PAID, "amount": amount})

    @pytest.mark.parametrize("plain", [b"", b"\xff", b"[]", b"null", b'{"mchid"', b"[" * 9_999])
    def test_a_plain_text_that_is_no_object(self, plain: bytes) -> None:
        with pytest.raises(NoticeRefused):
            read(plain)

    @pytest.mark.parametrize(
        "changed",
        [
            {"resource": None},
            {"resource": []},
            {"resource": {}},
            {"resource": resource(PAID, b"x" * 32)},
            {"resource": {**resource(PAID), "algorithm": "AES"}},
            {"resource": {**resource(PAID), "nonce": ""}},
            {"resource": {**resource(PAID), "nonce": 12}},
            {"resource": {**resource(PAID), "nonce": "other nonce."}},
            {"resource": {**resource(PAID), "associated_data": "refund"}},
            {"resource": {**resource(PAID), "ciphertext": "!!"}},
            {"resource": {**resource(PAID), "ciphertext": ""}},
            {"id": ""},
            {"id": None},
        ],
    )
    def test_a_signed_envelope_that_does_not_open(self, changed: dict[str, Any]) -> None:
        with pytest.raises(MalformedNotice):
            read(PAID, **changed)

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=300), st.dictionaries(st.sampled_from(sorted(headers(b""))), st.text()))
    def test_garbage(self, body: bytes, changed: dict[str, str]) -> None:
        with pytest.raises(NoticeRefused):
            READER.read({**headers(b"x"), **changed}, body)

    @settings(max_examples=150, deadline=None)
    @given(st.data())
    def test_a_genuine_body_with_any_byte_changed(self, data: st.DataObject) -> None:
        body = envelope(PAID)
        genuine = headers(body)
        place = data.draw(st.integers(0, len(body) - 1))
        byte = data.draw(st.integers(0, 255).filter(lambda value: value != body[place]))
        with pytest.raises(InvalidSignature):
            READER.read(genuine, body[:place] + bytes([byte]) + body[place + 1 :])

    JSON = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    )

    @settings(max_examples=60, deadline=None)
    @given(
        st.dictionaries(st.sampled_from(sorted(PAID)), JSON), st.sampled_from(["TRANSACTION.SUCCESS", "x"])
    )
    def test_anything_that_wechat_could_seal(self, changed: dict[str, Any], event_type: str) -> None:
        plain = json.dumps({**PAID, **changed}).encode()
        with suppress(NoticeRefused):
            read(plain, event_type)

    @settings(max_examples=60, deadline=None)
    @given(st.dictionaries(st.sampled_from(["id", "event_type", "resource"]), JSON))
    def test_anything_that_wechat_could_sign(self, changed: dict[str, Any]) -> None:
        body = json.dumps({**json.loads(envelope(PAID)), **changed}).encode()
        with suppress(NoticeRefused):
            READER.read(headers(body), body)
