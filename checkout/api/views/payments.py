"""Payments of orders: started, looked at, cancelled."""

from http import HTTPStatus
from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from checkout import selectors as orders
from checkout.api.callers import client_of, viewer_of
from checkout.api.examples import PAYMENT, PAYMENT_REQUEST
from checkout.api.refusals import ReturnUrlInvalid
from checkout.api.schema import operation
from checkout.api.serializers.answers import PaymentAnswer
from checkout.api.serializers.requests import NothingRequest, PaymentRequest
from checkout.api.views.base import ApiView
from checkout.errors import CustomerLimitReached, OrderNotFound, OrderNotPayable, PaymentStillOpen
from checkout.facts import READ_ORDERS, WRITE_ORDERS, Viewer
from checkout.services.pay_order import pay_order
from ledger.errors import Refusal
from payments import selectors
from payments.api.idempotency import IdempotentMixin
from payments.api.permissions import Scope
from payments.errors import (
    ChannelNotReachable,
    CustomerUnknown,
    InstrumentInvalid,
    MethodUnavailable,
    PaymentAlreadySucceeded,
    PaymentInProgress,
    PaymentNotFound,
    PaymentOutcomeUnknown,
    SavedMethodExpired,
    SavedMethodLimit,
    SavedMethodNotFound,
)
from payments.services.cancel_payment import cancel_payment
from payments.states import CaptureMode


def payment_seen_by(viewer: Viewer, payment: str) -> selectors.PaymentView:
    """The payment, if its order is the viewer's to see. Raises `PaymentNotFound` either way."""
    found = selectors.payment(payment)
    try:
        orders.order(found.reference, viewer)
    except OrderNotFound as hidden:
        raise PaymentNotFound(f"There is no payment {payment[:40]!r}.") from hidden
    return found


class PaymentsView(IdempotentMixin, ApiView):
    scopes = {"POST": Scope.PAYMENTS_WRITE}
    input_serializer = PaymentRequest

    @operation(
        "startPayment",
        tag="payments",
        summary="Start (or try again) the payment of an order",
        description=(
            "Answers as soon as the provider has answered. When `next_action` is set the customer has to act: "
            "follow the address, or scan the QR code. Then the state changes by itself: ask `GET payments/{id}`."
        ),
        request=PaymentRequest,
        answer=PaymentAnswer,
        status=201,
        moves=True,
        refusals=(
            OrderNotFound,
            OrderNotPayable,
            CustomerLimitReached,
            PaymentStillOpen,
            MethodUnavailable,
            InstrumentInvalid,
            SavedMethodNotFound,
            SavedMethodExpired,
            SavedMethodLimit,
            CustomerUnknown,
            PaymentInProgress,
            PaymentOutcomeUnknown,
            PaymentAlreadySucceeded,
            ChannelNotReachable,
            ReturnUrlInvalid,
        ),
        examples={"request": PAYMENT_REQUEST, "answer": PAYMENT},
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        payment = pay_order(
            order=data["order"],
            viewer=viewer_of(request, WRITE_ORDERS),
            method=data["method"],
            instrument=data.get("instrument", ""),
            saved_method=data.get("saved_method", ""),
            keep_instrument=data.get("keep_instrument", False),
            client=client_of(request, data.get("conduct", "")),
            return_url=data.get("return_url") or f"{settings.PUBLIC_URL}/orders/{data['order']}",
        )
        return self._started(payment)

    def recover(self, request: Request, data: dict[str, Any], refusal: Refusal) -> Response | None:
        stands_in_the_way = refusal.status == HTTPStatus.CONFLICT  # an order has one live payment: this one
        payment = selectors.live_payment(data["order"]) if stands_in_the_way else None
        return self._started(payment) if payment else None

    def _started(self, payment: selectors.PaymentView) -> Response:
        response = self.answer(PaymentAnswer, payment, status=201)
        response["Location"] = f"/api/v1/payments/{payment.id}"
        return response


class PaymentView(ApiView):
    scopes = {"GET": Scope.ORDERS_READ}

    @operation(
        "getPayment",
        tag="payments",
        summary="Look at a payment",
        answer=PaymentAnswer,
        refusals=(PaymentNotFound,),
        examples={"answer": PAYMENT},
    )
    def get(self, request: Request, payment: str) -> Response:
        return self.answer(PaymentAnswer, payment_seen_by(viewer_of(request), payment))


class PaymentCancelView(IdempotentMixin, ApiView):
    scopes = {"POST": Scope.PAYMENTS_WRITE}
    input_serializer = NothingRequest

    @operation(
        "cancelPayment",
        tag="payments",
        summary="Cancel a payment that took no money",
        description="Closes it at the provider. The order stays and can be paid another way.",
        request=NothingRequest,
        answer=PaymentAnswer,
        moves=True,
        refusals=(PaymentNotFound, PaymentInProgress, PaymentOutcomeUnknown, PaymentAlreadySucceeded),
        examples={"request": {}, "answer": {**PAYMENT, "state": "CANCELLED", "next_action": None}},
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        viewer = viewer_of(request, READ_ORDERS)
        payment = payment_seen_by(viewer, kwargs["payment"])
        if payment.capture_mode == CaptureMode.MANUAL and payment.held.minor and not viewer.may(READ_ORDERS):
            raise PaymentAlreadySucceeded("This order is paid: ask the shop to call it off.")
        cancelled = cancel_payment(payment=payment.id, actor=viewer.actor, reason="customer")
        return self.answer(PaymentAnswer, cancelled)
