"""Drives the crypto processor: the customer pays on the invoice's page."""

from typing import Any

from payments.channels.contract import Channel, MovementRequest, StartRequest
from payments.channels.crypto.channel import from_settings
from tests.channels.drivers import Driver


class CryptoDriver(Driver):
    code = "crypto"
    start_path = "/crypto/v1/stores"
    refund_path = "/crypto/v1/stores"
    slow_refund = 66_682

    def build(self, *, timeout_seconds: float = 5.0, api_base: str = "") -> Channel:
        self.account: dict[str, Any] = self.sandbox.onboard(name="crypto contract")["crypto"]
        address = f"{api_base or self.sandbox.url}/crypto"
        return from_settings(self.settings(timeout_seconds=timeout_seconds, api_base=address))

    def build_with_wrong_key(self) -> Channel:
        return from_settings(self.settings(api_key="wrong"))

    def settings(self, **changed: Any) -> dict[str, Any]:
        return {
            "api_base": f"{self.sandbox.url}/crypto",
            "store": self.account["store"],
            "api_key": self.account["api_key"],
            "webhook_secrets": [self.account["webhook_secret"]],
            "timeout_seconds": 5.0,
            **changed,
        }

    def start_request(
        self, amount: int = 10_000, *, capture: bool = True, instrument: str = ""
    ) -> StartRequest:
        """An invoice is final when it is settled: `capture` has no meaning for it."""
        return super().start_request(amount, capture=True, instrument=instrument)

    def refund_ends(self, movement: MovementRequest) -> None:
        self.end_refund(movement)

    def end_refund(self, movement: MovementRequest, reason: str = "") -> None:
        payment = self.sandbox.payments(movement.reference)[0]["id"]
        path = f"/control/crypto/{payment}/refunds/{movement.movement_reference}/end"
        self.sandbox.ask("POST", path, {"reason": reason})
