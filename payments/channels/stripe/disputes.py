"""Stripe's disputes in our words, and our evidence in Stripe's."""

import io
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import stripe

from ledger.money import Money
from payments.channels.contract import (
    ChannelUnavailable,
    DisputeNews,
    DisputeNewsState,
    EvidenceRefused,
    EvidenceRequest,
)
from payments.channels.stripe.amounts import from_stripe

# We make no appeals: what was lost stays lost until Stripe calls it won.
_STATES = {
    "warning_needs_response": DisputeNewsState.WARNING,
    "warning_under_review": DisputeNewsState.WARNING,
    "warning_closed": DisputeNewsState.WON,
    "needs_response": DisputeNewsState.NEEDS_RESPONSE,
    "under_review": DisputeNewsState.UNDER_REVIEW,
    "won": DisputeNewsState.WON,
    "lost": DisputeNewsState.LOST,
    "prevented": DisputeNewsState.LOST,
    "appeal_needs_response": DisputeNewsState.LOST,
    "appeal_under_review": DisputeNewsState.LOST,
}
# our neutral name → Stripe's
_TEXTS = {
    "customer_name": "customer_name",
    "customer_email": "customer_email_address",
    "customer_ip": "customer_purchase_ip",
    "billing_address": "billing_address",
    "shipping_address": "shipping_address",
    "shipping_carrier": "shipping_carrier",
    "shipping_tracking": "shipping_tracking_number",
    "shipped_on": "shipping_date",
    "product_description": "product_description",
    "service_date": "service_date",
    "access_log": "access_activity_log",
    "duplicate_explanation": "duplicate_charge_explanation",
    "refund_policy": "refund_policy_disclosure",
    "refund_refusal": "refund_refusal_explanation",
    "cancellation_policy": "cancellation_policy_disclosure",
    "cancellation_rebuttal": "cancellation_rebuttal",
    "other_text": "uncategorized_text",
}
_FILES = {
    "receipt": "receipt",
    "shipping_document": "shipping_documentation",
    "customer_message": "customer_communication",
    "service_document": "service_documentation",
    "signature": "customer_signature",
    "other_file": "uncategorized_file",
}
_RAW = ("id", "status", "reason", "amount", "currency", "charge", "payment_intent", "network_reason_code")
_SUBMISSION = "submission"


def of_dispute(dispute: Mapping[str, Any], *, happened_at: datetime | None = None) -> DisputeNews:
    """The dispute as news. Raises `KeyError`, `TypeError`, `ValueError` when it is not one."""
    details = dispute.get("evidence_details") or {}
    due_by = details.get("due_by")
    entries = dispute.get("balance_transactions") or []
    withdrawn, fee = _money_moved(entries)
    return DisputeNews(
        reference=str(dispute["id"]),
        state=_STATES[dispute["status"]],
        amount=from_stripe(dispute["amount"], dispute["currency"]),
        reason=str(dispute["reason"]),
        due_by=datetime.fromtimestamp(due_by, UTC) if isinstance(due_by, int) else None,
        withdrawn=withdrawn,
        fee=fee,
        submitted=bool(details.get("submission_count")),
        happened_at=happened_at,
        withdrawn_at=_first([entry for entry in entries if entry["amount"] < 0]),
        reinstated_at=_first([entry for entry in entries if entry["amount"] > 0]),
        raw={name: dispute[name] for name in _RAW if dispute.get(name) is not None},
    )


def _money_moved(entries: list[Mapping[str, Any]]) -> tuple[Money | None, Money | None]:
    """What is taken from us after all of these, and what the dispute costs. Nothing is known from no entry."""
    if not entries:
        return None, None
    currency = entries[0]["currency"]
    withdrawn = from_stripe(-sum(entry["amount"] for entry in entries), currency)
    return withdrawn, from_stripe(sum(entry["fee"] for entry in entries), currency)


def _first(entries: list[Mapping[str, Any]]) -> datetime | None:
    moments = [entry["created"] for entry in entries if isinstance(entry.get("created"), int)]
    return datetime.fromtimestamp(min(moments), UTC) if moments else None


class Disputes:
    """What Stripe lets a merchant do about a dispute (`contract.DisputeDesk`)."""

    _api: Any

    def query_dispute(self, reference: str) -> DisputeNews:
        return _asked(lambda: self._api.disputes.retrieve(reference))

    def upload_evidence(self, *, key: str, name: str, content_type: str, content: bytes) -> str:
        file = io.BytesIO(content)
        file.name = name
        params: Any = {"purpose": "dispute_evidence", "file": file}
        try:
            return str(self._api.files.create(params, {"idempotency_key": key}).id)
        except stripe.InvalidRequestError as error:
            raise EvidenceRefused(str(error.user_message)) from error
        except (stripe.StripeError, AttributeError) as error:
            raise ChannelUnavailable("Stripe did not say whether it has the file") from error

    def submit_evidence(self, request: EvidenceRequest) -> DisputeNews:
        """Final. The key is kept at the dispute, so that a repetition is known for one after Stripe forgot it."""
        texts = {_TEXTS[name]: text for name, text in request.texts.items() if text}
        papers = {_FILES[name]: file for name, file in request.files.items() if file}
        params: Any = {
            "evidence": {**texts, **papers},
            "submit": True,
            "metadata": {_SUBMISSION: request.key},
        }
        try:
            return _asked(
                lambda: self._api.disputes.update(request.dispute, params, {"idempotency_key": request.key})
            )
        except EvidenceRefused:
            done = self._submitted_before(request)
            if done is None:
                raise
            return done

    def _submitted_before(self, request: EvidenceRequest) -> DisputeNews | None:
        found: dict[str, Any] = {}

        def look() -> Any:
            dispute = self._api.disputes.retrieve(request.dispute)
            found.update(dispute.to_dict())
            return dispute

        try:
            news = _asked(look)
        except EvidenceRefused:
            return None
        return news if (found.get("metadata") or {}).get(_SUBMISSION) == request.key else None

    def accept_dispute(self, *, key: str, reference: str) -> DisputeNews:
        """Where the dispute stands after we gave it up; one that can not be given up any more stays as it is."""
        try:
            return _asked(lambda: self._api.disputes.close(reference, {}, {"idempotency_key": key}))
        except EvidenceRefused:
            return self.query_dispute(reference)


def _asked(ask: Callable[[], Any]) -> DisputeNews:
    """Raises `EvidenceRefused` for what Stripe does not take, `ChannelUnavailable` where nothing is clear."""
    try:
        return of_dispute(ask().to_dict())
    except stripe.InvalidRequestError as error:
        if error.http_status == 400:
            raise EvidenceRefused(str(error.user_message)) from error
        raise ChannelUnavailable(f"Stripe does not know this dispute: {error.user_message}") from error
    except (stripe.StripeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ChannelUnavailable("Stripe did not say how the dispute stands") from error
