"""Refunds: money of a paid order given back, wholly, in part or by article; and the second person's word."""

from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from checkout import selectors as orders
from checkout.api.callers import viewer_of
from checkout.api.examples import ORDER_REFUND_REQUEST, REFUND, REFUND_REQUEST, REFUNDS
from checkout.api.refusals import AmountInvalid, CurrencyUnknown
from checkout.api.schema import operation
from checkout.api.serializers.answers import RefundAnswer, RefundsAnswer
from checkout.api.serializers.requests import (
    OrderRefundRequest,
    PaymentRefundRequest,
    ReasonRequest,
    RefundRequest,
)
from checkout.api.views.base import ApiView
from checkout.api.views.payments import payment_seen_by
from checkout.errors import (
    LinesAlreadyRefunded,
    OrderNotFound,
    OrderNotRefundable,
    QuantityInvalid,
    RefundPartsInvalid,
)
from checkout.facts import READ_ORDERS
from checkout.services.refund_order import refund_order
from ledger.errors import Refusal
from payments import selectors
from payments.api.idempotency import IdempotentMixin, business_key
from payments.api.permissions import Scope
from payments.errors import (
    PaymentNotFound,
    PaymentNotRefundable,
    RefundExceedsCaptured,
    RefundKeyReused,
    RefundLimitReached,
    RefundNotFound,
    RefundNotWaiting,
    RefundWindowOver,
    SecondPersonNeeded,
)
from payments.services.approve_refund import approve_refund
from payments.services.reject_refund import reject_refund

_REFUSALS = (
    PaymentNotRefundable,
    OrderNotRefundable,
    RefundExceedsCaptured,
    RefundKeyReused,
    RefundLimitReached,
    RefundWindowOver,
    AmountInvalid,
    CurrencyUnknown,
)
_HOW = "The money moves in the background, perhaps after a second person's approval: ask `GET refunds/{id}`."


class _AsksForRefund(IdempotentMixin, ApiView):
    scopes = {"GET": Scope.ORDERS_READ, "POST": Scope.REFUNDS_WRITE}

    def of_payment(self, request: Request, payment_id: str, data: dict[str, Any]) -> Response:
        viewer = viewer_of(request, READ_ORDERS)
        payment = payment_seen_by(viewer, payment_id)
        if not payment.captured.minor or payment.surplus:
            # An order is refunded from the payment that paid it.
            raise PaymentNotRefundable("This payment is not what paid the order, so it can not be refunded.")
        return self.of_order(request, payment.reference, data)

    def of_order(self, request: Request, order: str, data: dict[str, Any]) -> Response:
        refund = refund_order(
            order=order,
            viewer=viewer_of(request, READ_ORDERS),
            amount=data.get("amount"),
            lines=data.get("lines"),
            shipping=data.get("shipping", False),
            restock=data.get("restock"),
            reason=data["reason"],
            cause=data.get("cause", ""),
            key=business_key(request),
        )
        response = self.answer(RefundAnswer, refund, status=201)
        response["Location"] = f"/api/v1/refunds/{refund.id}"
        return response


class RefundsView(_AsksForRefund):
    input_serializer = RefundRequest

    @operation(
        "requestRefund",
        tag="refunds",
        summary="Give money back",
        description=_HOW,
        request=RefundRequest,
        answer=RefundAnswer,
        status=201,
        moves=True,
        refusals=(PaymentNotFound, *_REFUSALS),
        examples={"request": REFUND_REQUEST, "answer": REFUND},
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        return self.of_payment(request, data["payment"], data)


class PaymentRefundsView(_AsksForRefund):
    input_serializer = PaymentRefundRequest

    @operation(
        "listRefundsOfPayment",
        tag="refunds",
        summary="List a payment's refunds",
        answer=RefundsAnswer,
        refusals=(PaymentNotFound,),
        examples={"answer": REFUNDS},
    )
    def get(self, request: Request, payment: str) -> Response:
        seen = payment_seen_by(viewer_of(request), payment)
        return self.answer(RefundsAnswer, {"data": selectors.refunds_of(seen.id)})

    @operation(
        "refundPayment",
        tag="refunds",
        summary="Give money of a payment back",
        description=_HOW,
        request=PaymentRefundRequest,
        answer=RefundAnswer,
        status=201,
        moves=True,
        refusals=(PaymentNotFound, *_REFUSALS),
        examples={"request": {"reason": REFUND["reason"]}, "answer": REFUND},
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        return self.of_payment(request, kwargs["payment"], data)


class OrderRefundsView(_AsksForRefund):
    input_serializer = OrderRefundRequest

    @operation(
        "listRefundsOfOrder",
        tag="refunds",
        summary="List an order's refunds",
        answer=RefundsAnswer,
        refusals=(OrderNotFound,),
        examples={"answer": REFUNDS},
    )
    def get(self, request: Request, order: str) -> Response:
        seen = orders.order(order, viewer_of(request))
        refunds = [refund for payment in seen.payments for refund in selectors.refunds_of(payment.id)]
        return self.answer(RefundsAnswer, {"data": refunds})

    @operation(
        "refundOrder",
        tag="refunds",
        summary="Give money of an order back, by article if you like",
        description=(
            f"Name articles (`lines`) and the `shipping`, or an `amount`, or neither for all that is left. {_HOW}"
        ),
        request=OrderRefundRequest,
        answer=RefundAnswer,
        status=201,
        moves=True,
        refusals=(OrderNotFound, LinesAlreadyRefunded, RefundPartsInvalid, QuantityInvalid, *_REFUSALS),
        examples={"request": ORDER_REFUND_REQUEST, "answer": REFUND},
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        return self.of_order(request, kwargs["order"], data)


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


class _Decides(IdempotentMixin, ApiView):
    """For programs that have the scope: people approve in the console."""

    scopes = {"POST": Scope.REFUNDS_APPROVE}
    input_serializer = ReasonRequest

    def decider(self, request: Request) -> str:
        viewer = viewer_of(request)
        if not viewer.may(Scope.REFUNDS_APPROVE):
            raise PermissionDenied(
                f"This takes an API key with the scope {Scope.REFUNDS_APPROVE}.", code="scope_missing"
            )
        return viewer.actor

    def decided(self, refund: selectors.RefundView, actor: str) -> bool:
        """Whether this decision stands already."""
        raise NotImplementedError

    def recover(self, request: Request, data: dict[str, Any], refusal: Refusal) -> Response | None:
        if not isinstance(refusal, RefundNotWaiting):
            return None
        refund = selectors.refund(request.parser_context["kwargs"]["refund"])
        return self.answer(RefundAnswer, refund) if self.decided(refund, self.decider(request)) else None


class RefundApproveView(_Decides):
    @operation(
        "approveRefund",
        tag="refunds",
        summary="Approve a refund that waits for a second person",
        description="Not with the key that asked for it.",
        request=ReasonRequest,
        answer=RefundAnswer,
        moves=True,
        token=False,
        refusals=(RefundNotFound, RefundNotWaiting, RefundExceedsCaptured, SecondPersonNeeded),
        examples={"request": {"reason": "Seen the photographs."}, "answer": REFUND},
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        actor = self.decider(request)
        done = approve_refund(refund=kwargs["refund"], actor=actor, reason=data["reason"])
        return self.answer(RefundAnswer, done)

    def decided(self, refund: selectors.RefundView, actor: str) -> bool:
        return refund.approved_by == actor


class RefundRejectView(_Decides):
    @operation(
        "rejectRefund",
        tag="refunds",
        summary="Reject a refund that waits for a second person",
        description="Nothing is sent, and its sum can be refunded again.",
        request=ReasonRequest,
        answer=RefundAnswer,
        moves=True,
        token=False,
        refusals=(RefundNotFound, RefundNotWaiting),
        examples={
            "request": {"reason": "Sent back empty."},
            "answer": {**REFUND, "state": "FAILED", "failure_code": "rejected"},
        },
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        actor = self.decider(request)
        done = reject_refund(refund=kwargs["refund"], actor=actor, reason=data["reason"])
        return self.answer(RefundAnswer, done)

    def decided(self, refund: selectors.RefundView, actor: str) -> bool:
        return refund.code == "rejected"
