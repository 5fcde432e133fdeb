"""Drives WeChat Pay: one merchant in public key mode."""

from typing import Any

from payments.channels.contract import Channel, MovementRequest
from payments.channels.wechat.channel import from_settings
from tests.channels.drivers.wallet import WalletDriver, new_key, private_pem, public_pem


class WechatDriver(WalletDriver):
    code = "wechat"
    start_path = "/wechat/v3/pay/transactions/native"
    refund_path = "/wechat/v3/refund/domestic/refunds"
    slow_refund = 66_671
    abnormal_refund = 66_672

    def build(self, *, timeout_seconds: float = 5.0, api_base: str = "") -> Channel:
        self.account: dict[str, Any] = self.sandbox.onboard(
            name=self.merchant, wechat={"merchant_public_key": public_pem(self.key)}
        )["wechat"]
        base = f"{api_base or self.sandbox.url}/wechat"
        return from_settings(self.settings(timeout_seconds=timeout_seconds, api_base=base))

    def build_with_wrong_key(self) -> Channel:
        wrong = self.file("wrong.pem", private_pem(new_key()))
        return from_settings(self.settings(merchant_private_key_file=wrong))

    def settings(self, **changed: Any) -> dict[str, Any]:
        platform = self.file("platform.pem", self.account["public_key"])
        return {
            "api_base": f"{self.sandbox.url}/wechat",
            **{name: self.account[name] for name in ("appid", "mchid", "merchant_serial", "api_v3_key")},
            "merchant_private_key_file": self.file("merchant.pem", private_pem(self.key)),
            "platform_keys": [f"{self.account['public_key_id']}={platform}"],
            "timeout_seconds": 5.0,
            **changed,
        }

    def refund_ends(self, movement: MovementRequest) -> None:
        refund = f"/control/wechat/{self.account['mchid']}/refunds/{movement.movement_reference}"
        self.sandbox.ask("POST", f"{refund}/SUCCESS")
