from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from payments import disputes, selectors
from payments.evidence import Pack, Paper
from payments.models import Attempt, Dispute
from risk import selectors as risk

_SHIFTED = "the issuer authenticated the cardholder (liability with the issuer)"
_RESULTS = {
    "authenticated": _SHIFTED,
    "attempt_acknowledged": "authentication was attempted and acknowledged by the issuer",
    "exempted": "exempted from authentication",
}


def gather_evidence(*, dispute: str) -> Pack:
    """This will put together what our own records say in answer to the dispute; it writes nothing.

    Payments knows how the money was taken, risk why it was let through; who sold what and where it went, the
    sources in settings say. Raises `DisputeNotFound`.
    """
    row = disputes.find(dispute)
    texts, files = _of_payment(row), dict[str, Paper]()
    for path in settings.EVIDENCE_SOURCES:
        source: Callable[..., Pack] = import_string(path)
        pack = source(reference=row.payment.reference)
        texts.update(pack.texts)
        files.update(pack.files)
    return Pack({name: text for name, text in texts.items() if text}, files)


def _of_payment(row: Dispute) -> dict[str, str]:
    return {
        "customer_ip": row.payment.client_ip,
        "access_log": "\n".join(
            [*_how_paid(row.payment, row.attempt), *_earlier_tries(row), *_risk(row.payment.decision)]
        ),
        "duplicate_explanation": _only_once(row),
        "refund_refusal": _refunds(row),
    }


def _how_paid(payment: Any, attempt: Attempt) -> list[str]:
    card = payment.instrument
    at = attempt.answered_at or attempt.created_at
    what = f"payment {payment.public_id} of {attempt.money.formatted()} as {attempt.channel_reference}"
    lines = [f"{attempt.channel} took {what}, {at:%Y-%m-%d %H:%M} UTC."]
    if card:
        lines.append(f"Card: {card['brand']} ending in {card['last4']}, issued in {card['country']}.")
    if payment.client_ip:
        lines.append(f"Paid from a {payment.device} at {payment.client_ip}.")
    secure = attempt.three_d_secure
    if secure:
        result = str(secure.get("result") or "")
        told = [f"3-D Secure: {_RESULTS.get(result, result.replace('_', ' '))}"]
        facts = {
            "version": "version",
            "electronic_commerce_indicator": "ECI",
            "transaction_id": "transaction",
        }
        told += [f"{label} {secure[name]}" for name, label in facts.items() if secure.get(name)]
        lines.append(", ".join(told) + ".")
    return lines


def _earlier_tries(row: Dispute) -> list[str]:
    tries = [one for one in selectors.attempts_of(row.payment.public_id) if one.kind == "START"]
    refused = [one for one in tries if one.state in ("DECLINED", "ERRORED")]
    return [f"{len(refused)} earlier tries of this payment were refused."] if refused else []


def _risk(decision: str) -> list[str]:
    if not decision:
        return []
    found = risk.decision(decision)
    grounds = " ".join(reason.text for reason in found.reasons)
    return [f"Our checks before the payment rated it {found.level} (score {found.score}). {grounds}".strip()]


def _only_once(row: Dispute) -> str:
    """Only what can be shown: a second charge that was kept must not be explained away."""
    taken = [one for one in selectors.payments_of(row.payment.reference) if one.captured.minor]
    kept = [one for one in taken if one.captured.minor > one.refunded.minor]
    if len(kept) > 1:
        return ""
    more = " Another charge for it was returned in full." if len(taken) > 1 else ""
    return f"Order {row.payment.reference} was charged once, by {row.attempt.channel_reference}.{more}"


def _refunds(row: Dispute) -> str:
    done = [one for one in selectors.refunds_of(row.payment.public_id) if one.state == "SUCCEEDED"]
    if not done:
        return ""
    told = "; ".join(f"{one.amount.formatted()} on {one.created_at:%Y-%m-%d} ({one.id})" for one in done)
    return f"Returned to the customer already: {told}."
