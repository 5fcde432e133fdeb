from collections.abc import Sequence

from payments import vault
from payments.channels import registry
from payments.channels.contract import ChannelUnavailable, Instrument, InstrumentUnknown
from payments.errors import ChannelNotReachable, InstrumentInvalid, MethodUnavailable
from payments.facts import PaymentIntent


def find_instrument(*, intent: PaymentIntent, eligible: Sequence[str]) -> tuple[str, Instrument]:
    """This will say what is known of the card that shall pay, and the channel for it, out of the `eligible` ones.

    A kept card is bound to its channel; a new one is described by the first. Asks the provider, so no transaction
    may be open. Raises `InstrumentInvalid`, `ChannelNotReachable`, `MethodUnavailable`, `SavedMethodNotFound`.
    """
    if intent.saved_method:
        channel, instrument = vault.card_of(intent.saved_method, intent.customer)
        if channel not in eligible:
            raise MethodUnavailable(
                "This card can not be used right now; choose another.", param="saved_method"
            )
        return channel, instrument
    if not intent.instrument:
        raise InstrumentInvalid("Enter the card: its token is missing.", param="instrument")
    try:
        return eligible[0], registry.channel(eligible[0]).describe_instrument(intent.instrument)
    except InstrumentUnknown as error:
        raise InstrumentInvalid(
            "Enter the card again: its token is not valid.", param="instrument"
        ) from error
    except ChannelUnavailable as error:
        raise ChannelNotReachable("The card service does not answer; no money moved, try again.") from error
