"""What the issuer does: authorise, capture, release; with the money's rows."""

from sandbox.provider import World
from sandbox.stripe import balance
from sandbox.stripe.cards import DECLINES
from sandbox.stripe.gateway import Call
from sandbox.stripe.lists import listed, page_of
from sandbox.stripe.store import Object, add, children, load, save

_AUTHORISATION_SECONDS = 7 * 86_400
_MULTICAPTURE_BRANDS = ("amex", "discover", "mastercard", "visa")


def authorise(world: World, merchant: str, intent: Object, method: Object, proof: Object | None) -> Object:
    """Ask the issuer; the charge that results has status `succeeded` (not captured yet) or `failed`."""
    now = int(world.now())
    decline = method["_decline"]
    code, message = DECLINES[decline] if decline else ("", "")
    details = (
        _card_details(method, proof, intent, now)
        if method["type"] == "card"
        else {"buyer_id": None, "fingerprint": None, "transaction_id": world.new_id("")}
    )
    charge: Object = {
        "id": world.new_id("ch_"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "captured": False,
        "created": now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_code": code or None,
        "failure_message": message or None,
        "livemode": False,
        "metadata": intent["metadata"],
        "outcome": _outcome(decline, message),
        "paid": not decline,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {"type": method["type"], method["type"]: details},
        "refunded": False,
        "status": "failed" if decline else "succeeded",
        "_later": method.get("_later", ""),
    }
    return add(world, merchant, charge, parent=intent["id"])


def _outcome(decline: str, message: str) -> Object:
    return {
        "advice_code": ("try_again_later" if decline == "processing_error" else "do_not_try_again")
        if decline
        else None,
        "network_status": "declined_by_network" if decline else "approved_by_network",
        "reason": decline or None,
        "risk_level": "normal",
        "seller_message": f"The bank returned the decline code `{decline}`."
        if decline
        else "Payment complete.",
        "type": "issuer_declined" if decline else "authorized",
    }


def _card_details(method: Object, proof: Object | None, intent: Object, now: int) -> Object:
    card = method["card"]
    same = ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4", "wallet")
    cvc = "fail" if method["_decline"] == "incorrect_cvc" else "pass"
    held = intent["capture_method"] == "manual" and not method["_decline"]
    return {
        **{name: card[name] for name in same},
        "amount_authorized": None if method["_decline"] else intent["amount"],
        "authorization_code": None if method["_decline"] else "S" + method["id"][-5:].upper(),
        "capture_before": now + _AUTHORISATION_SECONDS if held else None,
        "checks": {**card["checks"], "cvc_check": cvc},
        "multicapture": {"status": "available" if held and _in_parts(card, intent) else "unavailable"},
        "network": card["brand"],
        "three_d_secure": proof,
    }


def _in_parts(card: Object, intent: Object) -> bool:
    asked = intent["payment_method_options"]["card"]["request_multicapture"] == "if_available"
    return asked and card["brand"] in _MULTICAPTURE_BRANDS


def takes_parts(charge: Object) -> bool:
    """Whether this hold may be captured more than once."""
    card: Object = charge["payment_method_details"]["card"]
    return bool(card["multicapture"]["status"] == "available")


def held_until(charge: Object) -> int:
    return int(charge["payment_method_details"]["card"]["capture_before"])


def capture(world: World, merchant: str, charge: Object, amount: int, *, final: bool) -> Object:
    """Take `amount` of what is held, with a row of its own; a final capture releases the rest."""
    entry = balance.enter(
        world,
        merchant,
        source=charge["id"],
        kind="charge",
        amount=amount,
        currency=charge["currency"],
        fee=balance.processing_fee(amount),
        description=charge["description"] or "",
    )
    total = charge["amount_captured"] + amount
    charge.update(captured=final, amount_captured=total, balance_transaction=entry["id"])
    save(world, charge)
    return charge


def release(world: World, charge: Object) -> Object:
    """Let go what was not captured. A charge of which nothing was taken counts as refunded."""
    if charge["amount_captured"]:
        charge.update(captured=True)
    else:
        charge.update(refunded=True, amount_refunded=charge["amount"])
    save(world, charge)
    return charge


def latest(world: World, intent: Object) -> Object:
    return children(world, intent["id"], "charge")[0]


def retrieve(call: Call) -> Object:
    call.params.finish()
    return load(call.world, call.account.merchant, "charge", call.path["id"])


def listing(call: Call) -> Object:
    intent = call.params.text("payment_intent")
    return page_of(call, listed(call, "charge", intent), "/v1/charges")
