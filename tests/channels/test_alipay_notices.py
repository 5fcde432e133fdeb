"""Alipay's notifications: only what Alipay signed for our application and seller is read; nothing else ever raises
anything but a refusal."""

from contextlib import suppress
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.money import Money
from payments.channels import rsa
from payments.channels.alipay import signing
from payments.channels.alipay.keys import KeyRing
from payments.channels.alipay.notices import Reader
from payments.channels.contract import (
    InvalidSignature,
    MalformedNotice,
    NotForUs,
    Notice,
    NoticeKind,
    NoticeRefused,
    Outcome,
)
from tests.channels.drivers.wallet import new_key

KEY = new_key()
READER = Reader("2021000000000001", "2088000000000001", KeyRing([KEY.public_key()]))
PAID = {
    "notify_time": "2026-11-21 08:00:05",
    "notify_type": "trade_status_sync",
    "notify_id": "ac05099524730693a8b330c5ecf72da978",
    "app_id": "2021000000000001",
    "auth_app_id": "2021000000000001",
    "charset": "utf-8",
    "version": "1.0",
    "trade_no": "2026112122001",
    "out_trade_no": "att_1",
    "seller_id": "2088000000000001",
    "trade_status": "TRADE_SUCCESS",
    "total_amount": "88.80",
    "subject": "蓝色 & bicycle = 1",
    "gmt_payment": "2026-11-21 08:00:00",
    "buyer_id": "2088102177846880",
    "body": "",
}


def form(fields: dict[str, str]) -> bytes:
    return urlencode(fields).encode()


def signed(fields: dict[str, str], key: RSAPrivateKey = KEY) -> dict[str, str]:
    signature = rsa.sign(key, signing.notice_text(fields).encode())
    return {**fields, "sign_type": "RSA2", "sign": signature}


def read(**changed: str) -> Notice:
    return READER.read(form(signed({**PAID, **changed})))


class TestGenuine:
    def test_a_payment(self) -> None:
        notice = read()
        assert (notice.kind, notice.reference) == (NoticeKind.PAYMENT, "att_1")
        assert notice.event_id == PAID["notify_id"]
        assert notice.answer.outcome is Outcome.SUCCEEDED
        assert notice.answer.amount == Money(8_880, "CNY")
        assert notice.answer.channel_reference == "2026112122001"
        assert "buyer_id" not in notice.raw and "sign" not in notice.raw

    def test_a_replay_is_the_same_event(self) -> None:
        assert read().event_id == read(notify_time="2026-11-22 08:00:05").event_id

    def test_empty_fields_are_not_signed_and_not_kept(self) -> None:
        body = form(signed(PAID))
        assert READER.read(body + b"&refund_fee=&%00=") == READER.read(body)

    def test_a_part_refund(self) -> None:
        notice = read(refund_fee="10.00", gmt_refund="2026-11-21 09:00:00.123", out_biz_no="ref_1")
        assert (notice.kind, notice.movement_reference) == (NoticeKind.REFUND, "ref_1")
        assert (notice.answer.outcome, notice.answer.amount) == (Outcome.SUCCEEDED, None)

    def test_a_whole_refund(self) -> None:
        notice = read(
            trade_status="TRADE_CLOSED",
            refund_fee="88.80",
            gmt_refund="2026-11-21 09:00:00",
            out_biz_no="ref_1",
        )
        assert (notice.kind, notice.movement_reference) == (NoticeKind.REFUND, "ref_1")

    def test_an_unpaid_trade_that_closed(self) -> None:
        notice = read(trade_status="TRADE_CLOSED", gmt_payment="", gmt_close="2026-11-21 09:00:00")
        assert (notice.kind, notice.answer.outcome) == (NoticeKind.PAYMENT, Outcome.CANCELLED)

    @pytest.mark.parametrize(
        "changed",
        [
            {"trade_status": "WAIT_BUYER_PAY"},
            {"trade_status": "SOMETHING_NEW"},
            {"trade_status": "TRADE_CLOSED"},
            {"notify_type": "batch_refund_notify"},
        ],
    )
    def test_what_is_of_no_consequence(self, changed: dict[str, str]) -> None:
        assert read(**changed).kind is NoticeKind.OTHER


class TestRefused:
    @pytest.mark.parametrize("name", sorted(set(PAID) - {"body"}))
    def test_an_altered_field(self, name: str) -> None:
        fields = signed(PAID)
        fields[name] += "0"
        with pytest.raises(InvalidSignature):
            READER.read(form(fields))

    @pytest.mark.parametrize("name", sorted(set(PAID) - {"body"}))
    def test_a_removed_field(self, name: str) -> None:
        fields = signed(PAID)
        del fields[name]
        with pytest.raises(InvalidSignature):
            READER.read(form(fields))

    def test_an_added_field(self) -> None:
        with pytest.raises(InvalidSignature):
            READER.read(form({**signed(PAID), "refund_fee": "88.80"}))

    @pytest.mark.parametrize("sign_type", ["RSA", "rsa2", "MD5", ""])
    def test_another_algorithm(self, sign_type: str) -> None:
        with pytest.raises(InvalidSignature):
            READER.read(form({**signed(PAID), "sign_type": sign_type}))

    def test_another_key(self) -> None:
        with pytest.raises(InvalidSignature):
            READER.read(form(signed(PAID, new_key())))

    def test_no_signature(self) -> None:
        with pytest.raises(InvalidSignature):
            READER.read(form(PAID))

    @pytest.mark.parametrize("name", ["app_id", "seller_id"])
    @pytest.mark.parametrize("value", ["2021000000000002", ""])
    def test_another_application_or_seller(self, name: str, value: str) -> None:
        with pytest.raises(NotForUs):
            read(**{name: value})

    @pytest.mark.parametrize("name", ["notify_id", "out_trade_no", "total_amount"])
    def test_signed_without_what_we_need(self, name: str) -> None:
        with pytest.raises(MalformedNotice):
            read(**{name: ""})

    @pytest.mark.parametrize("amount", ["1.001", "NaN", "one", "1e99999999999"])
    def test_signed_with_an_amount_that_can_not_be_read(self, amount: str) -> None:
        with pytest.raises(MalformedNotice):
            read(total_amount=amount)

    def test_a_field_given_twice(self) -> None:
        with pytest.raises(MalformedNotice):
            READER.read(form(signed(PAID)) + b"&total_amount=0.01")

    def test_a_body_without_end(self) -> None:
        with pytest.raises(MalformedNotice):
            READER.read(b"a=1&" * 20_000)

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=300))
    def test_garbage(self, body: bytes) -> None:
        with pytest.raises(NoticeRefused):
            READER.read(body)

    @settings(max_examples=300, deadline=None)
    @given(st.data())
    def test_a_genuine_body_with_any_byte_changed(self, data: st.DataObject) -> None:
        body = form(signed(PAID))
        place = data.draw(st.integers(0, len(body) - 1))
        byte = data.draw(st.integers(0, 255))
        changed = body[:place] + bytes([byte]) + body[place + 1 :]
        with suppress(NoticeRefused):
            # "%3A" and "%3a", or the name of an empty field: other bytes, the same facts
            assert READER.read(changed) == READER.read(body)

    @settings(max_examples=100, deadline=None)
    @given(st.dictionaries(st.sampled_from(sorted(PAID)), st.text(max_size=30)))
    def test_anything_that_alipay_could_sign(self, changed: dict[str, str]) -> None:
        try:
            encoded = form(signed({**PAID, **changed}))
        except UnicodeEncodeError:
            return
        with suppress(NoticeRefused):
            READER.read(encoded)
