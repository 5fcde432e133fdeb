"""What callers hand to payments. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ledger.money import Money
from payments.states import CaptureMode
from risk.facts import PaymentFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentIntent:
    """A wish to be paid for `reference` ("ord_…", opaque here) until `expires_at` (aware).

    `facts` is what risk may know before the payment; payments itself fills in its subject and the instrument.
    `instrument` is a channel token of a card, never a number; `saved_method` ("sm_…") names one of the `customer`'s
    kept instruments instead. `keep_instrument` is the customer's consent to keep this one. `payer` is who pays, as the
    wallet calls them (openid). `capture_mode` holds for channels that can hold money; others take it at once.
    `session` is who must answer a challenge (empty: nobody can), `contacts` where its codes go ("email", "sms").
    """

    reference: str
    amount: Money
    method: str
    description: str
    facts: PaymentFacts
    return_url: str
    expires_at: datetime
    instrument: str = ""
    device: str = "desktop"
    client_ip: str = ""
    customer: str = ""
    saved_method: str = ""
    keep_instrument: bool = False
    payer: str = ""
    capture_mode: CaptureMode = CaptureMode.AUTOMATIC
    session: str = ""
    contacts: Mapping[str, str] = field(default_factory=dict)
    language: str = "en"
