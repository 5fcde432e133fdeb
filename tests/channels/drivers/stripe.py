"""Drives Stripe: cards are tokenised as the browser does it, and money moves at once unless told not to."""

from dataclasses import replace
from typing import Any, cast

from payments.channels.contract import (
    Answer,
    Challenge,
    Channel,
    InstrumentVault,
    MovementRequest,
    StartRequest,
)
from payments.channels.stripe.channel import from_settings
from tests.channels.drivers import Driver
from tests.channels.world import HTTP

VISA = "4242424242424242"
DECLINED = "4000000000000002"


class StripeDriver(Driver):
    code = "stripe"
    start_path = "/stripe/v1/payment_intents"
    refund_path = "/stripe/v1/refunds"
    paid_at_start = True
    merchant = ""

    def build(self, *, timeout_seconds: float = 5.0, api_base: str = "") -> Channel:
        self.account: dict[str, Any] = self.sandbox.onboard(
            name="stripe contract", webhooks={"stripe": self.receiver.url + self.notify_path}
        )["stripe"]
        return from_settings(self.settings(timeout_seconds=timeout_seconds, api_base=api_base))

    def vault(self) -> InstrumentVault:
        return cast(InstrumentVault, self.channel)

    def from_account(self) -> Channel:
        """The channel of the account that the driver holds now."""
        return from_settings(self.settings())

    def build_with_wrong_key(self) -> Channel:
        return from_settings(self.settings(secret_key="sk_test_wrong"))

    def settings(self, **changed: Any) -> dict[str, Any]:
        return {
            "api_base": self.sandbox.url + "/stripe",
            "secret_key": self.account["secret_key"],
            "webhook_secrets": [self.account["webhook_secret"]],
            "timeout_seconds": 5.0,
            **{name: value for name, value in changed.items() if value},
        }

    def card(self, number: str) -> str:
        """A payment method token for `number`, made with the publishable key like the card field does."""
        answer = HTTP.post(
            self.sandbox.url + "/stripe/v1/payment_methods",
            data={
                "type": "card",
                "card[number]": number,
                "card[exp_month]": "4",
                "card[exp_year]": "2040",
                "card[cvc]": "123",
            },
            headers={"Authorization": f"Bearer {self.account['publishable_key']}"},
        )
        answer.raise_for_status()
        return str(answer.json()["id"])

    def instrument(self) -> str:
        return self.card(VISA)

    def declined_instrument(self) -> str:
        return self.card(DECLINED)

    def disputed(self, *, inquiry: bool = False) -> tuple[StartRequest, Answer]:
        number = "4000000000001976" if inquiry else "4000000000000259"
        request = self.start_request(instrument=self.card(number))
        return request, self.channel.start(request)

    def waiting_request(self) -> StartRequest:
        return replace(self.start_request(), challenge=Challenge.REQUIRED)

    def code_request(self) -> StartRequest:
        return replace(self.start_request(), method="wechat_pay", instrument="")

    def page_request(self) -> StartRequest:
        return replace(self.start_request(), method="alipay", instrument="", device="phone")

    def unheard_of(self) -> MovementRequest:
        return replace(super().unheard_of(), channel_reference="pi_0123456789abcdef01234567")
