"""`/v1/disputes`: a cardholder denies a charge. The money goes at once, and comes back if the dispute is won.

An inquiry (`warning_…`) takes no money until it becomes a chargeback. As in Stripe's test mode the text
`winning_evidence` or `losing_evidence` in `uncategorized_text` decides the dispute when it is submitted.
"""

from sandbox import payments
from sandbox.provider import ActionRefused, World
from sandbox.stripe import balance, deadlines, files
from sandbox.stripe.errors import StripeError
from sandbox.stripe.events import emit
from sandbox.stripe.forms import Params
from sandbox.stripe.gateway import Call
from sandbox.stripe.lists import listed, page_of
from sandbox.stripe.store import Object, add, children, load, owner_of, save

REASONS = (
    "bank_cannot_process check_returned credit_not_processed customer_initiated debit_not_authorized duplicate"
    " fraudulent general incorrect_account_details insufficient_funds noncompliant product_not_received"
    " product_unacceptable subscription_canceled unrecognized"
).split()
_TEXTS = (
    "access_activity_log billing_address cancellation_policy_disclosure cancellation_rebuttal"
    " customer_email_address customer_name customer_purchase_ip duplicate_charge_explanation"
    " duplicate_charge_id product_description refund_policy_disclosure refund_refusal_explanation service_date"
    " shipping_address shipping_carrier shipping_date shipping_tracking_number uncategorized_text"
).split()
_FILES = (
    "cancellation_policy customer_communication customer_signature duplicate_charge_documentation receipt"
    " refund_policy service_documentation shipping_documentation uncategorized_file"
).split()
_MOST_TEXT = 150_000
_ANSWER_SECONDS = 14 * 86_400
_VERDICTS = {"winning_evidence": "won", "losing_evidence": "lost"}
_NETWORK_CODES = {"fraudulent": "10.4", "product_not_received": "13.1", "duplicate": "12.6"}


def open_dispute(world: World, charge: Object, *, amount: int, reason: str, inquiry: bool = False) -> Object:
    """The cardholder disputes `amount` of a captured charge. Raises ActionRefused."""
    merchant = owner_of(world, charge["id"])
    if reason not in REASONS:
        raise ActionRefused(f"a reason is one of {', '.join(REASONS)}")
    if charge["disputed"]:
        raise ActionRefused("this charge was disputed before")
    if not 1 <= amount <= charge["amount_captured"] - charge["amount_refunded"]:
        raise ActionRefused("no more can be disputed than was captured and not returned")
    dispute = _new(world, charge, amount, reason, inquiry)
    add(world, merchant, dispute, parent=charge["payment_intent"])
    charge["disputed"] = True
    save(world, charge)
    deadlines.set_deadline(world, dispute["id"], dispute["evidence_details"]["due_by"])
    if inquiry:
        _tell(world, merchant, dispute, "created")
        return dispute
    _withdraw(world, merchant, dispute)
    _tell(world, merchant, dispute, "created")
    _tell(world, merchant, dispute, "funds_withdrawn")
    return dispute


def _new(world: World, charge: Object, amount: int, reason: str, inquiry: bool) -> Object:
    now = int(world.now())
    return {
        "id": world.new_id("dp_"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys([*_TEXTS, *_FILES]),
        "evidence_details": {
            "due_by": now + _ANSWER_SECONDS,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "network_reason_code": _NETWORK_CODES.get(reason),
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "type": "card",
            "card": {
                "brand": charge["payment_method_details"].get("card", {}).get("brand"),
                "case_type": "inquiry" if inquiry else "chargeback",
                "network_reason_code": _NETWORK_CODES.get(reason),
            },
        },
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }


def _tell(world: World, merchant: str, dispute: Object, news: str) -> None:
    emit(world, merchant, f"charge.dispute.{news}", dispute, payment=dispute["payment_intent"])


def _withdraw(world: World, merchant: str, dispute: Object) -> None:
    entry = balance.enter(
        *(world, merchant),
        source=dispute["id"],
        kind="adjustment",
        category="dispute",
        amount=-dispute["amount"],
        currency=dispute["currency"],
        fee=balance.DISPUTE_FEE,
        description=f"Chargeback withdrawal for {dispute['charge']}",
        fee_description="Dispute fee",
        settled=True,
    )
    dispute["balance_transactions"].append({name: entry[name] for name in entry if name[0] != "_"})
    save(world, dispute)
    payments.add_disputed(world, dispute["payment_intent"], dispute["amount"], fee=balance.DISPUTE_FEE)


def _reinstate(world: World, merchant: str, dispute: Object) -> None:
    entry = balance.enter(
        *(world, merchant),
        source=dispute["id"],
        kind="adjustment",
        category="dispute_reversal",
        amount=dispute["amount"],
        currency=dispute["currency"],
        description=f"Chargeback reversal for {dispute['charge']}",
        settled=True,
    )
    dispute["balance_transactions"].append({name: entry[name] for name in entry if name[0] != "_"})
    payments.add_reinstated(world, dispute["payment_intent"], dispute["amount"])


def _closed(world: World, merchant: str, dispute: Object, status: str) -> Object:
    deadlines.clear_deadline(world, dispute["id"])
    dispute["status"] = status
    if status == "won":
        _reinstate(world, merchant, dispute)
    save(world, dispute)
    if status == "won":
        _tell(world, merchant, dispute, "funds_reinstated")
    _tell(world, merchant, dispute, "closed")
    return dispute


def judge(world: World, key: str, verdict: str) -> Object:
    """What the card's bank does: "win", "lose", "escalate" an inquiry, or let the time "expire".

    Raises ActionRefused.
    """
    merchant = owner_of(world, key)
    dispute = load(world, merchant, "dispute", key)
    inquiry = dispute["status"] in ("warning_needs_response", "warning_under_review")
    if not inquiry and dispute["status"] not in ("needs_response", "under_review"):
        raise ActionRefused(f"a dispute that is {dispute['status']} is over")
    if inquiry and verdict in ("win", "expire"):
        return _closed(world, merchant, dispute, "warning_closed")
    if inquiry and verdict == "escalate":
        return _escalated(world, merchant, dispute)
    if verdict == "expire" and dispute["status"] == "needs_response":
        dispute["evidence_details"]["past_due"] = True
        return _closed(world, merchant, dispute, "lost")
    if not inquiry and verdict in ("win", "lose"):
        return _closed(world, merchant, dispute, "won" if verdict == "win" else "lost")
    raise ActionRefused(f"a dispute that is {dispute['status']} can not {verdict}")


def _escalated(world: World, merchant: str, dispute: Object) -> Object:
    details = dispute["evidence_details"]
    details.update(due_by=int(world.now()) + _ANSWER_SECONDS, has_evidence=False, submission_count=0)
    dispute["payment_method_details"]["card"]["case_type"] = "chargeback"
    dispute.update(status="needs_response", is_charge_refundable=False)
    deadlines.set_deadline(world, dispute["id"], details["due_by"])
    _withdraw(world, merchant, dispute)
    _tell(world, merchant, dispute, "updated")
    _tell(world, merchant, dispute, "funds_withdrawn")
    return dispute


def update(call: Call) -> Object:
    """`POST /v1/disputes/{id}`: evidence is staged, or submitted to the bank once and for all."""
    world, merchant = call.world, call.account.merchant
    dispute = load(world, merchant, "dispute", call.path["id"], "dispute")
    given = _evidence(call, call.params.table("evidence"))
    metadata = call.params.metadata()
    submit = call.params.boolean("submit", True)
    call.params.finish()
    if dispute["status"] not in ("needs_response", "warning_needs_response"):
        raise StripeError("This dispute is closed or its evidence was submitted: it can not be changed.")
    dispute["evidence"].update(given)
    dispute["metadata"].update(metadata)
    details = dispute["evidence_details"]
    details["has_evidence"] = any(dispute["evidence"].values())
    if submit:
        details["submission_count"] += 1
        dispute["status"] = dispute["status"].replace("needs_response", "under_review")
        deadlines.clear_deadline(world, dispute["id"])
    save(world, dispute)
    _tell(world, merchant, dispute, "updated")
    verdict = _VERDICTS.get(dispute["evidence"]["uncategorized_text"] or "")
    if submit and verdict and dispute["status"] == "under_review":
        return _closed(world, merchant, dispute, verdict)
    return dispute


def _evidence(call: Call, given: Params) -> dict[str, str]:
    texts = {name: given.text(name) for name in _TEXTS}
    papers = {name: given.text(name) for name in _FILES}
    given.finish()
    if sum(map(len, texts.values())) > _MOST_TEXT:
        message = f"The evidence may have at most {_MOST_TEXT} characters in all."
        raise StripeError(message, param="evidence")
    for name, key in papers.items():
        if key:
            files.evidence(call, key, f"evidence[{name}]")
    return {name: value for name, value in {**texts, **papers}.items() if value}


def close(call: Call) -> Object:
    """`POST /v1/disputes/{id}/close`: the merchant accepts. An inquiry is accepted by a refund instead."""
    call.params.finish()
    dispute = load(call.world, call.account.merchant, "dispute", call.path["id"], "dispute")
    if dispute["status"] != "needs_response":
        raise StripeError(f"You cannot close a dispute that is {dispute['status']}.")
    return _closed(call.world, call.account.merchant, dispute, "lost")


def retrieve(call: Call) -> Object:
    call.params.finish()
    return load(call.world, call.account.merchant, "dispute", call.path["id"], "dispute")


def listing(call: Call) -> Object:
    intent, charge = call.params.text("payment_intent"), call.params.text("charge")
    found = [one for one in listed(call, "dispute", intent) if not charge or one["charge"] == charge]
    return page_of(call, found, "/v1/disputes")


def charged_back(world: World, charge: Object) -> int:
    """What the bank has of this charge, or had when it was lost: no refund may return it a second time."""
    found = children(world, charge["payment_intent"], "dispute")
    return sum(
        one["amount"]
        for one in found
        if one["charge"] == charge["id"] and not one["is_charge_refundable"] and one["status"] != "won"
    )
