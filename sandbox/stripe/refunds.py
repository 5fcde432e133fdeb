"""`/v1/refunds`: money back to the card, never more than was captured."""

from sandbox import payments
from sandbox.stripe import charges
from sandbox.stripe.errors import StripeError
from sandbox.stripe.events import emit
from sandbox.stripe.gateway import Call
from sandbox.stripe.lists import listed, page_of
from sandbox.stripe.store import Object, add, load, save

_REASONS = ("duplicate", "fraudulent", "requested_by_customer")


def create(call: Call) -> Object:
    charge = _charge(call)
    left = charge["amount_captured"] - charge["amount_refunded"]
    asked = call.params.integer("amount", left)
    reason = call.params.choice("reason", _REASONS)
    metadata = call.params.metadata()
    call.params.finish()
    if left <= 0:
        raise StripeError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if asked < 1:
        raise StripeError("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if asked > left:
        message = f"Refund amount ({asked}) is greater than unrefunded amount on charge ({left})"
        raise StripeError(message, code="amount_too_large", param="amount")
    return _refund(call, charge, asked, reason, metadata)


def _charge(call: Call) -> Object:
    intent_id, charge_id = call.params.text("payment_intent"), call.params.text("charge")
    if bool(intent_id) == bool(charge_id):
        raise StripeError("One of the following params should be provided: payment_intent or charge.")
    merchant = call.account.merchant
    if charge_id:
        charge = load(call.world, merchant, "charge", charge_id, "charge")
    else:
        intent = load(call.world, merchant, "payment_intent", intent_id, "payment_intent")
        if not intent["amount_received"]:
            raise StripeError(
                "This PaymentIntent does not have a successful charge to refund.",
                code="payment_intent_unexpected_state",
                param="payment_intent",
            )
        charge = charges.latest(call.world, intent)
    if not charge["amount_captured"]:
        raise StripeError(f"Charge {charge['id']} was not captured.", code="charge_not_refundable")
    return charge


def _refund(call: Call, charge: Object, amount: int, reason: str, metadata: dict[str, str]) -> Object:
    world, merchant = call.world, call.account.merchant
    refund: Object = {
        "id": world.new_id("re_"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": int(world.now()),
        "currency": charge["currency"],
        "destination_details": {"type": "card", "card": {"reference_status": "pending", "type": "refund"}},
        "metadata": metadata,
        "payment_intent": charge["payment_intent"],
        "reason": reason or None,
        "receipt_number": None,
        "status": "succeeded",
    }
    entry = charges.balance_entry(world, merchant, refund["id"], "refund", -amount, 0, charge["currency"])
    refund["balance_transaction"] = entry["id"]
    add(world, merchant, refund, parent=charge["payment_intent"])
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["captured"] and charge["amount_refunded"] == charge["amount_captured"]
    save(world, charge)
    payments.add_refunded(world, charge["payment_intent"], amount)
    emit(world, merchant, "refund.created", refund, payment=charge["payment_intent"])
    emit(world, merchant, "charge.refunded", charge, payment=charge["payment_intent"])
    return refund


def retrieve(call: Call) -> Object:
    call.params.finish()
    return load(call.world, call.account.merchant, "refund", call.path["id"], "refund")


def listing(call: Call) -> Object:
    wanted = {name: call.params.text(name) for name in ("payment_intent", "charge")}
    found = listed(call, "refund", wanted["payment_intent"])
    matching = [
        one for one in found if all(not value or one[name] == value for name, value in wanted.items())
    ]
    return page_of(call, matching, "/v1/refunds")
