"""Alipay's keys: several at once while Alipay changes its own, a new one of ours, and certificate mode; and refunds
that Alipay only seems to have made."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alipay import DCAliPay

from ledger.money import Money
from payments.channels.alipay import keys
from payments.channels.alipay.channel import from_settings
from payments.channels.contract import InvalidSignature, NoticeKind, Outcome
from tests.channels.drivers.alipay import AlipayDriver
from tests.channels.drivers.wallet import new_key, private_pem, public_pem
from tests.channels.scenes import payment_notices, refund_request
from tests.channels.world import Arrived, Receiver, Sandbox, eventually


@pytest.fixture
def ali(sandbox: Sandbox, receiver: Receiver, request: pytest.FixtureRequest) -> AlipayDriver:
    """A merchant of its own for each test: keys are changed for good."""
    return AlipayDriver(sandbox, receiver, request.node.name)


def switch_key(ali: AlipayDriver, share: int) -> dict[str, str]:
    path = f"/control/alipay/{ali.account['app_id']}/switch-key"
    switched: dict[str, str] = ali.sandbox.ask("POST", path, {"share": share})
    return switched


def about(ali: AlipayDriver, reference: str) -> list[Arrived]:
    return [one for one in ali.receiver.at(ali.notify_path) if reference.encode() in one.body]


class TestSwitch:
    def test_while_alipay_changes_its_key_both_are_believed(self, ali: AlipayDriver) -> None:
        new = ali.file("new.pem", switch_key(ali, 50)["alipay_public_key"])
        both = from_settings(ali.settings(also_accepted_key_files=[new]))
        only_new = from_settings(ali.settings(alipay_public_key_file=new))
        start = ali.start_request()
        asked = 30
        outcomes = [both.query(ali.movement(start)).outcome for _ in range(asked)]
        assert set(outcomes) == {Outcome.NOT_FOUND}
        for channel in (ali.channel, only_new):
            seen = {channel.query(ali.movement(start)).outcome for _ in range(asked)}
            assert seen == {Outcome.NOT_FOUND, Outcome.UNKNOWN}

    def test_notifications_too(self, ali: AlipayDriver) -> None:
        new = ali.file("new.pem", switch_key(ali, 100)["alipay_public_key"])
        both = from_settings(ali.settings(also_accepted_key_files=[new]))
        start = ali.start_request()
        both.start(start)
        ali.customer_pays(start)
        arrived = eventually(lambda: about(ali, start.reference))[0]
        assert both.read_notice(arrived.headers, arrived.body).kind is NoticeKind.PAYMENT
        with pytest.raises(InvalidSignature):
            ali.channel.read_notice(arrived.headers, arrived.body)

    def test_our_own_key_is_changed_by_settings(self, ali: AlipayDriver) -> None:
        start, _ = ali.paid()
        old, ali.key = ali.channel, new_key()
        ali.channel = ali.build()
        assert old.query(ali.movement(start)).outcome is Outcome.UNKNOWN
        assert ali.channel.query(ali.movement(start)).outcome is Outcome.SUCCEEDED

    @pytest.mark.parametrize("hours", [-12, 12])
    def test_a_clock_that_is_wrong_hides_no_answer(self, ali: AlipayDriver, hours: int) -> None:
        """Alipay's protocol has no time window; a payment that we think is over is only not begun."""
        start, _ = ali.paid()
        channel = from_settings(ali.settings(clock=lambda: datetime.now(UTC) + timedelta(hours=hours)))
        assert channel.query(ali.movement(start)).outcome is Outcome.SUCCEEDED
        arrived = eventually(lambda: payment_notices(ali, start))[0]
        assert channel.read_notice(arrived.headers, arrived.body).reference == start.reference


@pytest.fixture(scope="module")
def certified(sandbox: Sandbox, receiver: Receiver) -> AlipayDriver:
    return AlipayDriver(sandbox, receiver, "certified")


@pytest.fixture(scope="module")
def certificates(certified: AlipayDriver) -> dict[str, str]:
    given = certified.sandbox.onboard(name=certified.merchant, alipay={"certificates": True})["alipay"]
    return {
        name: certified.file(f"{name}.crt", given[name])
        for name in ("app_certificate", "alipay_certificate", "alipay_root_certificate")
    }


def certificate_settings(certificates: dict[str, str], **changed: Any) -> dict[str, Any]:
    return {
        "alipay_public_key_file": certificates["alipay_certificate"],
        "app_certificate_file": certificates["app_certificate"],
        "alipay_root_certificate_file": certificates["alipay_root_certificate"],
        **changed,
    }


class TestCertificates:
    def test_a_payment_from_beginning_to_end(
        self, certified: AlipayDriver, certificates: dict[str, str]
    ) -> None:
        channel = from_settings(certified.settings(**certificate_settings(certificates)))
        start = certified.start_request()
        assert channel.start(start).outcome is Outcome.ACTION_REQUIRED
        certified.customer_pays(start)
        assert channel.query(certified.movement(start)).outcome is Outcome.SUCCEEDED

    def test_an_answer_signed_with_another_certificate_is_not_believed(
        self, certified: AlipayDriver, certificates: dict[str, str]
    ) -> None:
        start, _ = certified.paid()
        # the right key in a certificate with another number
        bare = certified.file("bare.pem", certified.account["alipay_public_key"])
        other = certified.file("other.crt", Path(certificates["app_certificate"]).read_text())
        changed = certificate_settings(
            certificates, alipay_public_key_file=other, also_accepted_key_files=[bare]
        )
        assert (
            from_settings(certified.settings(**changed)).query(certified.movement(start)).outcome
            is Outcome.UNKNOWN
        )

    def test_the_new_certificate_is_chosen_by_its_number(self, ali: AlipayDriver) -> None:
        given = ali.sandbox.onboard(name=ali.merchant, alipay={"certificates": True})["alipay"]
        files = {name: ali.file(f"{name}.crt", text) for name, text in given.items() if "certificate" in name}
        new = ali.file("new.crt", switch_key(ali, 50)["alipay_certificate"])
        changed = certificate_settings(files, also_accepted_key_files=[new])
        channel = from_settings(ali.settings(**changed))
        start = ali.start_request()
        assert {channel.query(ali.movement(start)).outcome for _ in range(20)} == {Outcome.NOT_FOUND}

    def test_a_certificate_of_another_application_is_refused(
        self, certified: AlipayDriver, certificates: dict[str, str]
    ) -> None:
        changed = certificate_settings(certificates, app_certificate_file=certificates["alipay_certificate"])
        start = certified.start_request()
        answer = from_settings(certified.settings(**changed)).start(start)
        assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "isv.invalid-app-cert-sn")

    def test_the_numbers_are_the_oracles(self, certified: AlipayDriver, certificates: dict[str, str]) -> None:
        text = {name: Path(path).read_text() for name, path in certificates.items()}
        oracle = DCAliPay(
            appid=certified.account["app_id"],
            app_notify_url="",
            app_private_key_string=private_pem(certified.key),
            app_public_key_cert_string=text["app_certificate"],
            alipay_public_key_cert_string=text["alipay_certificate"],
            alipay_root_cert_string=text["alipay_root_certificate"],
        )
        assert keys.certificate_serial(certificates["app_certificate"]) == oracle.app_cert_sn
        assert keys.root_serial(certificates["alipay_root_certificate"]) == oracle.alipay_root_cert_sn
        oracle._gateway = f"{certified.sandbox.url}/alipay/gateway.do"
        made = oracle.api_alipay_trade_precreate("Tea", certified.start_request().reference, "1.00")
        assert made["code"] == "10000"

    @pytest.mark.parametrize(
        ("changed", "word"),
        [
            ({"alipay_root_certificate_file": ""}, "root"),
            ({"app_certificate_file": "bare"}, "certificate"),
            ({"alipay_root_certificate_file": "bare"}, "root"),
        ],
    )
    def test_half_of_it_is_refused(
        self, certified: AlipayDriver, certificates: dict[str, str], changed: dict[str, str], word: str
    ) -> None:
        bare = certified.file("bare.pem", public_pem(certified.key))
        told = {name: value.replace("bare", bare) for name, value in changed.items()}
        with pytest.raises(ValueError, match=word):
            from_settings(certified.settings(**certificate_settings(certificates, **told)))


class TestRefunds:
    def test_ten_thousand_and_n_is_no_refund_until_the_same_number_moved_it(self, ali: AlipayDriver) -> None:
        start, movement = refund_request(ali, 66_681, 100_000)
        first = ali.channel.refund(movement)
        assert first.outcome is Outcome.PENDING
        assert ali.sandbox.payments(start.reference)[0]["refunded"] == 0
        assert ali.channel.query_refund(movement).outcome is Outcome.NOT_FOUND
        assert ali.channel.refund(movement).outcome is Outcome.SUCCEEDED
        assert ali.channel.refund(movement).outcome is Outcome.SUCCEEDED
        assert ali.sandbox.payments(start.reference)[0]["refunded"] == 66_681

    def test_part_and_rest_are_told_at_the_payments_address(self, ali: AlipayDriver) -> None:
        start, movement = refund_request(ali, 2_500)
        ali.channel.refund(movement)
        rest = replace(movement, movement_reference="ref_rest", amount=Money(7_500, "CNY"))
        ali.channel.refund(rest)

        def told() -> dict[str, str]:
            found = [ali.channel.read_notice(one.headers, one.body) for one in about(ali, start.reference)]
            refunds = [notice for notice in found if notice.kind is NoticeKind.REFUND]
            seen = {one.movement_reference: str(one.raw["trade_status"]) for one in refunds}
            return seen if len(seen) == 2 else {}

        assert eventually(told) == {movement.movement_reference: "TRADE_SUCCESS", "ref_rest": "TRADE_CLOSED"}
