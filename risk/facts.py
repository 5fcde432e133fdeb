"""What risk is told about a payment: plain facts known before it, never a model of another app. Pure.

Times are aware UTC datetimes; amounts are minor units; countries are ISO 3166 alpha-2, empty when not known.
"""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerFacts:
    reference: str = ""  # "cus_…"; empty for a guest
    email_hash: str = ""
    phone_hash: str = ""
    paid_orders: int = 0
    registered_at: datetime | None = None
    verification_level: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentFacts:
    kind: str = ""  # "card", "alipay", "wechat_pay"
    country: str = ""
    fingerprint: str = ""
    brand: str = ""
    three_d_secure: bool = True  # of a card: whether its bank can be asked to confirm


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressFacts:
    country: str = ""
    hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFacts:
    identifier: str = ""  # from the signed device cookie
    fingerprint: str = ""  # what the browser's script computed: untrusted, it can only raise risk
    label: str = ""  # for people: "Firefox, Windows"
    is_new: bool = False
    ip: str = ""
    ip_country: str = ""
    is_proxy: bool = False
    latitude_e6: int | None = None  # microdegrees, of the network's place
    longitude_e6: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BehaviourFacts:
    """How the form was filled in, never with what. The first four are what a browser says: untrusted, they can only
    raise risk. None where nobody measured."""

    seconds_on_page: int | None = None  # from showing the form to sending it; never more than the server saw
    keystrokes: int | None = None
    keystroke_ms: int | None = None  # the middle time between two keys of one field
    pastes: int | None = None
    address_changes: int = 0  # since the last order, counted by the server
    coupon_attempts: int = 0  # codes that were tried since the last order, counted by the server


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFacts:
    """One question to risk. `stage` is "order" (light, before the order) or "payment" (full, before the channel)."""

    stage: str
    subject: str  # "ord_…" or "pay_…"
    amount: int
    currency: str
    happened_at: datetime
    channel: str = ""  # "stripe", once the payment is routed
    merchant: str = ""  # whose goods; empty where there is one merchant only
    merchant_country: str = "CN"
    customer: CustomerFacts = field(default_factory=CustomerFacts)
    instrument: InstrumentFacts = field(default_factory=InstrumentFacts)
    delivery: AddressFacts = field(default_factory=AddressFacts)
    device: DeviceFacts = field(default_factory=DeviceFacts)
    behaviour: BehaviourFacts = field(default_factory=BehaviourFacts)
    skus: tuple[str, ...] = ()
    coupon: bool = False  # a coupon takes something off the price
    challenges: tuple[str, ...] = ()  # kinds that the customer can answer, beside a card's 3-D Secure


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One cause of a verdict, in words. `code` is the rule's, list's or limit's stable name."""

    code: str
    text: str
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Risk's answer. `action` is "accept", "challenge", "review" or "reject"; `level` LOW, MEDIUM or HIGH."""

    decision: str  # dec_…
    action: str
    level: str
    score: int
    reasons: tuple[Reason, ...]
    explanation: str
    policy: str  # "starting@1"
    case: str = ""  # case_…, when a person must decide
    decide_by: datetime | None = None
    challenges: tuple[str, ...] = ()  # of "challenge": the kinds that will do, the wanted one first
