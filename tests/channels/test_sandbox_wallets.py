"""The sandbox is as strict as the providers: bad signatures, old nonces and wrong numbers are refused."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from payments.channels.alipay import signing as alipay_signing
from payments.channels.contract import Acknowledgement, Outcome
from payments.channels.wechat import signing as wechat_signing
from tests.channels.drivers.alipay import AlipayDriver
from tests.channels.drivers.wechat import WechatDriver
from tests.channels.world import STRANGER, Receiver, Sandbox, eventually


@pytest.fixture(scope="module")
def ali(sandbox: Sandbox, receiver: Receiver) -> AlipayDriver:
    return AlipayDriver(sandbox, receiver, "strict")


@pytest.fixture(scope="module")
def wx(sandbox: Sandbox, receiver: Receiver) -> WechatDriver:
    return WechatDriver(sandbox, receiver, "strict")


def gateway(ali: AlipayDriver, changed: dict[str, str], after: dict[str, str]) -> Any:
    """What the gateway says to a query with `changed` before it was signed and `after` put in afterwards."""
    sent = {
        "app_id": ali.account["app_id"],
        "method": "alipay.trade.query",
        "charset": "utf-8",
        "sign_type": "RSA2",
        "timestamp": "2026-11-21 08:00:00",
        "version": "1.0",
        "biz_content": '{"out_trade_no":"x"}',
        **changed,
    }
    body = {**alipay_signing.signed(sent, ali.key), **after}
    answer = STRANGER.post(f"{ali.sandbox.url}/alipay/gateway.do", data=body).json()
    return answer


class TestAlipay:
    @pytest.mark.parametrize(
        ("changed", "after", "code"),
        [
            ({}, {"biz_content": "{}"}, "isv.invalid-signature"),
            ({}, {"sign": ""}, "isv.invalid-signature"),
            ({"app_id": "2021"}, {}, "isv.invalid-app-id"),
            ({"sign_type": "RSA"}, {}, "isv.invalid-signature-type"),
            ({"timestamp": "now"}, {}, "isv.invalid-timestamp"),
        ],
    )
    def test_who_can_not_be_known_gets_no_signature(
        self, ali: AlipayDriver, changed: dict[str, str], after: dict[str, str], code: str
    ) -> None:
        answer = gateway(ali, changed, after)
        assert answer["alipay_trade_query_response"]["sub_code"] == code
        assert "sign" not in answer

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"method": "alipay.trade.guess"}, "isv.invalid-method"),
            ({"biz_content": "tea"}, "isv.invalid-parameter"),
            ({}, "ACQ.TRADE_NOT_EXIST"),
        ],
    )
    def test_other_refusals_are_signed(self, ali: AlipayDriver, changed: dict[str, str], code: str) -> None:
        answer = gateway(ali, changed, {})
        assert code in {part["sub_code"] for part in answer.values() if isinstance(part, dict)}
        assert "sign" in answer

    def test_cancel_refunds_what_was_paid(self, ali: AlipayDriver) -> None:
        start, _ = ali.paid()
        content = json.dumps({"out_trade_no": start.reference})
        answer = gateway(ali, {"method": "alipay.trade.cancel", "biz_content": content}, {})
        assert answer["alipay_trade_cancel_response"]["action"] == "refund"
        assert ali.sandbox.payments(start.reference)[0]["refunded"] == 10_000

    def test_anything_but_success_is_sent_again(self, ali: AlipayDriver) -> None:
        start = replace(ali.start_request(), notify_url=ali.receiver.url + "/deaf")
        ali.receiver.answers["/deaf"] = Acknowledgement(200, "success\n")
        ali.channel.start(start)
        ali.customer_pays(start)
        payment = ali.sandbox.payments(start.reference)[0]["id"]

        def tried() -> Any:
            return [one for one in ali.sandbox.deliveries(payment) if one["attempts"]]

        delivery = eventually(tried)[0]
        assert (delivery["state"], delivery["attempts"]) == ("pending", 1)
        wait = delivery["next_at"] - datetime.now(UTC).timestamp()
        assert 230 < wait <= 240

    def test_return_parameters_are_signed(self, ali: AlipayDriver) -> None:
        start = replace(ali.start_request(), device="phone")
        action = ali.channel.start(start).next_action
        assert action is not None
        page = STRANGER.get(action.value, follow_redirects=True)
        paid = STRANGER.post(f"{page.url}/pay")
        assert paid.status_code == 303
        back = urlsplit(paid.headers["location"])
        assert back.path == "/return" and f"out_trade_no={start.reference}" in back.query
        assert "sign=" in back.query


class TestWechat:
    def call(self, wx: WechatDriver, *, at: datetime | None = None, **changed: Any) -> httpx.Response:
        number = changed.pop("number", "nobody_knows")
        target = f"/wechat/v3/pay/transactions/out-trade-no/{number}?mchid={wx.account['mchid']}"
        signer = wechat_signing.Signer(
            changed.get("mchid", wx.account["mchid"]),
            changed.get("serial", wx.account["merchant_serial"]),
            wx.key,
            lambda: at or datetime.now(UTC),
        )
        header = changed.get("header") or signer.authorization("GET", changed.get("signed", target), b"")
        return STRANGER.get(wx.sandbox.url + target, headers={"Authorization": header})

    def test_a_correct_request_is_answered_and_signed(self, wx: WechatDriver) -> None:
        answer = self.call(wx)
        assert (answer.status_code, answer.json()["code"]) == (404, "ORDER_NOT_EXIST")
        names = "timestamp nonce signature serial signature-type".split()
        assert all(f"wechatpay-{name}" in answer.headers for name in names)
        assert answer.headers["wechatpay-serial"].startswith("PUB_KEY_ID_")
        assert answer.headers["request-id"]

    @pytest.mark.parametrize("minutes", [-6, 6])
    def test_five_minutes_are_the_limit(self, wx: WechatDriver, minutes: int) -> None:
        answer = self.call(wx, at=datetime.now(UTC) + timedelta(minutes=minutes))
        assert (answer.status_code, answer.json()["code"]) == (401, "SIGN_ERROR")

    @pytest.mark.parametrize(
        "changed",
        [
            {"serial": "00"},
            {"mchid": "1600"},
            {"signed": "/wechat/v3/other"},
            {"header": "Bearer x"},
            {"header": 'WECHATPAY2-SHA256-RSA2048 mchid="1"'},
        ],
    )
    def test_what_proves_nothing(self, wx: WechatDriver, changed: dict[str, Any]) -> None:
        assert self.call(wx, **changed).status_code == 401

    def test_a_nonce_is_used_once(self, wx: WechatDriver) -> None:
        target = f"/wechat/v3/pay/transactions/out-trade-no/nobody_knows?mchid={wx.account['mchid']}"
        signer = wechat_signing.Signer(
            wx.account["mchid"], wx.account["merchant_serial"], wx.key, lambda: datetime.now(UTC)
        )
        header = signer.authorization("GET", target, b"")
        assert [self.call(wx, header=header).status_code for _ in range(2)] == [404, 401]

    def test_a_close_has_no_body_and_is_signed(self, wx: WechatDriver) -> None:
        start = wx.start_request()
        wx.channel.start(start)
        assert wx.channel.void(wx.movement(start)).outcome is Outcome.CANCELLED

    def test_a_notification_that_is_not_taken_is_sent_again(self, wx: WechatDriver) -> None:
        start = replace(wx.start_request(), notify_url=wx.receiver.url + "/busy")
        wx.receiver.answers["/busy"] = Acknowledgement(500, "{}")
        wx.channel.start(start)
        wx.customer_pays(start)
        payment = wx.sandbox.payments(start.reference)[0]["id"]

        def tried() -> Any:
            return [one for one in wx.sandbox.deliveries(payment) if one["attempts"]]

        delivery = eventually(tried)[0]
        assert delivery["state"] == "pending"
        assert 10 < delivery["next_at"] - datetime.now(UTC).timestamp() <= 15


class TestWallet:
    @pytest.mark.parametrize("name", ["ali", "wx"])
    def test_a_page_of_another_origin_can_not_pay(self, name: str, request: pytest.FixtureRequest) -> None:
        driver = request.getfixturevalue(name)
        start = driver.start_request()
        action = driver.channel.start(start).next_action
        headers = {"Origin": "https://evil.example"}
        assert STRANGER.post(f"{action.value}/pay", headers=headers).status_code == 403
        assert driver.sandbox.payments(start.reference)[0]["captured"] == 0

    @pytest.mark.parametrize("name", ["ali", "wx"])
    def test_paying_twice_pays_once(self, name: str, request: pytest.FixtureRequest) -> None:
        driver = request.getfixturevalue(name)
        start = driver.start_request()
        action = driver.channel.start(start).next_action
        statuses = [STRANGER.post(f"{action.value}/pay").status_code for _ in range(2)]
        assert statuses == [303, 409]
        assert driver.sandbox.payments(start.reference)[0]["captured"] == 10_000
        assert "支付成功" in STRANGER.get(action.value).text

    def test_a_description_is_text_and_never_markup(self, wx: WechatDriver) -> None:
        start = replace(wx.start_request(), description="<script>alert(1)</script>")
        action = wx.channel.start(start).next_action
        assert action is not None
        assert "<script>alert" not in STRANGER.get(action.value).text

    def test_an_unknown_code(self, ali: AlipayDriver) -> None:
        for code in ("zzz", "..", "'", urlencode({"a": "%00"})):
            assert STRANGER.get(f"{ali.sandbox.url}/wallet/alipay/{code}").status_code == 404
