"""Held money, for merchants: captured, or let go."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from checkout.api.callers import viewer_of
from checkout.api.examples import CAPTURE_REQUEST, PAYMENT
from checkout.api.refusals import AmountInvalid, CurrencyUnknown
from checkout.api.schema import operation
from checkout.api.serializers.answers import PaymentAnswer
from checkout.api.serializers.requests import CaptureRequest, NothingRequest
from checkout.api.views.base import ApiView
from checkout.api.views.payments import payment_seen_by
from checkout.errors import ForMerchantsOnly
from checkout.facts import READ_ORDERS, Viewer
from payments.api.idempotency import IdempotentMixin, business_key
from payments.api.permissions import Scope
from payments.errors import (
    CaptureExceedsHeld,
    CaptureKeyReused,
    PaymentAlreadySucceeded,
    PaymentInProgress,
    PaymentNotCapturable,
    PaymentNotFound,
    PaymentOutcomeUnknown,
)
from payments.selectors import PaymentView
from payments.services.cancel_payment import cancel_payment
from payments.services.capture_payment import capture_payment
from payments.services.release_rest import release_rest
from payments.states import PaymentState


def _for_merchant(request: Request, payment: str) -> tuple[Viewer, PaymentView]:
    """Who asks, and the payment. Raises `PaymentNotFound`, `ForMerchantsOnly`."""
    viewer = viewer_of(request, READ_ORDERS)
    found = payment_seen_by(viewer, payment)
    if not viewer.may(READ_ORDERS):
        raise ForMerchantsOnly("Only the merchant does this: use an API key with payments:write.")
    return viewer, found


class PaymentCaptureView(IdempotentMixin, ApiView):
    scopes = {"POST": Scope.PAYMENTS_WRITE}
    input_serializer = CaptureRequest

    @operation(
        "capturePayment",
        tag="payments",
        summary="Take money that is held",
        description=(
            "All of it or a part; several parts where the channel can. When the provider did not answer clearly, "
            "`captured` does not have it yet: ask `GET payments/{id}`. For merchants."
        ),
        request=CaptureRequest,
        answer=PaymentAnswer,
        moves=True,
        refusals=(
            PaymentNotFound,
            ForMerchantsOnly,
            PaymentNotCapturable,
            CaptureExceedsHeld,
            CaptureKeyReused,
            PaymentInProgress,
            PaymentOutcomeUnknown,
            AmountInvalid,
            CurrencyUnknown,
        ),
        examples={
            "request": CAPTURE_REQUEST,
            "answer": {**PAYMENT, "state": "SUCCEEDED", "next_action": None, "capture_mode": "manual"},
        },
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        viewer, found = _for_merchant(request, kwargs["payment"])
        after = capture_payment(
            payment=found.id,
            amount=data.get("amount"),
            final=data["final"],
            actor=viewer.actor,
            reason="capture",
            key=business_key(request),
        )
        return self.answer(PaymentAnswer, after)


class PaymentVoidView(IdempotentMixin, ApiView):
    scopes = {"POST": Scope.PAYMENTS_WRITE}
    input_serializer = NothingRequest

    @operation(
        "voidPayment",
        tag="payments",
        summary="Let go of money that is held",
        description=(
            "What was captured stays. With nothing captured the payment is CANCELLED, and with it an order that "
            "nothing has left of. For merchants."
        ),
        request=NothingRequest,
        answer=PaymentAnswer,
        moves=True,
        refusals=(
            PaymentNotFound,
            ForMerchantsOnly,
            PaymentNotCapturable,
            PaymentAlreadySucceeded,
            PaymentInProgress,
            PaymentOutcomeUnknown,
        ),
        examples={"request": {}, "answer": {**PAYMENT, "state": "CANCELLED", "next_action": None}},
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        viewer, found = _for_merchant(request, kwargs["payment"])
        let_go = release_rest if found.state == PaymentState.SUCCEEDED else cancel_payment
        return self.answer(PaymentAnswer, let_go(payment=found.id, actor=viewer.actor, reason="merchant"))
