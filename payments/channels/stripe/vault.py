"""Cards that Stripe keeps for our customers."""

from typing import Any

import stripe

from payments.channels.contract import ChannelUnavailable


class Vault:
    """What is kept lives at Stripe; we hold tokens (`contract.InstrumentVault`)."""

    _api: Any

    def open_customer(self, *, key: str, reference: str) -> str:
        params: Any = {"metadata": {"reference": reference}}
        try:
            return str(self._api.customers.create(params, {"idempotency_key": key}).id)
        except (stripe.StripeError, AttributeError) as error:
            raise ChannelUnavailable("Stripe did not say whether it has the customer") from error

    def forget_instrument(self, token: str) -> None:
        try:
            self._api.payment_methods.detach(token)
        except stripe.InvalidRequestError as error:
            # unknown, or detached before: there is nothing left that could pay
            if error.http_status not in (400, 404):
                raise ChannelUnavailable("Stripe did not say whether it forgot the card") from error
        except stripe.StripeError as error:
            raise ChannelUnavailable("Stripe did not say whether it forgot the card") from error
