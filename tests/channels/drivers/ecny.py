"""Drives e-CNY through the generic profile's gateway."""

from typing import Any

from payments.channels.contract import Channel
from payments.channels.ecny.channel import from_settings
from tests.channels.drivers.wallet import WalletDriver, new_key, private_pem, public_pem


class EcnyDriver(WalletDriver):
    code = "ecny"
    start_path = "/ecny/v1/orders"
    refund_path = "/ecny/v1/refunds"

    def build(self, *, timeout_seconds: float = 5.0, api_base: str = "") -> Channel:
        self.account: dict[str, Any] = self.sandbox.onboard(
            name=self.merchant, ecny={"merchant_public_key": public_pem(self.key)}
        )["ecny"]
        gateway = f"{api_base or self.sandbox.url}/ecny"
        return from_settings(self.settings(timeout_seconds=timeout_seconds, gateway=gateway))

    def build_with_wrong_key(self) -> Channel:
        wrong = self.file("wrong.pem", private_pem(new_key()))
        return from_settings(self.settings(merchant_private_key_file=wrong))

    def settings(self, **changed: Any) -> dict[str, Any]:
        return {
            "gateway": f"{self.sandbox.url}/ecny",
            "mch_id": self.account["mch_id"],
            "merchant_private_key_file": self.file("merchant.pem", private_pem(self.key)),
            "gateway_keys": [
                f"{key_id}={self.file(f'{key_id}.pem', pem)}"
                for key_id, pem in self.account["gateway_keys"].items()
            ],
            "timeout_seconds": 5.0,
            **changed,
        }
