"""Drives Alipay: one account whose application key the sandbox was given."""

from typing import Any

from payments.channels.alipay.channel import from_settings
from payments.channels.contract import Channel, MovementRequest
from tests.channels.drivers.wallet import WalletDriver, new_key, private_pem, public_pem


class AlipayDriver(WalletDriver):
    code = "alipay"
    start_path = "/alipay/gateway.do"
    refund_path = "/alipay/gateway.do"
    slow_refund = 66_682

    def build(self, *, timeout_seconds: float = 5.0, api_base: str = "") -> Channel:
        self.account: dict[str, Any] = self.sandbox.onboard(
            name=self.merchant, alipay={"app_public_key": public_pem(self.key)}
        )["alipay"]
        gateway = f"{api_base or self.sandbox.url}/alipay/gateway.do"
        return from_settings(self.settings(timeout_seconds=timeout_seconds, gateway=gateway))

    def build_with_wrong_key(self) -> Channel:
        wrong = self.file("wrong.pem", private_pem(new_key()))
        return from_settings(self.settings(app_private_key_file=wrong))

    def settings(self, **changed: Any) -> dict[str, Any]:
        return {
            "gateway": f"{self.sandbox.url}/alipay/gateway.do",
            "app_id": self.account["app_id"],
            "seller_id": self.account["seller_id"],
            "app_private_key_file": self.file("app.pem", private_pem(self.key)),
            "alipay_public_key_file": self.file("alipay.pem", self.account["alipay_public_key"]),
            "timeout_seconds": 5.0,
            **changed,
        }

    def refund_ends(self, movement: MovementRequest) -> None:
        refund = f"/control/alipay/{self.account['app_id']}/refunds/{movement.movement_reference}"
        self.sandbox.ask("POST", f"{refund}/finish")
