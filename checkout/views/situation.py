"""Where an order's payment stands, seen by the customer: one stage, which decides the page. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from checkout.selectors import OrderView
from checkout.states import PAID, OrderState
from payments.selectors import NextActionView, PaymentView
from payments.states import PaymentState


class Stage(StrEnum):
    CHOOSE = "choose"  # nothing was started: pick a method
    QR = "qr"
    CHALLENGE = "challenge"  # 3-D Secure, framed in our page
    CONFIRM = "confirm"  # we ask ourselves, before any provider
    REDIRECT = "redirect"  # a page or app of the provider's
    FORM = "form"  # the same, reached by a form
    TRANSFER = "transfer"  # the customer sends the money by bank
    WAITING = "waiting"
    ASKING = "asking"  # the provider has not said what became of the money
    REVIEW = "review"
    SUCCESS = "success"
    FAILED = "failed"  # no money moved; the order can still be paid
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REFUSED = "refused"  # risk, or the person who reviewed it, said no
    UNCONFIRMED = "unconfirmed"  # the customer did not confirm it as we asked
    MONEY_BACK = "money_back"  # paid too late: the money goes back by itself


# The stages that have a page of their own, with nothing left to do on the payment page.
RESULTS = frozenset(
    {
        Stage.REVIEW,
        Stage.SUCCESS,
        Stage.FAILED,
        Stage.CANCELLED,
        Stage.EXPIRED,
        Stage.REFUSED,
        Stage.UNCONFIRMED,
        Stage.MONEY_BACK,
    }
)
_ACTIONS = {
    "qr": Stage.QR,
    "three_d_secure": Stage.CHALLENGE,
    "challenge": Stage.CONFIRM,
    "redirect": Stage.REDIRECT,
    "form": Stage.FORM,
    "transfer": Stage.TRANSFER,
}
_PAYMENTS = {
    PaymentState.IN_REVIEW: Stage.REVIEW,
    PaymentState.UNKNOWN: Stage.ASKING,
    PaymentState.SUCCEEDED: Stage.WAITING,  # the order turns to paid in the same commit
    PaymentState.FAILED: Stage.FAILED,
    PaymentState.CANCELLED: Stage.CHOOSE,
}
_REFUSALS = frozenset({"review_rejected", "risk_rejected"})
_UNCONFIRMED = frozenset({"challenge_failed", "challenge_expired"})


@dataclass(frozen=True, slots=True)
class Situation:
    stage: Stage
    payment: PaymentView | None
    action: NextActionView | None
    holds_until: datetime
    mark: str  # changes whenever the page would; a poll that brings the same mark gets no answer

    @property
    def is_result(self) -> bool:
        return self.stage in RESULTS


def situation_of(order: OrderView, now: datetime) -> Situation:
    payment = next((payment for payment in order.payments if not payment.surplus), None)
    stage = _stage(order, payment, now)
    action = payment.next_action if payment and stage in _ACTIONS.values() else None
    seed = f"{order.state}|{stage}|{payment.id if payment else ''}|{action.value if action else ''}"
    mark = sha256(seed.encode()).hexdigest()[:16]
    return Situation(stage, payment, action, order.expires_at, mark)


def _stage(order: OrderView, payment: PaymentView | None, now: datetime) -> Stage:
    if order.state in PAID:
        return Stage.SUCCESS
    if order.state == OrderState.CANCELLED_AFTER_PAY:
        return Stage.MONEY_BACK
    if order.state == OrderState.REJECTED:
        return Stage.REFUSED
    if order.state == OrderState.CANCELLED:
        return _closed(order, payment, now)
    return Stage.CHOOSE if payment is None else _stage_of_payment(payment)


def _closed(order: OrderView, payment: PaymentView | None, now: datetime) -> Stage:
    if payment and payment.failure_code in _REFUSALS:
        return Stage.REFUSED
    if payment and payment.failure_code in _UNCONFIRMED:
        return Stage.UNCONFIRMED
    return Stage.EXPIRED if order.expires_at <= now else Stage.CANCELLED


def _stage_of_payment(payment: PaymentView) -> Stage:
    if payment.state == PaymentState.REQUIRES_ACTION and payment.next_action:
        return _ACTIONS.get(str(payment.next_action.kind), Stage.WAITING)
    return _PAYMENTS.get(PaymentState(payment.state), Stage.WAITING)
