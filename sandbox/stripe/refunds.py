"""`/v1/refunds`: money back to the customer, never more than was captured.

A refund settles at once, unless the card (`pm_card_pendingRefund`, `pm_card_refundFail`), its fate, the account's
empty balance or the control API says otherwise.
"""

from sandbox import fates, payments
from sandbox.fates import Fate
from sandbox.provider import ActionRefused, World
from sandbox.stripe import balance, charges, deadlines, disputes
from sandbox.stripe.errors import StripeError
from sandbox.stripe.events import emit
from sandbox.stripe.gateway import Call
from sandbox.stripe.lists import listed, page_of
from sandbox.stripe.store import Object, add, load, owner_of, save

_REASONS = ("duplicate", "fraudulent", "requested_by_customer")
_LATER_SECONDS = 2
_FATES = {"pending_refund": "pending_succeeds", "failing_refund": "succeeds_fails"}


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
    if asked > left - disputes.charged_back(call.world, charge):
        _refuse_more(charge, asked, left)
    return _refund(call, charge, asked, reason, metadata)


def _refuse_more(charge: Object, asked: int, left: int) -> None:
    if asked <= left:
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise StripeError(message, code="charge_disputed")
    message = f"Refund amount ({asked}) is greater than unrefunded amount on charge ({left})"
    raise StripeError(message, code="amount_too_large", param="amount")


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
    kind = charge["payment_method_details"]["type"]
    short = not balance.covers(world, merchant, charge["currency"], amount)
    fate = _fate(world, charge)
    waits = short or (fate is not None and fate.kind != "succeeds_fails")
    refund: Object = {
        "id": world.new_id("re_"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": int(world.now()),
        "currency": charge["currency"],
        "destination_details": {"type": kind, kind: {"reference_status": "pending", "type": "refund"}},
        "failure_balance_transaction": None,
        "failure_reason": None,
        "metadata": metadata,
        "payment_intent": charge["payment_intent"],
        "pending_reason": ("insufficient_funds" if short else "processing") if waits else None,
        "reason": reason or None,
        "receipt_number": None,
        "status": "pending" if waits else "succeeded",
        "_fails": fate is not None and fate.kind.endswith("fails"),
    }
    add(world, merchant, refund, parent=charge["payment_intent"])
    if not waits:
        _paid_out(world, merchant, refund)
    if waits or fate is not None:
        later = fate.seconds if fate is not None else _LATER_SECONDS
        deadlines.set_deadline(world, refund["id"], world.now() + later)
    _count(world, charge, amount)
    emit(world, merchant, "refund.created", refund, payment=charge["payment_intent"])
    emit(world, merchant, "charge.refunded", charge, payment=charge["payment_intent"])
    return refund


def _fate(world: World, charge: Object) -> Fate | None:
    """What the card's number, a plan or the mix has in store for a refund of this charge."""
    if charge.get("_later") in _FATES:
        return Fate(_FATES[charge["_later"]], _LATER_SECONDS)
    return fates.refund_fate(world, payments.get_payment(world, charge["payment_intent"]))


def _count(world: World, charge: Object, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["captured"] and charge["amount_refunded"] == charge["amount_captured"]
    save(world, charge)


def _paid_out(world: World, merchant: str, refund: Object) -> None:
    entry = balance.enter(
        *(world, merchant),
        source=refund["id"],
        kind="refund",
        amount=-refund["amount"],
        currency=refund["currency"],
        description="REFUND FOR CHARGE",
    )
    refund.update(status="succeeded", pending_reason=None, balance_transaction=entry["id"])
    save(world, refund)
    payments.add_refunded(world, refund["payment_intent"], refund["amount"])


def settle(world: World, key: str) -> Object:
    """A pending refund goes through. Raises ActionRefused."""
    merchant = owner_of(world, key)
    refund = load(world, merchant, "refund", key)
    if refund["status"] != "pending":
        raise ActionRefused(f"a refund that is {refund['status']} can not succeed")
    deadlines.clear_deadline(world, key)
    _paid_out(world, merchant, refund)
    emit(world, merchant, "refund.updated", refund, payment=refund["payment_intent"])
    emit(world, merchant, "charge.refund.updated", refund, payment=refund["payment_intent"])
    return refund


def fail(world: World, key: str, reason: str = "expired_or_canceled_card") -> Object:
    """The customer's bank sends the money back, or never took it. Raises ActionRefused."""
    merchant = owner_of(world, key)
    refund = load(world, merchant, "refund", key)
    if refund["status"] not in ("pending", "succeeded"):
        raise ActionRefused(f"a refund that is {refund['status']} can not fail")
    deadlines.clear_deadline(world, key)
    if refund["status"] == "succeeded":
        entry = balance.enter(
            *(world, merchant),
            source=refund["id"],
            kind="refund_failure",
            amount=refund["amount"],
            currency=refund["currency"],
            description="REFUND FAILURE",
            settled=True,
        )
        refund["failure_balance_transaction"] = entry["id"]
        payments.take_refund_back(world, refund["payment_intent"], refund["amount"])
    refund.update(status="failed", failure_reason=reason, pending_reason=None)
    save(world, refund)
    _count(world, load(world, merchant, "charge", refund["charge"]), -refund["amount"])
    for kind in ("refund.failed", "refund.updated", "charge.refund.updated"):
        emit(world, merchant, kind, refund, payment=refund["payment_intent"])
    return refund


def come_due(world: World, key: str) -> None:
    """What the clock brings: it fails, or a pending one succeeds once the balance covers it."""
    merchant = owner_of(world, key)
    refund = load(world, merchant, "refund", key)
    if refund["status"] == "succeeded" or (refund["status"] == "pending" and refund["_fails"]):
        fail(world, key)
    elif refund["pending_reason"] == "insufficient_funds" and not balance.covers(
        world, merchant, refund["currency"], refund["amount"]
    ):
        deadlines.set_deadline(world, key, world.now() + _LATER_SECONDS)
    elif refund["status"] == "pending":
        settle(world, key)


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
