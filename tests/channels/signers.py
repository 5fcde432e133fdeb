"""Providers with an old and a new key, offline: each tells of one payment, signed with either, at any time."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import stripe as sdk
from django.conf import settings
from django.utils.module_loading import import_string

from payments.channels.contract import Channel
from payments.channels.ecny import signing as ecny_signing
from payments.channels.shared_secret import header
from tests.channels import (
    test_alipay_notices,
    test_bank,
    test_crypto,
    test_ecny,
    test_stripe_notices,
    test_unionpay_notices,
    test_wechat_notices,
)
from tests.channels.authority import IDENTITY, Chain, pem
from tests.channels.drivers.wallet import new_key, private_pem, public_pem

OLD, NEW = 0, 1
NOWHERE = "http://127.0.0.1:9"
Told = tuple[dict[str, str], bytes]  # headers and body


class Signer(ABC):
    code: str
    window: bool = True  # whether the protocol says how old a notice may be

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = [new_key(), new_key()]

    def channel(self, accepted: Sequence[int], clock: Callable[[], datetime]) -> Channel:
        """The channel whose settings name these of the provider's keys."""
        build = import_string(settings.CHANNELS[self.code])
        channel: Channel = build({**self.settings(accepted), "timeout_seconds": 1.0, "clock": clock})
        return channel

    @abstractmethod
    def settings(self, accepted: Sequence[int]) -> dict[str, Any]: ...

    @abstractmethod
    def tell(self, key: int, at: datetime) -> Told: ...

    def file(self, name: str, content: str) -> str:
        path = self.folder / name
        path.write_text(content, encoding="utf-8")
        return str(path)

    def public(self, key: int) -> str:
        return self.file(f"public-{key}.pem", public_pem(self.keys[key]))

    def ours(self) -> str:
        return self.file("ours.pem", private_pem(self.keys[OLD]))


class StripeSigner(Signer):
    code = "stripe"
    secrets = ("whsec_old", "whsec_new")

    def settings(self, accepted: Sequence[int]) -> dict[str, Any]:
        secrets = [self.secrets[key] for key in accepted]
        return {"api_base": NOWHERE, "secret_key": "sk_test_x", "webhook_secrets": secrets}

    def tell(self, key: int, at: datetime) -> Told:
        body = json.dumps(test_stripe_notices.event())
        signed = sdk.WebhookSignature.generate_signature_header(body, self.secrets[key], int(at.timestamp()))
        return {"stripe-signature": signed}, body.encode()


class AlipaySigner(Signer):
    code = "alipay"
    window = False

    def settings(self, accepted: Sequence[int]) -> dict[str, Any]:
        first, *also = [self.public(key) for key in accepted]
        return {
            "gateway": f"{NOWHERE}/gateway.do",
            "app_id": test_alipay_notices.PAID["app_id"],
            "seller_id": test_alipay_notices.PAID["seller_id"],
            "app_private_key_file": self.ours(),
            "alipay_public_key_file": first,
            "also_accepted_key_files": also,
        }

    def tell(self, key: int, at: datetime) -> Told:
        fields = test_alipay_notices.signed(test_alipay_notices.PAID, self.keys[key])
        return {}, test_alipay_notices.form(fields)


class WechatSigner(Signer):
    code = "wechat"
    names = ("PUB_KEY_ID_0", "PUB_KEY_ID_1")

    def settings(self, accepted: Sequence[int]) -> dict[str, Any]:
        return {
            "api_base": NOWHERE,
            "appid": test_wechat_notices.PAID["appid"],
            "mchid": test_wechat_notices.PAID["mchid"],
            "merchant_serial": "00",
            "merchant_private_key_file": self.ours(),
            "api_v3_key": test_wechat_notices.API_V3_KEY.decode(),
            "platform_keys": [f"{self.names[key]}={self.public(key)}" for key in accepted],
        }

    def tell(self, key: int, at: datetime) -> Told:
        body = test_wechat_notices.envelope(test_wechat_notices.PAID)
        return test_wechat_notices.headers(body, self.keys[key], self.names[key], at), body


class UnionPaySigner(Signer):
    """Certificates come along with what they sign: what is changed here are their issuers."""

    code = "unionpay"
    window = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.chains = [Chain(), Chain()]

    def settings(self, accepted: Sequence[int]) -> dict[str, Any]:
        chains = [self.chains[key] for key in accepted]
        ours = self.chains[OLD]
        return {
            "gateway": NOWHERE,
            "file_gateway": NOWHERE,
            "mer_id": test_unionpay_notices.PAID["merId"],
            "common_name": IDENTITY,
            "sign_key_file": self.file("sign.pem", private_pem(ours.key)),
            "sign_cert_file": self.file("sign-certificate.pem", ours.leaf),
            "root_cert_file": self.file("roots.pem", "".join(pem(chain.root) for chain in chains)),
            "middle_cert_file": self.file("middles.pem", "".join(pem(chain.middle) for chain in chains)),
        }

    def tell(self, key: int, at: datetime) -> Told:
        chain = self.chains[key]
        fields = {**test_unionpay_notices.PAID, "signPubKeyCert": chain.leaf}
        return {}, test_unionpay_notices.form(test_unionpay_notices.signed(fields, chain.key))


class EcnySigner(Signer):
    code = "ecny"

    def settings(self, accepted: Sequence[int]) -> dict[str, Any]:
        return {
            "gateway": NOWHERE,
            "mch_id": test_ecny.PAID["mch_id"],
            "merchant_private_key_file": self.ours(),
            "gateway_keys": [f"key-{key}={self.public(key)}" for key in accepted],
        }

    def tell(self, key: int, at: datetime) -> Told:
        fields = {**test_ecny.PAID, "key_id": f"key-{key}", "timestamp": int(at.timestamp())}
        return {}, json.dumps(ecny_signing.signed(fields, self.keys[key])).encode()


class SharedSecretSigner(Signer):
    secrets = ("old", "new")
    name: str  # of the setting
    header: str
    known: dict[str, Any]
    fields: dict[str, Any]

    def settings(self, accepted: Sequence[int]) -> dict[str, Any]:
        return {**self.known, self.name: [self.secrets[key] for key in accepted]}

    def tell(self, key: int, at: datetime) -> Told:
        body = json.dumps(self.fields).encode()
        return {self.header: header(self.secrets[key], int(at.timestamp()), body)}, body


class BankSigner(SharedSecretSigner):
    code = "bank"
    name = "notice_secrets"
    header = "bank-signature"
    known = test_bank.SETTINGS
    fields = test_bank.CREDIT


class CryptoSigner(SharedSecretSigner):
    code = "crypto"
    name = "webhook_secrets"
    header = "invoice-signature"
    known = test_crypto.SETTINGS
    fields = test_crypto.SETTLED


SIGNERS: dict[str, type[Signer]] = {
    signer.code: signer
    for signer in (
        AlipaySigner,
        BankSigner,
        CryptoSigner,
        EcnySigner,
        StripeSigner,
        UnionPaySigner,
        WechatSigner,
    )
}
