"""e-CNY through the generic profile: its signature, its notices, its refusals, its bill."""

import json
from base64 import b64encode
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.money import Money
from payments.channels import rsa
from payments.channels.contract import (
    ActionKind,
    Advice,
    Capability,
    ChannelUnavailable,
    InvalidSignature,
    MalformedNotice,
    NotForUs,
    Notice,
    NoticeKind,
    NoticeRefused,
    Outcome,
    StaleNotice,
    StatementNotReady,
    StatementUnavailable,
)
from payments.channels.ecny import signing
from payments.channels.ecny.channel import EcnyChannel, from_settings
from payments.channels.ecny.client import GatewayAnswer
from payments.channels.ecny.notices import Reader
from tests.channels.drivers.ecny import EcnyDriver
from tests.channels.drivers.wallet import new_key
from tests.channels.world import HTTP, Receiver, Sandbox, eventually

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
OLD, NEW = new_key(), new_key()
VERIFIER = signing.Verifier({"old": OLD.public_key(), "new": NEW.public_key()}, lambda: NOW)
READER = Reader("EC0000000001", VERIFIER)
PAID: dict[str, Any] = {
    "notify_id": "n1",
    "event": "order",
    "mch_id": "EC0000000001",
    "out_trade_no": "att_1",
    "trade_no": "EC1",
    "status": "PAID",
    "amount": 8_880,
    "currency": "CNY",
    "paid_at": "2026-11-21T16:00:00+08:00",
    "payer": "0011********3310",
    "timestamp": int(NOW.timestamp()),
    "key_id": "old",
}


@pytest.fixture(scope="module")
def driver(sandbox: Sandbox, receiver: Receiver) -> EcnyDriver:
    return EcnyDriver(sandbox, receiver, "own-ways")


def body(fields: dict[str, Any], key: RSAPrivateKey = OLD) -> bytes:
    return json.dumps(signing.signed(fields, key)).encode()


def read(**changed: Any) -> Notice:
    return READER.read(body({**PAID, **changed}))


class TestSignature:
    def test_the_text_is_the_sorted_fields_that_have_a_value(self) -> None:
        fields = {"mch_id": "EC1", "amount": 100, "empty": "", "sign": "x", "a": "b=c&d"}
        assert signing.signed_text(fields) == b"a=b=c&d&amount=100&mch_id=EC1"

    def test_both_keys_are_believed_while_one_replaces_the_other(self) -> None:
        told = {**PAID, "key_id": "new"}
        assert READER.read(body(told, NEW)).event_id == read().event_id
        with pytest.raises(InvalidSignature):
            READER.read(body(told, OLD))

    @pytest.mark.parametrize("seconds", [-301, 301])
    def test_what_was_said_at_another_time(self, seconds: int) -> None:
        assert read(timestamp=int(NOW.timestamp()) + seconds - seconds // abs(seconds)).event_id == "n1"
        with pytest.raises(StaleNotice):
            read(timestamp=int(NOW.timestamp()) + seconds)

    @pytest.mark.parametrize("name", sorted(PAID))
    def test_an_altered_field(self, name: str) -> None:
        fields = signing.signed(PAID, OLD)
        fields[name] = fields[name] + 1 if isinstance(fields[name], int) else fields[name] + "0"
        with pytest.raises(InvalidSignature):
            READER.read(json.dumps(fields).encode())

    @pytest.mark.parametrize("name", [*sorted(PAID), "sign", "sign_type"])
    def test_a_removed_field(self, name: str) -> None:
        fields = signing.signed(PAID, OLD)
        del fields[name]
        with pytest.raises(InvalidSignature):
            READER.read(json.dumps(fields).encode())

    @pytest.mark.parametrize("value", [1.5, True, None, ["x"], {"a": 1}])
    def test_only_texts_and_whole_numbers_are_signed(self, value: object) -> None:
        fields = {**signing.signed(PAID, OLD), "extra": value}
        fields["sign"] = rsa.sign(OLD, signing.signed_text(fields))
        with pytest.raises(InvalidSignature):
            READER.read(json.dumps(fields).encode())

    def test_a_repeated_field(self) -> None:
        twice = body(PAID).replace(b'"amount"', b'"amount": 1, "amount"', 1)
        with pytest.raises(MalformedNotice):
            READER.read(twice)


class TestNotices:
    def test_a_payment(self) -> None:
        notice = read()
        assert (notice.kind, notice.reference) == (NoticeKind.PAYMENT, "att_1")
        assert (notice.answer.outcome, notice.answer.amount) == (Outcome.SUCCEEDED, Money(8_880, "CNY"))
        assert "payer" not in notice.raw

    def test_one_that_closed(self) -> None:
        answer = read(status="CLOSED", paid_at="").answer
        assert (answer.outcome, answer.amount) == (Outcome.CANCELLED, None)

    def test_a_refund(self) -> None:
        notice = read(event="refund", status="REFUNDED", refund_amount=880, out_refund_no="ref_1")
        assert (notice.kind, notice.movement_reference) == (NoticeKind.REFUND, "ref_1")
        assert notice.answer.amount == Money(880, "CNY")

    @pytest.mark.parametrize("changed", [{"status": "WAITING"}, {"status": "NEW"}, {"event": "wallet"}])
    def test_what_is_of_no_consequence(self, changed: dict[str, str]) -> None:
        assert read(**changed).kind is NoticeKind.OTHER

    def test_another_merchant(self) -> None:
        with pytest.raises(NotForUs):
            read(mch_id="EC0000000002")

    @pytest.mark.parametrize(
        "changed",
        [{"notify_id": ""}, {"out_trade_no": ""}, {"amount": -1}, {"amount": "88.80"}, {"currency": "¥"}],
    )
    def test_what_is_missing_or_unreadable(self, changed: dict[str, Any]) -> None:
        with pytest.raises(MalformedNotice):
            read(**changed)

    @given(
        st.one_of(
            st.binary(max_size=200), st.text(max_size=100).map(lambda text: json.dumps([text]).encode())
        )
    )
    @settings(max_examples=60, deadline=None)
    def test_nothing_else_is_ever_raised(self, sent: bytes) -> None:
        with suppress(NoticeRefused):
            READER.read(sent)


class TestPaying:
    def test_a_desktop_shows_a_code_and_a_phone_opens_the_wallet(self, driver: EcnyDriver) -> None:
        start = driver.start_request()
        shown = driver.channel.start(start).next_action
        assert shown is not None and shown.kind is ActionKind.QR
        start = replace(driver.start_request(), device="phone")
        opened = driver.channel.start(start).next_action
        assert opened is not None and opened.kind is ActionKind.REDIRECT
        after = HTTP.post(f"{opened.value}/pay")
        assert after.headers["location"] == start.return_url
        assert driver.channel.query(driver.movement(start)).outcome is Outcome.SUCCEEDED

    def test_another_amount_under_the_same_number_is_refused(self, driver: EcnyDriver) -> None:
        start = driver.start_request()
        driver.channel.start(start)
        answer = driver.channel.start(replace(start, amount=Money(1, "CNY")))
        assert (answer.outcome, answer.code) == (Outcome.ERRORED, "INVALID_FIELD")
        assert [payment["amount"] for payment in driver.sandbox.payments(start.reference)] == [10_000]

    @pytest.mark.parametrize(
        "changed",
        [
            {"amount": Money(100, "USD")},
            {"amount": Money(0, "CNY")},
            {"capture": False},
            {"expires_at": datetime.now(UTC) - timedelta(seconds=1)},
        ],
    )
    def test_what_need_not_be_sent(self, driver: EcnyDriver, changed: dict[str, Any]) -> None:
        answer = driver.channel.start(replace(driver.start_request(), **changed))
        assert (answer.outcome, answer.advice) == (Outcome.ERRORED, Advice.OTHER_METHOD)

    def test_what_was_never_asked_for_ends_at_its_deadline(self, driver: EcnyDriver) -> None:
        start = driver.start_request()
        assert driver.channel.void(driver.movement(start)).outcome is Outcome.PENDING
        over = replace(start, expires_at=datetime.now(UTC) - timedelta(minutes=2))
        assert driver.channel.void(replace(driver.movement(start), start=over)).outcome is Outcome.CANCELLED

    def test_a_clock_that_is_wrong_is_told_so(self, driver: EcnyDriver) -> None:
        start, _ = driver.paid()
        late = from_settings(driver.settings(clock=lambda: datetime.now(UTC) + timedelta(minutes=6)))
        assert late.query(driver.movement(start)).outcome is Outcome.UNKNOWN

    def test_both_of_the_gateways_keys_are_in_use(self, driver: EcnyDriver) -> None:
        start, _ = driver.paid()
        one_key = from_settings(driver.settings(gateway_keys=driver.settings()["gateway_keys"][:1]))
        outcomes = {one_key.query(driver.movement(start)).outcome for _ in range(2)}
        assert outcomes == {Outcome.SUCCEEDED, Outcome.UNKNOWN}

    def test_nothing_is_held_and_nothing_disputed(self, driver: EcnyDriver) -> None:
        unable = {Capability.MANUAL_CAPTURE, Capability.VOID, Capability.DISPUTE, Capability.SAVED_INSTRUMENT}
        assert not unable & driver.channel.capabilities

    def test_an_expired_order_is_told(self, driver: EcnyDriver) -> None:
        start = driver.start_request()
        driver.channel.start(start)
        driver.sandbox.act(start.reference, "expire")

        def told() -> list[Outcome]:
            notices = [
                driver.channel.read_notice(one.headers, one.body)
                for one in driver.receiver.at(driver.notify_path)
            ]
            return [notice.answer.outcome for notice in notices if notice.reference == start.reference]

        assert eventually(told) == [Outcome.CANCELLED]

    @pytest.mark.parametrize("name", ["gateway", "mch_id", "merchant_private_key_file", "gateway_keys"])
    def test_a_missing_setting_is_named(self, driver: EcnyDriver, name: str) -> None:
        with pytest.raises(ValueError, match=name):
            from_settings(driver.settings(**{name: ""}))


class TestStatement:
    def test_a_bill_comes_the_next_day(self, driver: EcnyDriver) -> None:
        channel = driver.channel
        assert isinstance(channel, EcnyChannel)
        today = datetime.now(UTC).astimezone().date()
        with pytest.raises(StatementNotReady):
            channel.fetch_statement("trade", today + timedelta(days=1))
        assert channel.fetch_statement("trade", today - timedelta(days=5)).content == b""
        with pytest.raises(StatementUnavailable):
            channel.fetch_statement("unheard of", today)

    @pytest.mark.parametrize("digest", [sha256(b"time,kind\n").hexdigest(), "0" * 64])
    def test_only_the_whole_bill_is_taken(self, digest: str) -> None:
        channel = EcnyChannel(gateway=Bills(digest), reader=READER, clock=lambda: NOW)  # type: ignore[arg-type]
        day = NOW.date()
        if digest == "0" * 64:
            with pytest.raises(ChannelUnavailable, match="damaged"):
                channel.fetch_statement("trade", day)
        else:
            assert channel.fetch_statement("trade", day).content == b"time,kind\n"


class Bills:
    """A gateway that has one bill for every day, and says that `digest` is its digest."""

    def __init__(self, digest: str) -> None:
        self._digest = digest

    def call(self, page: str, content: dict[str, str]) -> GatewayAnswer:
        told = {"code": "OK", "name": "bill.csv", "content": b64encode(b"time,kind\n").decode()}
        return GatewayAnswer({**told, **content, "sha256": self._digest})
