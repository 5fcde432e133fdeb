"""The payment intent's life: every change of its status, with its charge, its events and the common table."""

import secrets
from typing import NoReturn

from sandbox import fates, payments
from sandbox.provider import World
from sandbox.stripe import charges, deadlines, disputes
from sandbox.stripe.cards import DECLINES
from sandbox.stripe.errors import StripeError, card_error
from sandbox.stripe.events import emit
from sandbox.stripe.payment_methods import behaviour
from sandbox.stripe.store import Object, add, load, save, shown

_AUTHENTICATION_FAILED = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new"
    " PaymentMethod to attempt to fulfill this PaymentIntent again."
)

_USED_UP = (
    "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment."
    " It may not be used again."
)


def unexpected(world: World, merchant: str, intent: Object, what: str) -> StripeError:
    message = f"You cannot {what} this PaymentIntent because it has a status of {intent['status']}."
    return StripeError(
        message, code="payment_intent_unexpected_state", payment_intent=shown(world, merchant, intent, [])
    )


def _moved(world: World, merchant: str, intent: Object, event: str, status: str, **changed: object) -> Object:
    intent.update(status=status, **changed)
    save(world, intent)
    if event:
        emit(world, merchant, f"payment_intent.{event}", intent, payment=intent["id"])
    return intent


def confirm(world: World, merchant: str, intent: Object, method: Object) -> Object:
    """Try to pay with `method`: a challenge first where the card or the merchant wants one.

    Raises a card error (with the intent inside) when the issuer declines.
    """
    if method["_used"] and not method["customer"]:
        raise StripeError(_USED_UP, param="payment_method")
    intent.update(payment_method=method["id"], last_payment_error=None)
    if method["type"] != "card":
        return _hand_over(world, merchant, intent, method)
    card = behaviour(method)
    if card.three_d_secure == "broken":
        _decline(world, merchant, intent, method, "processing_error")
    if not _to_be_challenged(intent, method, card.three_d_secure):
        return _charge(world, merchant, intent, method, proof=None)
    if intent["_off_session"]:
        _decline(world, merchant, intent, method, "authentication_required")
    return _challenge(world, merchant, intent, method)


def _to_be_challenged(intent: Object, method: Object, ability: str) -> bool:
    """A card that wants it "unless set up" lets only those payments pass at which the customer is absent."""
    if ability == "unless_set_up":
        return not (intent["_off_session"] and method.get("_set_up"))
    asked = intent["payment_method_options"]["card"]["request_three_d_secure"] in ("any", "challenge")
    return ability == "required" or (asked and ability == "optional")


def _hand_over(world: World, merchant: str, intent: Object, method: Object) -> Object:
    """The customer goes to the wallet: by its page, or by a code to scan."""
    place = f"{world.public_url}/wallet/stripe-{method['type'].replace('_', '-')}/{intent['id']}"
    back = intent["_return_url"] or None
    if method["type"] == "alipay":
        inside = {"native_data": None, "native_url": None, "return_url": back, "url": place}
        action: Object = {"type": "alipay_handle_redirect", "alipay_handle_redirect": inside}
    else:
        shown = dict.fromkeys(
            ("hosted_instructions_url", "image_data_url", "image_url_png", "image_url_svg"), place
        )
        action = {
            "type": "wechat_pay_display_qr_code",
            "wechat_pay_display_qr_code": {"data": place, **shown},
        }
    payments.set_state(world, intent["id"], "waiting", actions="pay decline expire")
    return _moved(
        *(world, merchant, intent, "requires_action", "requires_action"), next_action=action, _wallet=True
    )


def answer_wallet(world: World, merchant: str, intent: Object, paid: bool) -> Object:
    """The customer pays with the wallet, or turns away."""
    method = load(world, merchant, "payment_method", intent["payment_method"])
    intent.update(next_action=None, _wallet=False)
    if paid:
        return _charge(world, merchant, intent, method, proof=None)
    message = "The customer did not approve the PaymentIntent, or the payment provider declined the payment."
    error = StripeError(message, status=402, type="card_error", code="payment_method_provider_decline")
    _refusal(world, merchant, intent, method, error)
    return intent


def _challenge(world: World, merchant: str, intent: Object, method: Object) -> Object:
    challenge: Object = {
        "id": world.new_id("tds_"),
        "object": "challenge",
        "intent": intent["id"],
        "state": "open",
        "created": int(world.now()),
        "last4": method["card"]["last4"],
    }
    add(world, merchant, challenge, parent=intent["id"])
    url = f"{world.public_url}/stripe/challenges/{challenge['id']}"
    where: Object = {"return_url": intent["_return_url"] or None, "url": url}
    payments.set_state(world, intent["id"], "waiting", actions="pay decline expire")
    return _moved(
        world,
        merchant,
        intent,
        "requires_action",
        "requires_action",
        next_action={"type": "redirect_to_url", "redirect_to_url": where},
        _challenge=challenge["id"],
    )


def answer_challenge(world: World, merchant: str, intent: Object, passed: bool) -> Object:
    """The cardholder proved, or did not prove, to be who they are. Never raises for a declined charge."""
    challenge = load(world, merchant, "challenge", intent["_challenge"])
    challenge["state"] = "passed" if passed else "failed"
    save(world, challenge)
    intent.update(next_action=None, _challenge=None)
    method = load(world, merchant, "payment_method", intent["payment_method"])
    if not passed:
        error = card_error(_AUTHENTICATION_FAILED, "payment_intent_authentication_failure")
        _refusal(world, merchant, intent, method, error)
        return intent
    try:
        return _charge(world, merchant, intent, method, proof=_proof(method))
    except StripeError:
        return intent


def _proof(method: Object) -> Object:
    return {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "02" if method["card"]["brand"] == "mastercard" else "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": secrets.token_hex(16),
        "version": "2.2.0",
    }


def _charge(world: World, merchant: str, intent: Object, method: Object, proof: Object | None) -> Object:
    if not method["_decline"]:
        issuer = fates.decline_of(world, payments.get_payment(world, intent["id"]))
        method = {**method, "_decline": issuer}
    charge = charges.authorise(world, merchant, intent, method, proof)
    intent["latest_charge"] = charge["id"]
    if charge["status"] == "failed":
        emit(world, merchant, "charge.failed", charge, payment=intent["id"])
        _decline(world, merchant, intent, method, method["_decline"])
    method["_used"] = True
    if intent["setup_future_usage"] and intent["customer"] and method["type"] == "card":
        method.update(customer=intent["customer"], _set_up=True)
    save(world, method)
    if intent["capture_method"] == "manual":
        payments.set_state(world, intent["id"], "authorized", actions="expire")
        deadlines.set_deadline(world, intent["id"], charges.held_until(charge))
        return _moved(
            *(world, merchant, intent, "amount_capturable_updated", "requires_capture"),
            amount_capturable=intent["amount"],
        )
    emit(world, merchant, "charge.succeeded", charge, payment=intent["id"])
    intent["amount_capturable"] = intent["amount"]
    return capture(world, merchant, intent, intent["amount"], event="")


def _decline(world: World, merchant: str, intent: Object, method: Object, decline: str) -> NoReturn:
    code, message = DECLINES[decline]
    raise _refusal(world, merchant, intent, method, card_error(message, code, decline_code=decline))


def _refusal(world: World, merchant: str, intent: Object, method: Object, error: StripeError) -> StripeError:
    """Put the intent back to where another card can be tried; the error then shows it."""
    inside = error.body["error"]
    if intent["latest_charge"]:
        inside["charge"] = intent["latest_charge"]
    inside["payment_method"] = shown(world, merchant, method, [])
    payments.set_state(world, intent["id"], "failed")
    _moved(
        *(world, merchant, intent, "payment_failed", "requires_payment_method"),
        last_payment_error=dict(inside),
        payment_method=None,
        next_action=None,
    )
    inside["payment_intent"] = shown(world, merchant, intent, [])
    return error


def capture(
    world: World,
    merchant: str,
    intent: Object,
    amount: int,
    *,
    final: bool = True,
    event: str = "charge.captured",
) -> Object:
    """Take `amount`. Unless this is the final capture, or nothing is left, the rest stays held."""
    left = intent["amount_capturable"] - amount
    final = final or not left
    charge = charges.capture(world, merchant, charges.latest(world, intent), amount, final=final)
    payments.add_captured(world, intent["id"], amount)
    if event:
        emit(world, merchant, event, charge, payment=intent["id"])
    intent.update(amount_received=intent["amount_received"] + amount, latest_charge=charge["id"])
    if final:
        done = _settled(world, merchant, intent)
        if charge["_later"] in ("inquiry", *disputes.REASONS):
            inquiry = charge["_later"] == "inquiry"
            reason = "fraudulent" if inquiry else charge["_later"]
            disputes.open_dispute(
                world, charge, amount=charge["amount_captured"], reason=reason, inquiry=inquiry
            )
        return done
    payments.set_state(world, intent["id"], "authorized")
    return _moved(
        *(world, merchant, intent, "amount_capturable_updated", "requires_capture"), amount_capturable=left
    )


def _settled(world: World, merchant: str, intent: Object) -> Object:
    deadlines.clear_deadline(world, intent["id"])
    return _moved(*(world, merchant, intent, "succeeded", "succeeded"), amount_capturable=0)


def lapse(world: World, merchant: str, intent: Object) -> Object:
    """The authorisation ends by itself: what was not captured is released."""
    return _let_go(world, merchant, intent, "charge.expired", "automatic")


def cancel(world: World, merchant: str, intent: Object, reason: str) -> Object:
    """Take nothing more. Of a partly captured intent the rest is released and it has succeeded."""
    return _let_go(world, merchant, intent, "charge.refunded", reason)


def _let_go(world: World, merchant: str, intent: Object, event: str, reason: str) -> Object:
    if intent["status"] == "requires_capture":
        charge = charges.release(world, charges.latest(world, intent))
        emit(world, merchant, event, charge, payment=intent["id"])
    if intent["amount_received"]:
        payments.set_state(world, intent["id"], "paid")
        return _settled(world, merchant, intent)
    deadlines.clear_deadline(world, intent["id"])
    if intent["_challenge"]:
        challenge = load(world, merchant, "challenge", intent["_challenge"])
        challenge["state"] = "cancelled"
        save(world, challenge)
    payments.set_state(world, intent["id"], "closed")
    return _moved(
        *(world, merchant, intent, "canceled", "canceled"),
        amount_capturable=0,
        canceled_at=int(world.now()),
        cancellation_reason=reason or None,
        next_action=None,
        _challenge=None,
        _wallet=False,
    )
