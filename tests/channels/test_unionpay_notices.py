"""UnionPay's notices and certificates: only what a proven certificate of UnionPay's signed is read."""

from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from config.scrubbing import scrub_text
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
)
from payments.channels.unionpay import naming, signing
from payments.channels.unionpay.certificates import Distrusted, Trust
from payments.channels.unionpay.notices import Reader
from tests.channels.authority import IDENTITY, NOW, SIGNER_NAME, Chain, certificate, pem
from tests.channels.drivers.wallet import new_key

CHAIN = Chain()
REFERENCE = "att_01kaj2yqz0e3xb6v7c8d9f0g1h"
PAID = {
    "version": "5.1.0",
    "encoding": "UTF-8",
    "signMethod": "01",
    "signPubKeyCert": CHAIN.leaf,
    "txnType": "01",
    "txnSubType": "01",
    "bizType": "000201",
    "merId": "777290058110048",
    "orderId": naming.order_id(REFERENCE),
    "txnTime": "20261121160000",
    "txnAmt": "8880",
    "currencyCode": "156",
    "respCode": "00",
    "respMsg": "Success!",
    "queryId": "202611211600001234567",
    "traceNo": "123456",
    "traceTime": "1121160005",
    "settleDate": "1121",
    "accNo": "622155******0000",
    "payCardType": "02",
}


def trust(**changed: Any) -> Trust:
    told = {
        "roots": [CHAIN.root],
        "intermediates": [CHAIN.middle],
        "identity": IDENTITY,
        "clock": lambda: NOW,
    }
    return Trust(**{**told, **changed})


READER = Reader("777290058110048", trust())


def form(fields: dict[str, str]) -> bytes:
    return urlencode(fields).encode()


def signed(fields: dict[str, str], key: RSAPrivateKey = CHAIN.key) -> dict[str, str]:
    return {**fields, "signature": rsa.sign(key, signing.signed_text(fields))}


def read(**changed: str) -> Notice:
    return READER.read(form(signed({**PAID, **changed})))


class TestSignedText:
    def test_it_is_the_lower_case_digest_of_the_sorted_fields_that_have_a_value(self) -> None:
        fields = {
            "txnAmt": "1000",
            "merId": "777290058110048",
            "empty": "",
            "signature": "x",
            "orderId": "a1",
        }
        # printf 'merId=777290058110048&orderId=a1&txnAmt=1000' | sha256sum
        expected = b"6a50b2ea35b7fe944e06078cb6953b2375fde05649719eac2aa6a6cd760c65fb"
        assert signing.signed_text(fields) == expected

    def test_texts_are_utf_8(self) -> None:
        # printf 'respMsg=成功' | sha256sum
        expected = b"56b2682b9c011afa4234bbb919f0a70d78b62c37988174e4c0dece661a3486df"
        assert signing.signed_text({"respMsg": "成功"}) == expected

    def test_answers_are_not_url_encoded(self) -> None:
        fields = signing.fields_of("respMsg=成功[0000000]&signature=ab+/=&signPubKeyCert=-----B\nA==\n")
        assert fields == {"respMsg": "成功[0000000]", "signature": "ab+/=", "signPubKeyCert": "-----B\nA=="}

    @pytest.mark.parametrize("raw", ["", "a", "=b", "a=1&a=2", "a=1&&b=2", "<html>"])
    def test_what_is_no_answer(self, raw: str) -> None:
        with pytest.raises(signing.MalformedAnswer):
            signing.fields_of(raw)


class TestNames:
    def test_ours_are_letters_and_digits_there_and_ours_again(self) -> None:
        assert naming.order_id(REFERENCE).isalnum()
        assert naming.reference_of(naming.order_id(REFERENCE)) == REFERENCE

    def test_the_time_is_the_one_inside_the_identifier(self) -> None:
        moment = naming.moment_of(REFERENCE)
        assert naming.read_time(naming.txn_time(REFERENCE)) == moment

    def test_undoing_ends_with_unionpays_day(self) -> None:
        assert naming.same_day(REFERENCE, REFERENCE.replace("att_", "ref_"))
        assert not naming.same_day(REFERENCE, "ref_01kbj2yqz0e3xb6v7c8d9f0g1h")
        assert not naming.same_day(REFERENCE, "something else")

    @pytest.mark.parametrize(
        ("text", "ordered", "year"),
        [
            ("0101000001", "20261231235959", 2027),
            ("1231235959", "20270101000001", 2026),
            ("1110090004", "20261121074406", 2026),
        ],
    )
    def test_a_time_without_a_year_is_the_nearest(self, text: str, ordered: str, year: int) -> None:
        told = naming.read_trace_time(text, ordered)
        assert told is not None and told.year == year

    def test_no_time_is_none(self) -> None:
        assert naming.read_trace_time("nonsense", "20261231235959") is None


class TestCertificates:
    def test_the_chain_to_the_root_is_believed(self) -> None:
        assert trust().key_of(CHAIN.leaf).public_numbers() == CHAIN.key.public_key().public_numbers()

    def test_two_signers_are_believed_at_once(self) -> None:
        second = new_key()
        rolled = {**PAID, "signPubKeyCert": CHAIN.issue(key=second)}
        assert read().event_id == READER.read(form(signed(rolled, second))).event_id

    def test_a_new_issuer_is_believed_beside_the_old_one(self) -> None:
        other = Chain()
        both = trust(roots=[CHAIN.root, other.root], intermediates=[CHAIN.middle, other.middle])
        for chain in (CHAIN, other):
            assert both.key_of(chain.leaf).public_numbers() == chain.key.public_key().public_numbers()

    @pytest.mark.parametrize(
        ("why", "leaf"),
        [
            ("self-signed", pem(certificate(SIGNER_NAME, CHAIN.key, None, CHAIN.key))),
            ("another root", Chain().leaf),
            ("expired", CHAIN.issue(ends=timedelta(seconds=-1))),
            ("not yet valid", CHAIN.issue(begins=timedelta(seconds=1))),
            ("another's name", CHAIN.issue("041@Z12@Some merchant@00000062")),
            ("its name elsewhere", CHAIN.issue(f"041@{IDENTITY}@Some merchant@{IDENTITY}")),
            ("no name of this kind", CHAIN.issue(IDENTITY)),
            ("the issuer itself", pem(CHAIN.middle)),
            ("signed by another merchant", pem(certificate(SIGNER_NAME, CHAIN.key, CHAIN.root, CHAIN.key))),
            ("no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
            ("too long", "x" * 10_000),
            ("not ASCII", "证书"),
            ("nothing", ""),
        ],
    )
    def test_what_is_not_believed(self, why: str, leaf: str) -> None:
        with pytest.raises(Distrusted):
            trust().key_of(leaf)
        with pytest.raises(InvalidSignature):
            read(signPubKeyCert=leaf)

    def test_a_merchants_certificate_of_the_same_authority_issues_nothing(self) -> None:
        merchant_key = new_key()
        merchant = certificate("merchant", merchant_key, CHAIN.middle, CHAIN.middle_key)
        forged = pem(certificate(SIGNER_NAME, CHAIN.key, merchant, merchant_key))
        with pytest.raises(Distrusted):
            trust(intermediates=[CHAIN.middle, merchant]).key_of(forged)

    @pytest.mark.parametrize("years", [-2, 2])
    def test_the_clock_decides(self, years: int) -> None:
        with pytest.raises(Distrusted):
            trust(clock=lambda: NOW + timedelta(days=365 * years)).key_of(CHAIN.leaf)


class TestGenuine:
    def test_a_payment(self) -> None:
        notice = read()
        assert (notice.kind, notice.reference) == (NoticeKind.PAYMENT, REFERENCE)
        assert (notice.answer.outcome, notice.answer.amount) == (Outcome.SUCCEEDED, Money(8_880, "CNY"))
        assert notice.answer.channel_reference == PAID["queryId"]
        assert not {"accNo", "signature", "signPubKeyCert"} & set(notice.raw)

    def test_a_hold(self) -> None:
        assert read(txnType="02").answer.outcome is Outcome.AUTHORIZED

    def test_twice_is_one_event(self) -> None:
        assert read().event_id == read(traceTime="1121160009").event_id

    def test_another_currency_is_told(self) -> None:
        assert read(currencyCode="840").answer.amount == Money(8_880, "USD")

    @pytest.mark.parametrize("kind", ["04", "31", "33"])
    def test_a_refund(self, kind: str) -> None:
        name = REFERENCE.replace("att_", "ref_")
        notice = read(txnType=kind, orderId=naming.order_id(name), reqReserved=PAID["orderId"])
        assert (notice.kind, notice.reference, notice.movement_reference) == (
            NoticeKind.REFUND,
            REFERENCE,
            name,
        )

    @pytest.mark.parametrize(
        "changed",
        [{"txnType": "03"}, {"txnType": "32"}, {"respCode": "64"}, {"respCode": "05"}, {"respCode": "ZZ"}],
    )
    def test_what_is_of_no_consequence(self, changed: dict[str, str]) -> None:
        assert read(**changed).kind is NoticeKind.OTHER


class TestRefused:
    @pytest.mark.parametrize("name", sorted(PAID))
    def test_an_altered_field(self, name: str) -> None:
        fields = signed(PAID)
        fields[name] += "0"
        with pytest.raises(InvalidSignature):
            READER.read(form(fields))

    @pytest.mark.parametrize("name", [*sorted(PAID), "signature"])
    def test_a_removed_field(self, name: str) -> None:
        fields = signed(PAID)
        del fields[name]
        with pytest.raises(InvalidSignature):
            READER.read(form(fields))

    def test_an_added_field(self) -> None:
        with pytest.raises(InvalidSignature):
            READER.read(form({**signed(PAID), "discount": "1"}))

    def test_a_repeated_field(self) -> None:
        with pytest.raises(MalformedNotice):
            READER.read(form(signed(PAID)) + b"&txnAmt=1")

    def test_the_right_certificate_with_another_key(self) -> None:
        with pytest.raises(InvalidSignature):
            READER.read(form(signed(PAID, new_key())))

    @pytest.mark.parametrize("changed", [{"version": "5.0.0"}, {"signMethod": "11"}, {"signMethod": ""}])
    def test_another_version_or_method(self, changed: dict[str, str]) -> None:
        with pytest.raises(InvalidSignature):
            read(**changed)

    def test_another_merchant(self) -> None:
        with pytest.raises(NotForUs):
            read(merId="777290058110049")

    @pytest.mark.parametrize(
        "changed",
        [{"queryId": ""}, {"orderId": ""}, {"txnAmt": "88.80"}, {"txnAmt": "-1"}, {"currencyCode": "999"}],
    )
    def test_what_is_missing_or_unreadable(self, changed: dict[str, str]) -> None:
        with pytest.raises(MalformedNotice):
            read(**changed)

    @given(st.binary(max_size=400))
    @settings(max_examples=60, deadline=None)
    def test_nothing_else_is_ever_raised(self, body: bytes) -> None:
        with suppress(NoticeRefused):
            READER.read(body)


def test_unionpays_own_test_card_is_hidden_although_it_fails_the_check_digit() -> None:
    assert scrub_text("card 6221558812340000.") == "card [card number]."
    assert scrub_text("order 202611211600001234567") == "order 202611211600001234567"
