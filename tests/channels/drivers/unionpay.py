"""Drives UnionPay: the customer's browser posts the form, and picks a card on UnionPay's page."""

import json
from typing import Any

from payments.channels.contract import Capability, Channel, StartRequest
from payments.channels.unionpay.channel import from_settings
from tests.channels.drivers import Driver
from tests.channels.drivers.wallet import WalletDriver, new_key, private_pem, public_pem
from tests.channels.world import HTTP


def post_form(value: str) -> int:
    """The status of the page that a browser sees after it posted the form of a `next_action`."""
    form = json.loads(value)
    return HTTP.post(form["url"], data=form["fields"], follow_redirects=True).status_code


class UnionPayDriver(WalletDriver):
    code = "unionpay"
    start_path = "/unionpay/gateway/api/frontTransReq.do"
    refund_path = "/unionpay/gateway/api/backTransReq.do"
    starts_in_browser = True
    asks_at_start = False
    without = {Capability.MULTI_CAPTURE: "A hold is completed once; the rest goes back."}

    def build(self, *, timeout_seconds: float = 5.0, api_base: str = "") -> Channel:
        self.account = self.onboarded(public_pem(self.key))
        gateway = f"{api_base or self.sandbox.url}/unionpay/gateway/api"
        return from_settings(self.settings(timeout_seconds=timeout_seconds, gateway=gateway))

    def build_with_wrong_key(self) -> Channel:
        """Another merchant's key, whose certificate is as good as ours."""
        wrong = new_key()
        stranger = self.sandbox.onboard(
            name=f"{self.merchant} stranger", unionpay={"merchant_public_key": public_pem(wrong)}
        )["unionpay"]
        return from_settings(
            self.settings(
                sign_key_file=self.file("wrong.pem", private_pem(wrong)),
                sign_cert_file=self.file("wrong-certificate.pem", stranger["merchant_certificate"]),
            )
        )

    def onboarded(self, public: str) -> dict[str, Any]:
        account: dict[str, Any] = self.sandbox.onboard(
            name=self.merchant, unionpay={"merchant_public_key": public}
        )["unionpay"]
        return account

    def settings(self, **changed: Any) -> dict[str, Any]:
        return {
            "gateway": f"{self.sandbox.url}/unionpay/gateway/api",
            "file_gateway": f"{self.sandbox.url}/unionpay/file",
            "mer_id": self.account["mer_id"],
            "common_name": self.account["common_name"],
            "sign_key_file": self.file("sign.pem", private_pem(self.key)),
            "sign_cert_file": self.file("sign-certificate.pem", self.account["merchant_certificate"]),
            "root_cert_file": self.file("root.pem", self.account["root_certificate"]),
            "middle_cert_file": self.file("middle.pem", self.account["middle_certificate"]),
            "timeout_seconds": 5.0,
            **changed,
        }

    def start_request(
        self, amount: int = 10_000, *, capture: bool = True, instrument: str = ""
    ) -> StartRequest:
        return Driver.start_request(self, amount, capture=capture, instrument=instrument)

    def turns_away(self, stranger: Channel, start: StartRequest) -> bool:
        action = stranger.start(start).next_action
        return action is not None and post_form(action.value) == 400

    def customer_opens(self, start: StartRequest) -> None:
        action = self.channel.start(start).next_action
        assert action is not None
        assert post_form(action.value) == 200

    def customer_pays(self, start: StartRequest) -> None:
        self.customer_opens(start)
        super().customer_pays(start)

    def customer_declines(self, start: StartRequest) -> None:
        self.customer_opens(start)
        super().customer_declines(start)
