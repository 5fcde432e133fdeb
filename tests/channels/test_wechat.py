"""WeChat Pay's channel: what it signs, which answers it believes, and what its words mean."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.money import Money
from payments.channels import rsa
from payments.channels.contract import (
    ActionKind,
    Answer,
    InvalidSignature,
    MalformedNotice,
    MovementRequest,
    NoticeRefused,
    Outcome,
)
from payments.channels.transport import Transport, checked_url
from payments.channels.wechat import signing
from payments.channels.wechat.channel import from_settings
from tests.channels.drivers.wallet import new_key, public_pem
from tests.channels.drivers.wechat import WechatDriver
from tests.channels.world import HTTP, Receiver, Sandbox

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture(scope="module")
def wx(sandbox: Sandbox, receiver: Receiver) -> WechatDriver:
    return WechatDriver(sandbox, receiver, "channel")


@pytest.fixture(scope="module")
def platform_key() -> RSAPrivateKey:
    return new_key()


Told = Callable[..., Answer]


@pytest.fixture
def told(wx: WechatDriver, platform_key: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch) -> Told:
    """What a call makes of an answer that is signed with a platform key that we hold."""
    path = wx.file("mine.pem", public_pem(platform_key))
    channel = from_settings(wx.settings(platform_keys=[f"PUB_KEY_ID_9={path}"], clock=lambda: NOW))
    movement = replace(
        wx.movement(wx.start_request()),
        reference="att_1",
        movement_reference="ref_1",
        amount=Money(100, "CNY"),
    )

    def ask(
        body: Mapping[str, Any] | bytes,
        status: int = 200,
        call: str = "query",
        key: RSAPrivateKey = platform_key,
        at: datetime = NOW,
    ) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        timestamp = str(int(at.timestamp()))
        headers = {
            "Wechatpay-Timestamp": timestamp,
            "Wechatpay-Nonce": "n",
            "Wechatpay-Serial": "PUB_KEY_ID_9",
            "Wechatpay-Signature": rsa.sign(key, signing.answer_text(timestamp, "n", raw)),
        }
        answer = httpx.Response(status, content=raw, headers=headers)
        monkeypatch.setattr(Transport, "send", lambda *a, **k: answer)
        method: Callable[[MovementRequest], Answer] = getattr(channel, call)
        return method(movement)

    return ask


def order(wx: WechatDriver, **changed: Any) -> dict[str, Any]:
    return {
        "appid": wx.account["appid"],
        "mchid": wx.account["mchid"],
        "out_trade_no": "att_1",
        "transaction_id": "42",
        "trade_state": "SUCCESS",
        "amount": {"total": 8_880, "currency": "CNY"},
        **changed,
    }


class TestSigning:
    def test_the_text_of_a_request_ends_with_a_line_even_without_a_body(self) -> None:
        text = signing.request_text("GET", "/wechat/v3/x?mchid=1", "1700000000", "NONCE", b"")
        assert text == b"GET\n/wechat/v3/x?mchid=1\n1700000000\nNONCE\n\n"

    def test_the_text_of_an_answer(self) -> None:
        text = signing.answer_text("1700000000", "n", '{"a":"茶"}'.encode())
        assert text == '1700000000\nn\n{"a":"茶"}\n'.encode()

    def test_the_authorization_header(self) -> None:
        key = new_key()
        header = signing.Signer("1600", "5E0B", key, lambda: NOW).authorization("POST", "/v3/x", b"{}")
        scheme, _, rest = header.partition(" ")
        parts = dict(part.split("=", 1) for part in rest.split(","))
        assert scheme == "WECHATPAY2-SHA256-RSA2048"
        assert (parts["mchid"], parts["serial_no"]) == ('"1600"', '"5E0B"')
        timestamp, nonce = parts["timestamp"].strip('"'), parts["nonce_str"].strip('"')
        assert timestamp == str(int(NOW.timestamp())) and len(nonce) == 32
        text = f"POST\n/v3/x\n{timestamp}\n{nonce}\n{{}}\n".encode()
        assert rsa.verifies(key.public_key(), text, parts["signature"].strip('"'))

    def test_a_sealed_resource_opens_with_its_key_alone(self) -> None:
        key = b"k" * 32
        sealed = AESGCM(key).encrypt(b"123456789012", b"tea", b"")
        resource = {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": "123456789012",
            "ciphertext": b64encode(sealed).decode(),
        }
        assert signing.opened(resource, key) == b"tea"
        with pytest.raises(MalformedNotice):
            signing.opened(resource, b"x" * 32)

    def test_a_verifier_without_the_key_refuses(self) -> None:
        with pytest.raises(InvalidSignature):
            signing.Verifier(lambda serial: None, lambda: NOW).check({}, b"")


class TestSettings:
    @pytest.mark.parametrize(
        ("changed", "word"),
        [
            ({"mchid": ""}, "mchid"),
            ({"platform_keys": []}, "platform_keys"),
            ({"platform_keys": ["no path"]}, "SERIAL="),
            ({"api_v3_key": "short"}, "32 bytes"),
            ({"api_base": "http://api.mch.weixin.qq.com"}, "https"),
            ({"api_base": "http://127.0.0.1@pay.example"}, "https"),
        ],
    )
    def test_what_is_wrong_is_named(self, wx: WechatDriver, changed: dict[str, Any], word: str) -> None:
        with pytest.raises(ValueError, match=word):
            from_settings(wx.settings(**changed))

    @pytest.mark.parametrize(
        "address", ["ftp://x", "x", "http://", "http://localhost.example", "http://10.0.0.1"]
    )
    def test_only_https_or_this_machine(self, address: str) -> None:
        with pytest.raises(ValueError, match="https"):
            checked_url(address)
        assert checked_url("http://[::1]:1/x/") == "http://[::1]:1/x"


class TestStart:
    def test_a_desktop_gets_a_code_and_a_phone_a_page_that_returns(self, wx: WechatDriver) -> None:
        start = wx.start_request()
        code = wx.channel.start(start).next_action
        assert code is not None and code.kind is ActionKind.QR and code.expires_at == start.expires_at
        page = wx.channel.start(replace(wx.start_request(), device="phone")).next_action
        assert page is not None and page.kind is ActionKind.REDIRECT
        assert parse_qs(urlsplit(page.value).query)["redirect_url"] == [start.return_url]
        assert wx.open(page.value) == 200

    def test_wechats_own_browser_gets_what_its_bridge_takes(self, wx: WechatDriver) -> None:
        start = replace(wx.start_request(), device="in_app", payer="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")
        action = wx.channel.start(start).next_action
        assert action is not None and action.kind is ActionKind.IN_APP
        parameters = json.loads(action.value)
        assert set(parameters) == {"appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}
        bridge = f"{wx.sandbox.url}/control/wechat/{wx.account['mchid']}/bridge"
        for name in ("appId", "timeStamp", "nonceStr", "package", "paySign"):
            assert HTTP.post(bridge, json={**parameters, name: parameters[name][::-1]}).status_code == 400
        assert HTTP.post(bridge, json=parameters).json() == {"err_msg": "get_brand_wcpay_request:ok"}
        answer = wx.channel.query(wx.movement(start))
        assert (answer.outcome, answer.raw["trade_type"]) == (Outcome.SUCCEEDED, "JSAPI")
        assert "payer" not in answer.raw

    def test_nobody_named_is_nobody_asked(self, wx: WechatDriver) -> None:
        start = replace(wx.start_request(), device="in_app")
        answer = wx.channel.start(start)
        assert (answer.outcome, answer.code) == (Outcome.ERRORED, "payer_missing")
        assert wx.sandbox.payments(start.reference) == []

    def test_a_long_description_is_cut_between_characters(self, wx: WechatDriver) -> None:
        start = replace(wx.start_request(), description="a" + "茶" * 100)
        assert wx.channel.start(start).outcome is Outcome.ACTION_REQUIRED
        assert wx.sandbox.payments(start.reference)

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"amount": Money(100, "USD")}, "currency_not_supported"),
            ({"amount": Money(0, "CNY")}, "amount_out_of_range"),
            ({"capture": False}, "manual_capture_not_supported"),
            ({"expires_at": datetime(2026, 1, 1, tzinfo=UTC)}, "expired"),
        ],
    )
    def test_what_can_not_be_asked_is_not_asked(
        self, wx: WechatDriver, changed: dict[str, Any], code: str
    ) -> None:
        start = replace(wx.start_request(), **changed)
        answer = wx.channel.start(start)
        assert (answer.outcome, answer.code) == (Outcome.ERRORED, code)
        assert wx.sandbox.payments(start.reference) == []

    def test_another_amount_under_the_same_number_is_unclear(self, wx: WechatDriver) -> None:
        start = wx.start_request()
        wx.channel.start(start)
        answer = wx.channel.start(replace(start, amount=Money(1, "CNY")))
        assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "INVALID_REQUEST")

    def test_an_expired_order_is_not_over_until_it_is_closed(self, wx: WechatDriver) -> None:
        start = wx.start_request()
        wx.channel.start(start)
        wx.sandbox.act(start.reference, "expire")
        assert wx.channel.query(wx.movement(start)).outcome is Outcome.ACTION_REQUIRED
        assert wx.channel.void(wx.movement(start)).outcome is Outcome.CANCELLED
        assert wx.channel.query(wx.movement(start)).outcome is Outcome.CANCELLED


class TestAnswers:
    @pytest.mark.parametrize(
        ("state", "outcome"),
        [
            ("SUCCESS", Outcome.SUCCEEDED),
            ("REFUND", Outcome.SUCCEEDED),
            ("NOTPAY", Outcome.ACTION_REQUIRED),
            ("USERPAYING", Outcome.PENDING),
            ("CLOSED", Outcome.CANCELLED),
            ("REVOKED", Outcome.CANCELLED),
            ("PAYERROR", Outcome.UNKNOWN),
            ("NEW_ONE", Outcome.UNKNOWN),
        ],
    )
    def test_states(self, told: Told, wx: WechatDriver, state: str, outcome: Outcome) -> None:
        assert told(order(wx, trade_state=state)).outcome is outcome

    @pytest.mark.parametrize(
        "changed", [{"out_trade_no": "att_2"}, {"mchid": "1"}, {"appid": "wx"}, {"amount": {"total": "1"}}]
    )
    def test_about_something_else_or_unreadable(
        self, told: Told, wx: WechatDriver, changed: dict[str, Any]
    ) -> None:
        assert told(order(wx, **changed)).outcome is Outcome.UNKNOWN

    def test_unsigned_stale_or_broken(self, told: Told, wx: WechatDriver) -> None:
        genuine = order(wx)
        assert told(genuine, key=new_key()).outcome is Outcome.UNKNOWN
        assert told(genuine, at=NOW + timedelta(seconds=301)).outcome is Outcome.UNKNOWN
        for body in (b"", b"\xff", b"[]", b"{", b"[" * 9_999):
            assert told(body).outcome is Outcome.UNKNOWN
        missing = {"code": "ORDER_NOT_EXIST", "message": "x"}
        assert told(missing, 404, key=new_key()).outcome is Outcome.UNKNOWN
        assert told(missing, 404).outcome is Outcome.NOT_FOUND

    @pytest.mark.parametrize(
        ("call", "status", "code", "outcome"),
        [
            ("query", 500, "SYSTEM_ERROR", Outcome.UNKNOWN),
            ("query", 429, "FREQUENCY_LIMITED", Outcome.UNKNOWN),
            ("query", 404, "SOMETHING", Outcome.UNKNOWN),
            ("void", 404, "ORDER_NOT_EXIST", Outcome.CANCELLED),
            ("void", 400, "ORDER_CLOSED", Outcome.CANCELLED),
            ("void", 500, "SYSTEM_ERROR", Outcome.UNKNOWN),
            ("void", 202, "USERPAYING", Outcome.UNKNOWN),
            ("refund", 403, "NOT_ENOUGH", Outcome.ERRORED),
            ("refund", 429, "FREQUENCY_LIMITED", Outcome.UNKNOWN),
            ("refund", 500, "SYSTEM_ERROR", Outcome.UNKNOWN),
            ("refund", 400, "INVALID_REQUEST", Outcome.UNKNOWN),
            ("query_refund", 404, "RESOURCE_NOT_EXISTS", Outcome.NOT_FOUND),
            ("query_refund", 403, "NO_AUTH", Outcome.UNKNOWN),
        ],
    )
    def test_refusals(self, told: Told, call: str, status: int, code: str, outcome: Outcome) -> None:
        assert told({"code": code, "message": "x"}, status, call).outcome is outcome

    @pytest.mark.parametrize(
        ("status", "outcome"),
        [
            ("SUCCESS", Outcome.SUCCEEDED),
            ("PROCESSING", Outcome.PENDING),
            ("ABNORMAL", Outcome.PENDING),
            ("CLOSED", Outcome.ERRORED),
            ("NEW_ONE", Outcome.UNKNOWN),
        ],
    )
    def test_refunds(self, told: Told, status: str, outcome: Outcome) -> None:
        refund = {
            "out_trade_no": "att_1",
            "out_refund_no": "ref_1",
            "amount": {"refund": 100},
            "status": status,
        }
        assert told(refund, call="refund").outcome is outcome
        assert told(refund, call="query_refund").outcome is outcome
        assert told({**refund, "out_refund_no": "ref_2"}, call="refund").outcome is Outcome.UNKNOWN


def test_acknowledgements(wx: WechatDriver) -> None:
    assert (wx.channel.acknowledge().status, wx.channel.acknowledge().body) == (204, "")
    refusal = wx.channel.refuse(NoticeRefused())
    assert refusal.status == 400 and json.loads(refusal.body)["code"] == "FAIL"
