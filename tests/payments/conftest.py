"""Payments against a real sandbox: notifications arrive over HTTP at a live server of ours."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from redis import Redis

from ledger.identifiers import encode, new_key
from ledger.money import Money
from payments import routes, selectors
from payments.channels import registry
from payments.facts import PaymentIntent
from payments.selectors import PaymentView
from payments.services.start_payment import start_payment
from risk.facts import AddressFacts, CustomerFacts, PaymentFacts
from tests.channels.world import HTTP, Sandbox, eventually, running_sandbox

CHINESE_VISA = "4000001560000002"
AMERICAN_VISA = "4242424242424242"
DECLINED = "4000000000000002"


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture(scope="session")
def credentials(
    sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory, live_server: Any
) -> dict[str, Any]:
    """Settings of the channels for one merchant, whose notifications go to the live server."""
    keys = tmp_path_factory.mktemp("keys")
    public = {name: _new_key(keys / f"{name}.pem") for name in ("alipay", "wechat", "unionpay", "ecny")}
    account = sandbox.onboard(
        name=f"payments {live_server.url}",
        webhooks={name: f"{live_server.url}/webhooks/{name}" for name in ("stripe", "bank")},
        alipay={"app_public_key": public["alipay"]},
        wechat={"merchant_public_key": public["wechat"]},
        unionpay={"merchant_public_key": public["unionpay"]},
        ecny={"merchant_public_key": public["ecny"]},
    )
    return {
        build.__name__.upper().strip("_"): build(sandbox.url, account, keys)
        for build in (_stripe, _alipay, _wechat, _unionpay, _ecny, _bank, _crypto)
    }


def _stripe(sandbox: str, account: dict[str, Any], keys: Path) -> dict[str, Any]:
    given = account["stripe"]
    return {
        "api_base": f"{sandbox}/stripe",
        "js_url": f"{sandbox}/stripe/js/v3/",
        "secret_key": given["secret_key"],
        "publishable_key": given["publishable_key"],
        "webhook_secrets": [given["webhook_secret"]],
    }


def _alipay(sandbox: str, account: dict[str, Any], keys: Path) -> dict[str, Any]:
    given = account["alipay"]
    (keys / "alipay-public.pem").write_text(given["alipay_public_key"])
    return {
        "gateway": f"{sandbox}/alipay/gateway.do",
        "app_id": given["app_id"],
        "seller_id": given["seller_id"],
        "app_private_key_file": str(keys / "alipay.pem"),
        "alipay_public_key_file": str(keys / "alipay-public.pem"),
    }


def _wechat(sandbox: str, account: dict[str, Any], keys: Path) -> dict[str, Any]:
    given = account["wechat"]
    (keys / "wechat-platform.pem").write_text(given["public_key"])
    return {
        "api_base": f"{sandbox}/wechat",
        "appid": given["appid"],
        "mchid": given["mchid"],
        "merchant_serial": given["merchant_serial"],
        "merchant_private_key_file": str(keys / "wechat.pem"),
        "api_v3_key": given["api_v3_key"],
        "platform_keys": [f"{account['wechat']['public_key_id']}={keys / 'wechat-platform.pem'}"],
    }


def _unionpay(sandbox: str, account: dict[str, Any], keys: Path) -> dict[str, Any]:
    given = account["unionpay"]
    for name in ("merchant_certificate", "root_certificate", "middle_certificate"):
        (keys / f"unionpay-{name}.pem").write_text(given[name])
    return {
        "gateway": f"{sandbox}/unionpay/gateway/api",
        "file_gateway": f"{sandbox}/unionpay/file",
        "mer_id": given["mer_id"],
        "common_name": given["common_name"],
        "sign_key_file": str(keys / "unionpay.pem"),
        "sign_cert_file": str(keys / "unionpay-merchant_certificate.pem"),
        "root_cert_file": str(keys / "unionpay-root_certificate.pem"),
        "middle_cert_file": str(keys / "unionpay-middle_certificate.pem"),
    }


def _ecny(sandbox: str, account: dict[str, Any], keys: Path) -> dict[str, Any]:
    given = account["ecny"]
    for key_id, pem in given["gateway_keys"].items():
        (keys / f"{key_id}.pem").write_text(pem)
    return {
        "gateway": f"{sandbox}/ecny",
        "mch_id": given["mch_id"],
        "merchant_private_key_file": str(keys / "ecny.pem"),
        "gateway_keys": [f"{name}={keys / f'{name}.pem'}" for name in given["gateway_keys"]],
    }


def _bank(sandbox: str, account: dict[str, Any], keys: Path) -> dict[str, Any]:
    given = account["bank"]
    return {
        "api_base": f"{sandbox}/bank",
        "account_name": "Smart Checkout",
        "bank_name": "Sandbox Bank",
        **{name: given[name] for name in ("account", "token", "request_secret")},
        "notice_secrets": [given["notice_secret"]],
    }


def _crypto(sandbox: str, account: dict[str, Any], keys: Path) -> dict[str, Any]:
    given = account["crypto"]
    return {
        "api_base": f"{sandbox}/crypto",
        **{name: given[name] for name in ("store", "api_key")},
        "webhook_secrets": [given["webhook_secret"]],
    }


def _new_key(path: Path) -> str:
    key = rsa.generate_private_key(65537, 2048)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return public.decode()


class Till:
    """Where tests buy: intents with sensible facts, card tokens, and the customer's and the bank's moves."""

    def __init__(self, sandbox: Sandbox, credentials: dict[str, Any]) -> None:
        self.sandbox = sandbox
        self._publishable_key = credentials["STRIPE"]["publishable_key"]

    def card(self, number: str = CHINESE_VISA) -> str:
        answer = HTTP.post(
            f"{self.sandbox.url}/stripe/v1/payment_methods",
            data={
                "type": "card",
                "card[number]": number,
                "card[exp_month]": "4",
                "card[exp_year]": "2040",
                "card[cvc]": "123",
            },
            headers={"Authorization": f"Bearer {self._publishable_key}"},
        )
        answer.raise_for_status()
        return str(answer.json()["id"])

    def intent(
        self,
        method: str = "card",
        *,
        reference: str = "",
        fen: int = 10_000,
        instrument: str = "",
        to: str = "CN",
        paid_orders: int = 3,
        minutes: int = 15,
    ) -> PaymentIntent:
        reference = reference or encode("ord", new_key())
        now = datetime.now(UTC)
        return PaymentIntent(
            reference=reference,
            amount=Money(fen, "CNY"),
            method=method,
            description="Blue bicycle",
            instrument=instrument or (self.card() if method == "card" else ""),
            return_url="http://127.0.0.1:9/return",
            expires_at=now + timedelta(minutes=minutes),
            client_ip="127.0.0.1",
            facts=PaymentFacts(
                stage="payment",
                subject=reference,
                amount=fen,
                currency="CNY",
                happened_at=now,
                customer=CustomerFacts(reference=f"cus_{reference[-12:]}", paid_orders=paid_orders),
                delivery=AddressFacts(country=to),
            ),
        )

    def pay(self, method: str = "card", **asked: Any) -> PaymentView:
        return start_payment(intent=self.intent(method, **asked))

    def attempt(self, payment: PaymentView) -> str:
        """The reference by which the provider knows the payment."""
        return [row.id for row in selectors.attempts_of(payment.id) if row.kind == "START"][-1]

    def customer(self, payment: PaymentView, action: str) -> None:
        """Let the customer "scan", "pay", "decline" or "expire" at the provider."""
        self.sandbox.act(self.attempt(payment), action)

    def wait_for(self, payment: PaymentView, *states: str) -> PaymentView:
        eventually(lambda: selectors.payment(payment.id).state in states)
        return selectors.payment(payment.id)

    def at_provider(self, payment: PaymentView) -> dict[str, Any]:
        found: dict[str, Any] = self.sandbox.payments(self.attempt(payment))[0]
        return found


def mend_breakers() -> None:
    """Rows are gone after each test; what Redis remembers of them goes here."""
    redis = Redis.from_url(settings.REDIS_URL)
    for name in redis.keys("breaker:*"):
        redis.delete(name)
    redis.close()


@pytest.fixture
def till(
    sandbox: Sandbox, credentials: dict[str, Any], settings: Any, live_server: Any, transactional_db: None
) -> Iterator[Till]:
    for name, value in credentials.items():
        setattr(settings, name, value)
    settings.NOTIFY_BASE_URL = live_server.url
    settings.CHANNEL_TIMEOUT_SECONDS = 5.0
    settings.EVENT_HANDLERS = {}
    registry.channel.cache_clear()
    routes.forget()
    mend_breakers()
    sandbox.forget_notifications()  # of earlier tests, which the sandbox would try again
    yield Till(sandbox, credentials)
    registry.channel.cache_clear()
    routes.forget()
    mend_breakers()
