"""Refunds: money of a paid order given back, wholly or in part."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from checkout.api.callers import viewer_of
from checkout.api.examples import REFUND, REFUND_REQUEST
from checkout.api.refusals import AmountInvalid, CurrencyUnknown
from checkout.api.schema import operation
from checkout.api.serializers.answers import RefundAnswer
from checkout.api.serializers.requests import RefundRequest
from checkout.api.views.base import ApiView
from checkout.api.views.payments import payment_seen_by
from checkout.errors import OrderNotRefundable
from checkout.facts import READ_ORDERS
from checkout.services.refund_order import refund_order
from payments import selectors
from payments.api.idempotency import IdempotentMixin, business_key
from payments.api.permissions import Scope
from payments.errors import (
    PaymentNotFound,
    PaymentNotRefundable,
    RefundExceedsCaptured,
    RefundKeyReused,
    RefundNotFound,
)


class RefundsView(IdempotentMixin, ApiView):
    scopes = {"POST": Scope.REFUNDS_WRITE}
    input_serializer = RefundRequest

    @operation(
        "requestRefund",
        tag="refunds",
        summary="Give money back",
        description="The money moves in the background: ask `GET refunds/{id}`.",
        request=RefundRequest,
        answer=RefundAnswer,
        status=201,
        moves=True,
        refusals=(
            PaymentNotFound,
            PaymentNotRefundable,
            OrderNotRefundable,
            RefundExceedsCaptured,
            RefundKeyReused,
            AmountInvalid,
            CurrencyUnknown,
        ),
        examples={"request": REFUND_REQUEST, "answer": REFUND},
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        viewer = viewer_of(request, READ_ORDERS)
        payment = payment_seen_by(viewer, data["payment"])
        if (
            not payment.captured.minor or payment.surplus
        ):  # an order is refunded from the payment that paid it
            raise PaymentNotRefundable("This payment is not what paid the order, so it can not be refunded.")
        refund = refund_order(
            order=payment.reference,
            viewer=viewer,
            amount=data.get("amount"),
            reason=data["reason"],
            key=business_key(request),
        )
        response = self.answer(RefundAnswer, refund, status=201)
        response["Location"] = f"/api/v1/refunds/{refund.id}"
        return response


class RefundView(ApiView):
    scopes = {"GET": Scope.ORDERS_READ}

    @operation(
        "getRefund",
        tag="refunds",
        summary="Look at a refund",
        answer=RefundAnswer,
        refusals=(RefundNotFound,),
        examples={"answer": REFUND},
    )
    def get(self, request: Request, refund: str) -> Response:
        found = selectors.refund(refund)
        try:
            payment_seen_by(viewer_of(request), found.payment)
        except PaymentNotFound as hidden:
            raise RefundNotFound(f"There is no refund {refund[:40]!r}.") from hidden
        return self.answer(RefundAnswer, found)
