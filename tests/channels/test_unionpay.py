"""UnionPay's own ways, against the sandbox: the form, holds, undoing, key changes and the settlement file."""

import io
import json
import zipfile
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import httpx
import pytest

from ledger.identifiers import encode, new_key
from ledger.money import Money
from payments.channels.contract import (
    ActionKind,
    Advice,
    Answer,
    Capability,
    ChannelUnavailable,
    MovementRequest,
    Outcome,
    StartRequest,
    StatementNotReady,
    StatementSource,
    StatementUnavailable,
)
from payments.channels.unionpay import codes, naming, statement
from payments.channels.unionpay.channel import UnionPayChannel, from_settings
from tests.channels.drivers.unionpay import UnionPayDriver
from tests.channels.drivers.wallet import new_key as new_rsa_key
from tests.channels.drivers.wallet import private_pem, public_pem
from tests.channels.world import HTTP, Receiver, Sandbox


@pytest.fixture(scope="module")
def driver(sandbox: Sandbox, receiver: Receiver) -> UnionPayDriver:
    return UnionPayDriver(sandbox, receiver, "own-ways")


def form_of(driver: UnionPayDriver, start: StartRequest) -> dict[str, Any]:
    action = driver.channel.start(start).next_action
    assert action is not None and action.kind is ActionKind.FORM
    form: dict[str, Any] = json.loads(action.value)
    return form


def post(form: dict[str, Any], **changed: str) -> httpx.Response:
    return HTTP.post(form["url"], data={**form["fields"], **changed}, follow_redirects=True)


def held(driver: UnionPayDriver, amount: int = 10_000) -> tuple[StartRequest, Answer]:
    start = driver.start_request(amount, capture=False)
    driver.customer_pays(start)
    return start, driver.channel.query(driver.movement(start))


def refund_of(driver: UnionPayDriver, start: StartRequest, answer: Answer, amount: int) -> MovementRequest:
    movement = replace(driver.movement(start, answer), start=None)
    return replace(movement, movement_reference=encode("ref", new_key()), amount=Money(amount, "CNY"))


def at_unionpay(driver: UnionPayDriver, start: StartRequest) -> tuple[str, int, int]:
    (found,) = driver.sandbox.payments(start.reference)
    return found["state"], found["captured"], found["refunded"]


class TestTheForm:
    def test_it_names_all_that_unionpay_needs(self, driver: UnionPayDriver) -> None:
        start = driver.start_request()
        fields = form_of(driver, start)["fields"]
        assert fields["orderId"] == start.reference.replace("_", "")
        assert (fields["txnType"], fields["txnAmt"], fields["currencyCode"]) == ("01", "10000", "156")
        assert fields["payTimeout"] == naming.written_time(start.expires_at)
        assert fields["certId"].isdigit() and fields["version"] == "5.1.0"
        assert form_of(driver, replace(start, device="phone"))["fields"]["channelType"] == "08"

    def test_sent_again_it_is_the_same_order(self, driver: UnionPayDriver) -> None:
        form = form_of(driver, driver.start_request())
        assert post(form).url == post(form).url

    @pytest.mark.parametrize("name", ["txnAmt", "orderId", "merId", "backUrl", "certId", "signature"])
    def test_a_customer_who_changes_a_field_gets_nowhere(self, driver: UnionPayDriver, name: str) -> None:
        start = driver.start_request()
        form = form_of(driver, start)
        genuine = form["fields"][name]
        changed = genuine[:-1] + ("8" if genuine.endswith("7") else "7")
        assert post(form, **{name: changed}).status_code == 400
        assert driver.sandbox.payments(start.reference) == []

    @pytest.mark.parametrize("action", ["pay_debit", "pay_credit"])
    def test_a_card_is_picked_and_the_way_back_is_a_signed_form(
        self, driver: UnionPayDriver, action: str
    ) -> None:
        start = driver.start_request()
        page = post(form_of(driver, start))
        assert "6221 5588 1234 0000" in page.text
        after = HTTP.post(f"{page.url}/{action}", follow_redirects=True)
        assert f'action="{start.return_url}"' in after.text and 'name="signature"' in after.text
        assert at_unionpay(driver, start) == ("paid", 10_000, 0)
        told = driver.channel.query(driver.movement(start))
        assert told.instrument is not None
        assert told.instrument.funding == {"pay_debit": "debit", "pay_credit": "credit"}[action]
        assert "accNo" not in told.raw

    def test_what_need_not_be_sent(self, driver: UnionPayDriver) -> None:
        start = driver.start_request()
        for wrong in (
            replace(start, amount=Money(100, "USD")),
            replace(start, amount=Money(0, "CNY")),
            replace(start, expires_at=datetime.now(UTC) - timedelta(seconds=1)),
        ):
            answer = driver.channel.start(wrong)
            assert (answer.outcome, answer.advice) == (Outcome.ERRORED, Advice.OTHER_METHOD)

    def test_a_declined_card(self, driver: UnionPayDriver) -> None:
        start = driver.start_request()
        driver.customer_declines(start)
        answer = driver.channel.query(driver.movement(start))
        assert (answer.outcome, answer.code, answer.advice) == (Outcome.DECLINED, "64", Advice.OTHER_CARD)
        assert driver.channel.void(driver.movement(start)).outcome is Outcome.CANCELLED


class TestHolds:
    def test_a_part_is_taken_once_and_the_rest_let_go(self, driver: UnionPayDriver) -> None:
        start, answer = held(driver)
        assert answer.held_until is not None and answer.held_until > datetime.now(UTC) + timedelta(days=29)
        movement = replace(driver.movement(start, answer), amount=Money(6_000, "CNY"))
        for _ in range(2):
            taken = driver.channel.capture(movement)
            assert (taken.outcome, taken.amount, taken.captured) == (
                Outcome.SUCCEEDED,
                *[movement.amount] * 2,
            )
        now = driver.channel.query(driver.movement(start, answer))
        assert (now.outcome, now.amount, now.captured) == (Outcome.SUCCEEDED, start.amount, movement.amount)
        assert at_unionpay(driver, start) == ("paid", 6_000, 0)

    def test_more_than_is_held_is_refused(self, driver: UnionPayDriver) -> None:
        start, answer = held(driver)
        movement = replace(driver.movement(start, answer), amount=Money(10_001, "CNY"))
        assert driver.channel.capture(movement).outcome is Outcome.ERRORED
        assert at_unionpay(driver, start) == ("authorized", 0, 0)

    def test_what_was_captured_is_never_let_go(self, driver: UnionPayDriver) -> None:
        start, answer = held(driver)
        driver.channel.capture(replace(driver.movement(start, answer), amount=start.amount))
        assert driver.channel.void(driver.movement(start, answer)).outcome is Outcome.SUCCEEDED
        assert at_unionpay(driver, start) == ("paid", 10_000, 0)

    def test_a_lost_answer_to_a_capture_is_unknown_and_the_second_is_no_second(
        self, driver: UnionPayDriver
    ) -> None:
        start, answer = held(driver)
        movement = replace(driver.movement(start, answer), amount=start.amount)
        driver.sandbox.fault("/unionpay/gateway/api/backTransReq.do", "drop_after")
        assert driver.channel.capture(movement).outcome is Outcome.UNKNOWN
        assert driver.channel.capture(movement).outcome is Outcome.SUCCEEDED
        assert at_unionpay(driver, start) == ("paid", 10_000, 0)

    def test_what_was_captured_goes_back(self, driver: UnionPayDriver) -> None:
        start, answer = held(driver)
        driver.channel.capture(replace(driver.movement(start, answer), amount=Money(6_000, "CNY")))
        for amount, outcome in ((6_001, Outcome.ERRORED), (2_000, Outcome.SUCCEEDED)):
            assert driver.channel.refund(refund_of(driver, start, answer, amount)).outcome is outcome
        assert at_unionpay(driver, start) == ("paid", 6_000, 2_000)


class TestGoingBack:
    def test_all_of_it_on_the_same_day_is_undone(self, driver: UnionPayDriver) -> None:
        start, answer = driver.paid()
        undone = driver.channel.refund(refund_of(driver, start, answer, 10_000))
        assert (undone.outcome, undone.amount) == (Outcome.SUCCEEDED, start.amount)
        kinds = {
            one["kind"]
            for one in driver.sandbox.deliveries(driver.sandbox.payments(start.reference)[0]["id"])
        }
        assert "txnType 31" in kinds
        assert at_unionpay(driver, start) == ("paid", 10_000, 10_000)

    def test_without_unionpays_number_it_is_asked_for(self, driver: UnionPayDriver) -> None:
        start, _ = driver.paid()
        movement = refund_of(driver, start, Answer(Outcome.SUCCEEDED), 2_500)
        assert driver.channel.refund(movement).outcome is Outcome.SUCCEEDED
        assert at_unionpay(driver, start) == ("paid", 10_000, 2_500)

    def test_what_was_never_paid_gives_nothing_back(self, driver: UnionPayDriver) -> None:
        movement = refund_of(driver, driver.start_request(), Answer(Outcome.SUCCEEDED), 2_500)
        assert driver.channel.refund(movement).outcome is Outcome.ERRORED


class TestKeys:
    def test_a_merchants_new_certificate_works_beside_the_old_one(self, driver: UnionPayDriver) -> None:
        key = new_rsa_key()
        account = driver.onboarded(public_pem(key))
        renewed = from_settings(
            driver.settings(
                sign_key_file=driver.file("renewed.pem", private_pem(key)),
                sign_cert_file=driver.file("renewed-certificate.pem", account["merchant_certificate"]),
            )
        )
        start, _ = driver.paid()
        assert renewed.query(driver.movement(start)).outcome is Outcome.SUCCEEDED
        assert driver.channel.query(driver.movement(start)).outcome is Outcome.SUCCEEDED

    def test_both_of_unionpays_certificates_are_in_use(self, driver: UnionPayDriver) -> None:
        start, _ = driver.paid()
        seen = set()
        for _ in range(2):
            form = form_of(driver, start)
            fields = {**form["fields"]}
            answer = HTTP.post(form["url"].replace("frontTransReq", "queryTrans"), data=fields)
            seen.add(answer.text.partition("-----BEGIN")[2].partition("-----END")[0])
        assert len(seen) == 2

    @pytest.mark.parametrize(
        "changed",
        [
            {"common_name": "中国银联股份有限公司"},
            {"clock": lambda: datetime.now(UTC) + timedelta(days=4000)},
            {"clock": lambda: datetime.now(UTC) - timedelta(days=2)},
        ],
    )
    def test_an_answer_that_proves_nothing_is_unknown(
        self, driver: UnionPayDriver, changed: dict[str, Any]
    ) -> None:
        start, _ = driver.paid()
        doubtful = from_settings(driver.settings(**changed))
        assert doubtful.query(driver.movement(start)).outcome is Outcome.UNKNOWN

    @pytest.mark.parametrize("name", ["root_cert_file", "middle_cert_file"])
    def test_another_chain_proves_nothing(self, driver: UnionPayDriver, name: str) -> None:
        start, _ = driver.paid()
        told = driver.settings()
        doubtful = from_settings({**told, name: told["sign_cert_file"]})
        assert doubtful.query(driver.movement(start)).outcome is Outcome.UNKNOWN

    def test_a_certificate_of_another_key_is_refused_at_the_start(self, driver: UnionPayDriver) -> None:
        with pytest.raises(ValueError, match="certificate"):
            from_settings(driver.settings(sign_key_file=driver.file("other.pem", private_pem(new_rsa_key()))))

    @pytest.mark.parametrize("name", ["mer_id", "sign_key_file", "root_cert_file", "common_name"])
    def test_a_missing_setting_is_named(self, driver: UnionPayDriver, name: str) -> None:
        with pytest.raises(ValueError, match=name):
            from_settings(driver.settings(**{name: ""}))


class TestUnpaid:
    def test_an_order_that_unionpay_never_saw_ends_at_its_deadline(self, driver: UnionPayDriver) -> None:
        start = driver.start_request()
        assert driver.channel.void(driver.movement(start)).outcome is Outcome.PENDING
        later = from_settings(driver.settings(clock=lambda: start.expires_at + timedelta(minutes=2)))
        assert later.void(driver.movement(start)).outcome is Outcome.CANCELLED


class TestStatement:
    def source(self, channel: Any) -> StatementSource:
        assert isinstance(channel, UnionPayChannel) and Capability.STATEMENT in channel.capabilities
        return channel

    def test_the_days_file_holds_every_movement(self, sandbox: Sandbox, receiver: Receiver) -> None:
        driver = UnionPayDriver(sandbox, receiver, "settlement")
        start, answer = driver.paid(8_880)
        driver.channel.refund(refund_of(driver, start, answer, 880))
        held(driver)
        today = naming.day_of(datetime.now(UTC))
        tomorrow = from_settings(driver.settings(clock=lambda: datetime.now(UTC) + timedelta(days=1)))
        found = self.source(tomorrow).fetch_statement("ACOMN", today)
        rows = list(statement.rows(found.content))
        assert [(row["amount"], row["processing_code"]) for row in rows] == [
            ("000000008880", "000000"),
            ("000000000880", "200000"),
        ]
        assert {row["merchant"] for row in rows} == {driver.account["mer_id"]}
        assert "ACOMN" in found.name and (found.channel, found.day) == ("unionpay", today)

    def test_a_day_without_a_file_is_late_and_then_lost(self, driver: UnionPayDriver) -> None:
        source = self.source(driver.channel)
        today = naming.day_of(datetime.now(UTC))
        with pytest.raises(StatementNotReady):
            source.fetch_statement("ACOMN", today - timedelta(days=2))
        with pytest.raises(StatementUnavailable):
            source.fetch_statement("ACOMN", today - timedelta(days=9))
        with pytest.raises(StatementUnavailable):
            source.fetch_statement("unheard of", today)

    def test_other_widths_are_noticed(self, sandbox: Sandbox, receiver: Receiver) -> None:
        driver = UnionPayDriver(sandbox, receiver, "widths")
        driver.paid()
        other = from_settings(
            driver.settings(
                statement_widths=[11, 12, *statement.WIDTHS[2:]],
                clock=lambda: datetime.now(UTC) + timedelta(days=1),
            )
        )
        with pytest.raises(ChannelUnavailable, match="column 2"):
            self.source(other).fetch_statement("ACOMN", naming.day_of(datetime.now(UTC)))

    def test_a_lost_answer_is_asked_for_again(self, driver: UnionPayDriver) -> None:
        driver.sandbox.fault("/unionpay/file", "garbage_after")
        with pytest.raises(ChannelUnavailable):
            self.source(driver.channel).fetch_statement(
                "ACOMN", naming.day_of(datetime.now(UTC)) - timedelta(days=1)
            )


def packed(
    *members: tuple[str, bytes],
    wrap: Callable[[bytes], bytes] = zlib.compress,
    how: int = zipfile.ZIP_DEFLATED,
) -> str:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", how) as file:
        for name, content in members:
            file.writestr(name, content)
    return b64encode(wrap(archive.getvalue())).decode()


class TestUnpacking:
    def test_a_folder_in_a_name_is_left_away(self) -> None:
        assert statement.unpacked(packed(("2026/INDACOMN", b"x"))) == ("INDACOMN", b"x")

    @pytest.mark.parametrize("name", ["../../etc/INDACOMN", "/etc/INDACOMN", "..\\INDACOMN", "C:/INDACOMN"])
    def test_a_name_that_leads_out_of_the_archive_is_refused(self, name: str) -> None:
        for members in (((name, b"x"),), (("INDACOMN", b"x"), (name.replace("ACOMN", "ALFEE"), b""))):
            with pytest.raises(statement.Unreadable, match="leads out"):
                statement.unpacked(packed(*members))

    def test_a_damaged_file_that_nobody_reads_is_noticed(self) -> None:
        def spoiled(plain: bytes) -> bytes:
            place = plain.index(b"not read")
            return zlib.compress(plain[:place] + b"N" + plain[place + 1 :])

        archive = packed(("INDACOMN", b"x"), ("INDALFEE", b"not read"), wrap=spoiled, how=zipfile.ZIP_STORED)
        with pytest.raises(statement.Unreadable, match="can not be unpacked"):
            statement.unpacked(archive)

    @pytest.mark.parametrize(
        "content",
        [
            "not base 64!",
            packed(),
            packed(("INDACOMN", b"x"), ("IND2ACOMN", b"y")),
            packed(("INDACOMN", b"x"), wrap=lambda plain: plain),
            packed(("INDACOMN", b"x"), wrap=lambda plain: zlib.compress(plain)[:-5]),
            b64encode(zlib.compress(b"no zip")).decode(),
            b64encode(zlib.compress(b"\0" * (40 * 1024 * 1024))).decode(),
        ],
        # A zip file holds the time: as names they would differ between two processes.
        ids=["text", "empty", "two files", "not packed twice", "cut off", "no zip", "bomb"],
    )
    def test_what_can_not_be_unpacked(self, content: str) -> None:
        with pytest.raises(statement.Unreadable):
            statement.unpacked(content)

    def test_whatever_bit_is_wrong_it_is_refused_or_changes_nothing(self) -> None:
        plain = zlib.decompress(b64decode(packed(("INDACOMN", b"0123456789" * 9), ("INDALFEE", b""))))
        for place, bit in product(range(len(plain)), range(8)):
            spoiled = plain[:place] + bytes([plain[place] ^ 1 << bit]) + plain[place + 1 :]
            with suppress(statement.Unreadable):
                _, text = statement.unpacked(b64encode(zlib.compress(spoiled)).decode())
                assert text == b"0123456789" * 9

    def test_a_bomb_inside_the_zip_is_not_unpacked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(statement, "_LARGEST_FILE", 1_000)
        with pytest.raises(statement.Unreadable, match="larger"):
            statement.unpacked(packed(("INDACOMN", b"\0" * 5_000)))

    def test_a_line_that_was_cut_off_is_noticed(self) -> None:
        line = b" ".join(b"0" * width for width in statement.WIDTHS)
        assert len(list(statement.rows(line + b"\r\n" + line))) == 2
        with pytest.raises(statement.Unreadable, match="line 2"):
            list(statement.rows(line + b"\r\n" + line[:-40]))


def test_what_is_not_listed_is_not_proven() -> None:
    assert "ZZ" not in codes.RESULT
    assert {codes.RESULT[code][0] for code in ("03", "04", "05")} == {Outcome.PENDING}
    assert {codes.RESULT[code][0] for code in ("00", "A6")} == {Outcome.SUCCEEDED}
