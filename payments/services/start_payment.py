from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from django.db import IntegrityError, transaction

from ledger.audit import attribute
from payments import outbox, selectors
from payments.channels import registry
from payments.channels.contract import Capability, Challenge, Instrument
from payments.errors import (
    ChannelNotReachable,
    MethodUnavailable,
    PaymentAlreadySucceeded,
    PaymentInProgress,
)
from payments.events import (
    PaymentActionRequired,
    PaymentCancelled,
    PaymentHeldForReview,
    PaymentStarted,
)
from payments.facts import PaymentIntent
from payments.models import Attempt, Payment
from payments.routes import choose
from payments.routing import Case, Route
from payments.selectors import PaymentView
from payments.services.cancel_payment import cancel_payment
from payments.services.claim_instrument import claim_instrument
from payments.services.end_without_money import end_without_money
from payments.services.find_instrument import find_instrument
from payments.services.open_customer import open_customer
from payments.services.send_attempt import send_attempt
from payments.services.tell_code import tell_code
from payments.states import AttemptKind, CaptureMode, PaymentMethod, PaymentState
from risk.challenges import available, respondent
from risk.facts import InstrumentFacts, PaymentFacts, Verdict
from risk.services.assess import assess
from risk.services.note_respondent import note_respondent
from risk.services.open_challenge import open_challenge
from risk.states import ChallengeKind

# Whichever of them another request's payment is in the way of.
_ONE_PAYMENT = ("payment_one_live_per_reference", "payments_payment_business_key_key")


@dataclass(frozen=True, slots=True)
class _Plan:
    intent: PaymentIntent
    route: Route
    channel: str
    instrument: Instrument | None


def start_payment(*, intent: PaymentIntent) -> PaymentView:
    """This will ask risk, then the channel, for the money, and say where that led.

    Opens its own transactions: (1) payment, verdict and attempt are stored under the payment's lock, after
    `PaymentStarted` was published (its handlers may veto); (2) the channel is called with nothing open; (3) the
    answer is applied. The result is SUCCEEDED, AUTHORIZED (held, to be captured), REQUIRES_ACTION (with
    `next_action`), IN_REVIEW, FAILED (with advice), CANCELLED (risk said no), PROCESSING or UNKNOWN; the last two
    settle by themselves. Asking again while the customer is with a wallet returns the same QR; another method or
    card closes what was begun first.
    Raises `MethodUnavailable`, `InstrumentInvalid`, `ChannelNotReachable`, `PaymentInProgress`,
    `PaymentAlreadySucceeded`, `PaymentOutcomeUnknown`, for kept cards `SavedMethodNotFound`, `SavedMethodExpired`,
    `SavedMethodLimit` and `CustomerUnknown`, and what a handler of `PaymentStarted` raises.
    """
    plan = _plan(intent)
    live = selectors.live_payment(intent.reference)
    if live:
        if _goes_on(live, intent):
            return live
        _make_way(live)
    try:
        payment, attempt = _open(plan)
    except IntegrityError as error:
        if _broken_constraint(error) not in _ONE_PAYMENT:
            raise
        raise PaymentInProgress("A payment for this order has just begun; wait for its result.") from error
    if attempt:
        send_attempt(attempt=attempt)
    elif payment.challenge_pending:
        tell_code(challenge=payment.challenge, intent=intent)
    return selectors.payment(payment.public_id)


def _broken_constraint(error: IntegrityError) -> str:
    cause = error.__cause__
    return (cause.diag.constraint_name or "") if isinstance(cause, psycopg.Error) else ""


def _plan(intent: PaymentIntent) -> _Plan:
    choice = choose(_case(intent))
    if choice.only_broken:
        raise ChannelNotReachable("This way to pay does not work just now; no money moved, try again soon.")
    if not choice.eligible:
        raise MethodUnavailable("This way to pay is not available; choose another.", param="method")
    code = choice.eligible[0]
    instrument = None
    if intent.method == PaymentMethod.CARD:
        code, instrument = find_instrument(intent=intent, eligible=choice.eligible)
        if intent.keep_instrument and not intent.saved_method:
            open_customer(customer=intent.customer, channel=code)
    return _Plan(intent, choice, code, instrument)


def _case(intent: PaymentIntent) -> Case:
    needs = set()
    if intent.keep_instrument:
        needs.add(Capability.SAVED_INSTRUMENT)
    if intent.capture_mode == CaptureMode.MANUAL and intent.method == PaymentMethod.CARD:
        needs.add(Capability.MANUAL_CAPTURE)
    return Case(
        reference=intent.reference,
        method=intent.method,
        amount=intent.amount.minor,
        currency=intent.amount.currency,
        country=intent.facts.delivery.country,
        device=intent.device,
        needs=frozenset(needs),
    )


def _goes_on(live: PaymentView, intent: PaymentIntent) -> bool:
    """Whether asking again means what is already going on."""
    same_wallet = live.method == intent.method and intent.method != PaymentMethod.CARD
    waiting = live.state in (PaymentState.PROCESSING, PaymentState.UNKNOWN, PaymentState.AUTHORIZED)
    # A person had the customer asked: another card does not help out of it.
    asked = live.state == PaymentState.REQUIRES_ACTION and live.held.minor > 0
    return (
        live.state == PaymentState.IN_REVIEW
        or waiting
        or asked
        or (live.state == PaymentState.REQUIRES_ACTION and same_wallet)
    )


def _make_way(live: PaymentView) -> None:
    if live.state == PaymentState.SUCCEEDED:
        raise PaymentAlreadySucceeded("This order is paid; nothing more is due.")
    if live.state == PaymentState.REQUIRES_ACTION:
        after = cancel_payment(payment=live.id, actor="system", reason="replaced")
        if after.state == PaymentState.SUCCEEDED:
            raise PaymentAlreadySucceeded("The earlier try went through: this order is paid.")
        if after.state != PaymentState.CANCELLED:
            raise PaymentInProgress("The earlier try is being closed; try again in a moment.")


def _open(plan: _Plan) -> tuple[Payment, Attempt | None]:
    intent = plan.intent
    with transaction.atomic(durable=True):
        attribute(actor=intent.facts.customer.reference or "guest", reason="payment")
        payment = _payment_for(plan)
        # The customer's limit is locked before the order, as everywhere.
        facts = _facts(plan, payment)
        verdict = assess(facts=facts)
        outbox.publish(PaymentStarted(**payment.told()))
        payment.check_risk(
            decision=verdict.decision,
            risk_level=verdict.level,
            case=verdict.case,
            decide_by=verdict.decide_by,
            review_pending=verdict.action == "review",
            instrument=_kept(plan.instrument),
        )
        payment.store()
        if payment.review_pending:
            asked = _respondent(intent, facts.challenges)
            note_respondent(case=verdict.case, respondent=asked)
        return payment, _act_on(verdict, payment, plan)


def _act_on(verdict: Verdict, payment: Payment, plan: _Plan) -> Attempt | None:
    if verdict.action == "reject":
        payment.cancel("risk_rejected")
        end_without_money(payment=payment)
        payment.store()
        outbox.publish(PaymentCancelled(**payment.told(), reason="risk_rejected"))
        return None
    attempt = _attempt(payment, plan, verdict)
    if verdict.action == "challenge" and not _by_the_bank(verdict):
        _challenge(verdict, payment, plan.intent)
        return None
    if payment.review_pending and plan.instrument is None:
        # A wallet takes the money at once, so the person decides before the wallet is asked.
        payment.hold_for_review()
        payment.store()
        outbox.publish(PaymentHeldForReview(**payment.told(), decide_by=payment.expires_at.isoformat()))
        return None
    payment.process()
    payment.store()
    attempt.send()
    attempt.store()
    return attempt


def _by_the_bank(verdict: Verdict) -> bool:
    """Whether the card's bank asks the customer, with 3-D Secure."""
    return not verdict.challenges or verdict.challenges[0] == ChallengeKind.THREE_D_SECURE


def _challenge(verdict: Verdict, payment: Payment, intent: PaymentIntent) -> None:
    """The customer proves to us who they are before any channel is asked."""
    kinds = [kind for kind in verdict.challenges if kind != ChallengeKind.THREE_D_SECURE]
    challenge = open_challenge(
        decision=verdict.decision, respondent=_respondent(intent, kinds), latest=intent.expires_at
    )
    payment.await_challenge(challenge.id, challenge.expires_at)
    payment.store()
    outbox.publish(PaymentActionRequired(**payment.told(), expires_at=payment.expires_at.isoformat()))


def _respondent(intent: PaymentIntent, kinds: Sequence[str]) -> dict[str, Any]:
    return respondent(owner=intent.session, contacts=intent.contacts, address=intent.client_ip, kinds=kinds)


def _payment_for(plan: _Plan) -> Payment:
    """The one payment of the reference, locked: a new row, or the refused one to be tried again."""
    intent = plan.intent
    rows = Payment.objects.filter(reference=intent.reference)
    payment = rows.filter(surplus=False).exclude(state=PaymentState.CANCELLED).locked().first()
    if payment and payment.state not in (PaymentState.INIT, PaymentState.FAILED):
        raise PaymentInProgress("A payment for this order has just begun; wait for its result.")
    if payment and payment.attempts.open().exists():
        # Closes act on the latest try: the answer to this one must not hit the next.
        raise PaymentInProgress("The earlier try is being closed; try again in a moment.")
    if payment is None:
        payment = Payment(
            reference=intent.reference,
            business_key=f"{intent.reference}:payment:{rows.count() + 1}",
            currency=intent.amount.currency,
            amount=intent.amount.minor,
            description=intent.description[:200],
        )
    payment.method = intent.method
    payment.channel = plan.channel
    payment.customer = intent.customer
    payment.capture_mode = _capture_mode(plan)
    payment.return_url = intent.return_url
    payment.device = intent.device
    payment.client_ip = intent.client_ip
    payment.expires_at = intent.expires_at
    if payment._state.adding:
        payment.save(force_insert=True)
    else:
        payment.store()
    return payment


def _capture_mode(plan: _Plan) -> CaptureMode:
    """As asked for, where the channel can hold money; the others take it at once."""
    can_hold = Capability.MANUAL_CAPTURE in registry.channel(plan.channel).capabilities
    return plan.intent.capture_mode if can_hold else CaptureMode.AUTOMATIC


def _attempt(payment: Payment, plan: _Plan, verdict: Verdict) -> Attempt:
    intent = plan.intent
    method = claim_instrument(intent=intent, channel=plan.channel, instrument=plan.instrument)
    return Attempt.objects.begin(
        payment,
        AttemptKind.START,
        channel=plan.channel,
        saved_method=method,
        route={**plan.route.record(plan.channel), "method": intent.method},
        request={
            "description": payment.description,
            "notify_url": registry.notify_url(plan.channel),
            "return_url": intent.return_url,
            "expires_at": intent.expires_at.isoformat(),
            "instrument": "" if method else intent.instrument,
            "keep_instrument": method is not None and not intent.saved_method,
            "capture": payment.capture_mode == CaptureMode.AUTOMATIC
            and not (payment.review_pending and plan.instrument is not None),
            "challenge": Challenge.REQUIRED
            if verdict.action == "challenge" and _by_the_bank(verdict)
            else Challenge.AUTOMATIC,
            "device": intent.device,
            "client_ip": intent.client_ip,
            "method": intent.method,
            "metadata": {"payment": payment.public_id, "order": payment.reference},
        },
    )


def _facts(plan: _Plan, payment: Payment) -> PaymentFacts:
    card = plan.instrument
    return replace(
        plan.intent.facts,
        stage="payment",
        subject=payment.public_id,
        amount=payment.amount,
        currency=payment.currency,
        channel=plan.channel,
        challenges=available(
            customer=plan.intent.customer, owner=plan.intent.session, contacts=plan.intent.contacts
        ),
        instrument=InstrumentFacts(
            kind=plan.intent.method,
            country=card.country if card else "",
            fingerprint=card.fingerprint if card else "",
            brand=card.brand if card else "",
            three_d_secure=card.three_d_secure if card else False,
        ),
    )


def _kept(instrument: Instrument | None) -> dict[str, str]:
    """What of a card is kept: enough to recognise it, nothing to charge it elsewhere."""
    if instrument is None:
        return {}
    return {
        "brand": instrument.brand,
        "last4": instrument.last4,
        "country": instrument.country,
        "funding": instrument.funding,
        "expires_on": instrument.expires_on,
    }
