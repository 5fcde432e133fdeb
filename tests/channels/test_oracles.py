"""Independent clients, written by others, talk to the sandbox and read what we sign: it is the providers' dialect."""

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from alipay import AliPay
from alipay.exceptions import AliPayException
from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.utils import aes_decrypt, rsa_sign, rsa_verify

from payments.channels import rsa
from payments.channels.alipay import signing as alipay_signing
from payments.channels.alipay.channel import from_settings
from payments.channels.contract import NoticeKind, Outcome
from payments.channels.wechat import signing as wechat_signing
from tests.channels.drivers.alipay import AlipayDriver
from tests.channels.drivers.wallet import private_pem, public_pem
from tests.channels.drivers.wechat import WechatDriver
from tests.channels.world import HTTP, Arrived, Receiver, Sandbox, eventually


@pytest.fixture(scope="module")
def ali(sandbox: Sandbox, receiver: Receiver) -> AlipayDriver:
    return AlipayDriver(sandbox, receiver, "oracle")


@pytest.fixture(scope="module")
def alipay_oracle(ali: AlipayDriver) -> Any:
    oracle = AliPay(
        appid=ali.account["app_id"],
        app_notify_url=ali.receiver.url + ali.notify_path,
        app_private_key_string=private_pem(ali.key),
        alipay_public_key_string=ali.account["alipay_public_key"],
    )
    oracle._gateway = f"{ali.sandbox.url}/alipay/gateway.do"
    return oracle


@pytest.fixture(scope="module")
def wx(sandbox: Sandbox, receiver: Receiver) -> WechatDriver:
    return WechatDriver(sandbox, receiver, "oracle")


@pytest.fixture(scope="module")
def wechat_oracle(wx: WechatDriver) -> Any:
    oracle = WeChatPay(
        wechatpay_type=WeChatPayType.NATIVE,
        mchid=wx.account["mchid"],
        private_key=private_pem(wx.key),
        cert_serial_no=wx.account["merchant_serial"],
        appid=wx.account["appid"],
        apiv3_key=wx.account["api_v3_key"],
        notify_url=wx.receiver.url + wx.notify_path,
        public_key=wx.account["public_key"],
        public_key_id=wx.account["public_key_id"],
        logger=logging.getLogger("oracle"),
    )
    oracle._core._gate_way = wx.sandbox.url
    return oracle


def refund_notices(wx: WechatDriver, number: str) -> list[Arrived]:
    found = wx.receiver.at(wx.notify_path)
    return [
        one for one in found if wx.channel.read_notice(one.headers, one.body).movement_reference == number
    ]


def arrived_about(driver: AlipayDriver | WechatDriver, reference: str, kind: NoticeKind) -> Arrived:
    def look() -> list[Arrived]:
        notices = [
            (one, driver.channel.read_notice(one.headers, one.body))
            for one in driver.receiver.at(driver.notify_path)
        ]
        return [one for one, notice in notices if (notice.reference, notice.kind) == (reference, kind)]

    return eventually(look)[0]


class TestAlipay:
    def test_it_creates_queries_and_refunds(self, ali: AlipayDriver, alipay_oracle: Any) -> None:
        reference = ali.start_request().reference
        made = alipay_oracle.api_alipay_trade_precreate("Green tea", reference, "200.00")
        assert made["code"] == "10000" and made["qr_code"].startswith(ali.sandbox.url)
        before = alipay_oracle.api_alipay_trade_query(out_trade_no=reference)
        assert (before["code"], before["sub_code"]) == ("40004", "ACQ.TRADE_NOT_EXIST")
        ali.sandbox.act(reference, "scan")
        assert alipay_oracle.api_alipay_trade_query(reference)["trade_status"] == "WAIT_BUYER_PAY"
        ali.sandbox.act(reference, "pay")
        paid = alipay_oracle.api_alipay_trade_query(reference)
        assert (paid["trade_status"], paid["total_amount"]) == ("TRADE_SUCCESS", "200.00")
        back = alipay_oracle.api_alipay_trade_refund("50.00", reference, out_request_no="ref_1")
        assert (back["fund_change"], back["refund_fee"]) == ("Y", "50.00")
        again = alipay_oracle.api_alipay_trade_refund("50.00", reference, out_request_no="ref_1")
        assert (again["fund_change"], again["refund_fee"]) == ("N", "50.00")
        known = alipay_oracle.api_alipay_trade_fastpay_refund_query("ref_1", out_trade_no=reference)
        assert (known["refund_status"], known["refund_amount"]) == ("REFUND_SUCCESS", "50.00")

    def test_it_closes(self, ali: AlipayDriver, alipay_oracle: Any) -> None:
        reference = ali.start_request().reference
        alipay_oracle.api_alipay_trade_precreate("Green tea", reference, "1.00")
        assert alipay_oracle.api_alipay_trade_close(reference)["sub_code"] == "ACQ.TRADE_NOT_EXIST"
        assert "action" not in alipay_oracle.api_alipay_trade_cancel(reference)
        ali.sandbox.act(reference, "scan")
        assert alipay_oracle.api_alipay_trade_close(reference)["code"] == "10000"
        assert alipay_oracle.api_alipay_trade_query(reference)["trade_status"] == "TRADE_CLOSED"

    @pytest.mark.parametrize("page", ["wap", "page"])
    def test_its_pages_open(self, ali: AlipayDriver, alipay_oracle: Any, page: str) -> None:
        reference = ali.start_request().reference
        build = getattr(alipay_oracle, f"api_alipay_trade_{page}_pay")
        query = build("Green tea", reference, "1.00", return_url="http://127.0.0.1:9/return")
        ali.open(f"{ali.sandbox.url}/alipay/gateway.do?{query}")
        assert ali.sandbox.payments(reference)[0]["state"] == "waiting"

    def test_a_wrong_signature_is_refused(self, ali: AlipayDriver, alipay_oracle: Any) -> None:
        wrong = AliPay(
            appid=ali.account["app_id"],
            app_private_key_string=private_pem(type(ali)(ali.sandbox, ali.receiver, "other").key),
            alipay_public_key_string=ali.account["alipay_public_key"],
        )
        wrong._gateway = alipay_oracle._gateway
        with pytest.raises(AliPayException, match="invalid-signature"):
            wrong.api_alipay_trade_precreate("Green tea", ali.start_request().reference, "1.00")

    def test_it_verifies_the_sandboxs_notifications(self, ali: AlipayDriver, alipay_oracle: Any) -> None:
        start, _ = ali.paid()
        fields = dict(parse_qsl(arrived_about(ali, start.reference, NoticeKind.PAYMENT).body.decode()))
        signature = fields.pop("sign")
        assert alipay_oracle.verify(dict(fields), signature)
        assert not alipay_oracle.verify({**fields, "total_amount": "0.01"}, signature)

    def test_it_verifies_what_we_sign(self, ali: AlipayDriver) -> None:
        """We sign as the application; the oracle, given our public key as "Alipay's", must agree."""
        reader = AliPay("1", None, private_pem(ali.key), public_pem(ali.key))
        sent = alipay_signing.signed({"b": "2&=x", "a": "茶", "empty": "", "sign_type": "RSA2"}, ali.key)
        assert "empty" not in sent
        assert reader._verify(alipay_signing.request_text(sent), sent["sign"])
        assert sent["sign"] == reader._sign("a=茶&b=2&=x&sign_type=RSA2")

    @pytest.mark.parametrize(("device", "page"), [("phone", "wap"), ("desktop", "page")])
    def test_it_builds_the_pages_that_we_build(
        self, ali: AlipayDriver, alipay_oracle: Any, device: str, page: str
    ) -> None:
        start = replace(ali.start_request(), device=device)
        channel = from_settings(ali.settings(desktop_product="page"))
        action = channel.start(start).next_action
        assert action is not None
        ours = dict(parse_qsl(urlsplit(action.value).query))
        content = json.loads(ours["biz_content"])
        build = getattr(alipay_oracle, f"api_alipay_trade_{page}_pay")
        theirs = dict(
            parse_qsl(
                build(
                    content["subject"],
                    content["out_trade_no"],
                    content["total_amount"],
                    return_url=start.return_url,
                    notify_url=start.notify_url,
                    time_expire=content["time_expire"],
                )
            )
        )
        # The oracle still writes the wap product's name as old samples do: QUICK_WAP_PAY.
        named = {"product_code": content["product_code"]}
        assert json.loads(theirs["biz_content"]) | named == content
        differing = {name for name in ours | theirs if ours.get(name) != theirs.get(name)}
        assert differing <= {"biz_content", "format", "timestamp", "sign"}
        unsigned = {name: value for name, value in ours.items() if name != "sign"}
        assert AliPay("1", None, private_pem(ali.key), public_pem(ali.key))._verify(
            alipay_signing.request_text(unsigned), ours["sign"]
        )

    def test_it_learns_of_a_refund_as_we_do(self, ali: AlipayDriver, alipay_oracle: Any) -> None:
        start, answer = ali.paid()
        refund = replace(ali.movement(start, answer), amount=start.amount, movement_reference="ref_all")
        assert ali.channel.refund(refund).outcome is Outcome.SUCCEEDED
        known = alipay_oracle.api_alipay_trade_fastpay_refund_query("ref_all", out_trade_no=start.reference)
        assert (known["refund_status"], known["refund_amount"]) == ("REFUND_SUCCESS", "100.00")
        unknown = alipay_oracle.api_alipay_trade_fastpay_refund_query(
            "ref_none", out_trade_no=start.reference
        )
        assert unknown["code"] == "10000" and "refund_status" not in unknown
        assert alipay_oracle.api_alipay_trade_query(start.reference)["trade_status"] == "TRADE_CLOSED"
        fields = dict(parse_qsl(arrived_about(ali, start.reference, NoticeKind.REFUND).body.decode()))
        signature = fields.pop("sign")
        assert alipay_oracle.verify(fields, signature)


class TestWechat:
    def test_it_creates_queries_and_refunds(self, wx: WechatDriver, wechat_oracle: Any) -> None:
        reference = wx.start_request().reference
        status, body = wechat_oracle.pay("Green tea", reference, {"total": 20_000})
        assert status == 200 and json.loads(body)["code_url"].startswith(wx.sandbox.url)
        assert json.loads(wechat_oracle.query(out_trade_no=reference)[1])["trade_state"] == "NOTPAY"
        wx.sandbox.act(reference, "pay")
        paid = json.loads(wechat_oracle.query(out_trade_no=reference)[1])
        assert (paid["trade_state"], paid["amount"]["payer_total"]) == ("SUCCESS", 20_000)
        by_id = json.loads(wechat_oracle.query(transaction_id=paid["transaction_id"])[1])
        assert by_id == paid
        number = reference.replace("att_", "ref_")
        amount = {"refund": 5_000, "total": 20_000, "currency": "CNY"}
        status, body = wechat_oracle.refund(number, amount, out_trade_no=reference)
        assert (status, json.loads(body)["status"]) == (200, "PROCESSING")
        known = json.loads(wechat_oracle.query_refund(number)[1])
        assert (known["status"], known["amount"]["refund"]) == ("SUCCESS", 5_000)

    def test_it_closes(self, wx: WechatDriver, wechat_oracle: Any) -> None:
        reference = wx.start_request().reference
        wechat_oracle.pay("Green tea", reference, {"total": 100})
        assert wechat_oracle.close(reference)[0] == 204
        assert json.loads(wechat_oracle.query(out_trade_no=reference)[1])["trade_state"] == "CLOSED"
        assert wechat_oracle.query(out_trade_no="never_heard_of")[0] == 404

    def test_its_h5_page_opens(self, wx: WechatDriver, wechat_oracle: Any) -> None:
        scene = {"payer_client_ip": "127.0.0.1", "h5_info": {"type": "Wap"}}
        status, body = wechat_oracle.pay(
            "Green tea",
            wx.start_request().reference,
            {"total": 100},
            scene_info=scene,
            pay_type=WeChatPayType.H5,
        )
        assert status == 200
        assert wx.open(json.loads(body)["h5_url"]) == 200

    def test_its_own_browser_pays_with_the_signature_that_we_make_too(
        self, wx: WechatDriver, wechat_oracle: Any
    ) -> None:
        status, body = wechat_oracle.pay(
            "Green tea",
            wx.start_request().reference,
            {"total": 100},
            payer={"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
            pay_type=WeChatPayType.JSAPI,
        )
        assert status == 200
        prepay_id = json.loads(body)["prepay_id"]
        signer = wechat_signing.Signer("", "", wx.key, lambda: datetime.now(UTC))
        ours = signer.bridge(wx.account["appid"], prepay_id)
        signed = [ours[name] for name in ("appId", "timeStamp", "nonceStr", "package")]
        assert wechat_oracle.sign(signed) == ours["paySign"]
        bridge = f"{wx.sandbox.url}/control/wechat/{wx.account['mchid']}/bridge"
        assert HTTP.post(bridge, json=ours).json()["err_msg"].endswith(":ok")

    def test_it_finishes_an_abnormal_refund(self, wx: WechatDriver, wechat_oracle: Any) -> None:
        start, answer = wx.paid(100_000)
        number = start.reference.replace("att_", "ref_")
        amount = {"refund": 66_672, "total": 100_000, "currency": "CNY"}
        refund_id = json.loads(
            wechat_oracle.refund(number, amount, out_trade_no=start.reference, notify_url=start.notify_url)[1]
        )["refund_id"]
        assert json.loads(wechat_oracle.query_refund(number)[1])["status"] == "ABNORMAL"
        status, body = wechat_oracle.abnormal_refund(
            refund_id, number, "USER_BANK_CARD", "ICBC_DEBIT", "6222020200012345678", "王小明"
        )
        assert (status, json.loads(body)["status"]) == (200, "PROCESSING")
        movement = replace(wx.movement(start, answer), movement_reference=number)
        assert wx.channel.query_refund(movement).outcome is Outcome.SUCCEEDED
        told = eventually(lambda: refund_notices(wx, number))
        callbacks = [wechat_oracle.callback(one.headers, one.body) for one in told]
        events = {callback["event_type"] for callback in callbacks}
        assert events <= {"REFUND.ABNORMAL", "REFUND.SUCCESS"}

    def test_it_reads_the_certificates(self, sandbox: Sandbox, receiver: Receiver) -> None:
        wx = WechatDriver(sandbox, receiver, "oracle certificates")
        mchid = wx.account["mchid"]
        serials = sandbox.ask("POST", f"/control/wechat/{mchid}/signing", {"certificates": 1})["serials"]
        oracle = WeChatPay(
            wechatpay_type=WeChatPayType.NATIVE,
            mchid=mchid,
            private_key=private_pem(wx.key),
            cert_serial_no=wx.account["merchant_serial"],
            appid=wx.account["appid"],
            apiv3_key=wx.account["api_v3_key"],
            public_key=wx.account["public_key"],
            public_key_id=wx.account["public_key_id"],
        )
        oracle._core._gate_way = sandbox.url
        oracle._core._update_certificates()
        assert [f"{one.serial_number:040X}" for one in oracle._core._certificates] == serials[1:]
        status, _ = oracle.query(out_trade_no="never_heard_of")
        assert status == 404

    def test_it_verifies_and_opens_the_sandboxs_notifications(
        self, wx: WechatDriver, wechat_oracle: Any
    ) -> None:
        start, _ = wx.paid()
        arrived = arrived_about(wx, start.reference, NoticeKind.PAYMENT)
        told = wechat_oracle.callback(arrived.headers, arrived.body)
        assert told["event_type"] == "TRANSACTION.SUCCESS"
        assert told["resource"]["out_trade_no"] == start.reference
        assert told["resource"]["amount"]["total"] == start.amount.minor

    def test_it_verifies_what_we_sign(self, wx: WechatDriver) -> None:
        body = '{"description":"茶"}'.encode()
        text = wechat_signing.request_text("POST", "/v3/pay?a=1", "1700000000", "NONCE", body)
        assert rsa.sign(wx.key, text) == rsa_sign(wx.key, text.decode())
        answer = rsa.sign(wx.key, wechat_signing.answer_text("1700000000", "NONCE", body))
        assert rsa_verify("1700000000", "NONCE", body.decode(), answer, wx.key.public_key())

    def test_it_opens_what_the_sandbox_sealed_as_we_do(self, wx: WechatDriver) -> None:
        start, _ = wx.paid()
        arrived = arrived_about(wx, start.reference, NoticeKind.PAYMENT)
        resource = json.loads(arrived.body)["resource"]
        key = wx.account["api_v3_key"]
        theirs = aes_decrypt(resource["nonce"], resource["ciphertext"], resource["associated_data"], key)
        assert theirs is not None
        assert wechat_signing.opened(resource, key.encode()) == theirs.encode()


def test_what_an_oracle_began_our_channel_finishes(
    ali: AlipayDriver, wx: WechatDriver, alipay_oracle: Any, wechat_oracle: Any
) -> None:
    started = [(ali, ali.start_request()), (wx, wx.start_request())]
    alipay_oracle.api_alipay_trade_precreate("Tea", started[0][1].reference, "100.00")
    wechat_oracle.pay("Tea", started[1][1].reference, {"total": 10_000})
    for driver, start in started:
        driver.customer_pays(start)
        answer = driver.channel.query(driver.movement(start))
        assert (answer.outcome, answer.amount) == (Outcome.SUCCEEDED, start.amount)
