"""What a refusal to begin a payment means, in one shape for every channel. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from payments.channels.contract import Outcome

# The code of an UNKNOWN whose connection was not even made. Where it was the first call for a movement, and the only
# one, that proves that the provider never heard of it.
NOT_REACHED: Final = "not_reached"


class Reaction(StrEnum):
    """What a refusal means for our own next step; where it is the customer's, `Advice` says the same."""

    RETRY_LATER = "retry_later"
    OTHER_CHANNEL = "other_channel"
    OTHER_CARD = "other_card"
    OTHER_METHOD = "other_method"
    STEP_UP = "step_up"
    TRY_AGAIN = "try_again"
    CONTACT_BANK = "contact_bank"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Meaning:
    """One row of a channel's table of codes: what a refusal to begin a payment proves, and what follows."""

    outcome: Outcome
    reaction: Reaction
