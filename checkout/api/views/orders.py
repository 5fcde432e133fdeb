"""Orders: placed from a quote, looked at, cancelled."""

from dataclasses import replace
from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from checkout import selectors
from checkout.api.callers import client_of, viewer_of
from checkout.api.examples import ORDER, ORDER_REQUEST, ORDERS, PAYMENT_OPTIONS, PLACED_ORDER
from checkout.api.pagination import cursor_for, cursor_of, limit_of
from checkout.api.refusals import CursorInvalid
from checkout.api.schema import PAGE_PARAMETERS, operation
from checkout.api.serializers.answers import (
    OrderAnswer,
    OrdersAnswer,
    PaymentOptionsAnswer,
    PlacedOrderAnswer,
)
from checkout.api.serializers.requests import NothingRequest, OrderRequest
from checkout.api.views.base import ApiView
from checkout.api.views.catalogue import CART_REFUSALS
from checkout.errors import (
    AddressInvalid,
    CustomerLimitReached,
    EmailInvalid,
    OrderNotCancellable,
    OrderNotFound,
    OrderRejected,
    OutOfStock,
    PaymentStillOpen,
    QuoteExpired,
    QuoteReplayed,
    QuoteStale,
    QuoteTampered,
)
from checkout.selectors.allowances import payment_options
from checkout.services.cancel_order import cancel_order
from checkout.services.place_order import place_order
from ledger.errors import Refusal
from payments.api.idempotency import IdempotentMixin
from payments.api.permissions import Scope
from payments.errors import PaymentInProgress, PaymentOutcomeUnknown
from risk.errors import DeviceFrozen


class OrdersView(IdempotentMixin, ApiView):
    scopes = {"GET": Scope.ORDERS_READ, "POST": Scope.ORDERS_WRITE}
    input_serializer = OrderRequest

    @operation(
        "listOrders",
        tag="orders",
        summary="List orders, newest first",
        description="A signed-in customer's own, or those of the order tokens sent.",
        answer=OrdersAnswer,
        parameters=PAGE_PARAMETERS,
        examples={"answer": ORDERS},
    )
    def get(self, request: Request) -> Response:
        limit = limit_of(request)
        try:
            found = selectors.orders_of(viewer_of(request), limit=limit + 1, before=cursor_of(request))
        except OrderNotFound as gone:
            raise CursorInvalid("Pass `next_cursor` of the page before, unchanged.", param="cursor") from gone
        page = found[:limit]
        next_cursor = cursor_for(page[-1].id) if len(found) > limit else None
        return self.answer(OrdersAnswer, {"data": page, "next_cursor": next_cursor})

    @operation(
        "placeOrder",
        tag="orders",
        summary="Place the order that a quote was made for",
        description="Holds the stock until `expires_at`. A guest's `order_token` opens the order.",
        request=OrderRequest,
        answer=PlacedOrderAnswer,
        status=201,
        moves=True,
        token=False,
        refusals=(
            *CART_REFUSALS,
            QuoteTampered,
            QuoteExpired,
            QuoteReplayed,
            QuoteStale,
            OutOfStock,
            AddressInvalid,
            EmailInvalid,
            OrderRejected,
            CustomerLimitReached,
            DeviceFrozen,
        ),
        examples={"request": ORDER_REQUEST, "answer": PLACED_ORDER},
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        placed = place_order(
            quote=data["quote"],
            items=data["items"],
            address=data["address"],
            email=data["email"],
            viewer=viewer_of(request),
            client=client_of(request, data.get("conduct", "")),
            locale=data.get("locale") or ("zh-hans" if request.LANGUAGE_CODE.startswith("zh") else "en"),
        )
        return self._placed(placed.order, placed.access_token)

    def recover(self, request: Request, data: dict[str, Any], refusal: Refusal) -> Response | None:
        if not isinstance(refusal, QuoteReplayed):
            return None
        placed = refusal.context["order"]
        viewer = viewer_of(request)
        # The one who began under this key asks again: a guest's token went with the lost answer.
        token = "" if viewer.user_id is not None else selectors.guest_token(placed)
        opened = replace(viewer, order_tokens=viewer.order_tokens | {token})
        try:
            return self._placed(selectors.order(placed, opened), token)
        except OrderNotFound:
            return None

    def _placed(self, order: selectors.OrderView, token: str) -> Response:
        response = self.answer(OrderAnswer, order, status=201, order_token=token)
        response["Location"] = f"/api/v1/orders/{order.id}"
        return response


class OrderView(ApiView):
    scopes = {"GET": Scope.ORDERS_READ}

    @operation(
        "getOrder",
        tag="orders",
        summary="Look at an order",
        answer=OrderAnswer,
        refusals=(OrderNotFound,),
        examples={"answer": ORDER},
    )
    def get(self, request: Request, order: str) -> Response:
        return self.answer(OrderAnswer, selectors.order(order, viewer_of(request)))


class PaymentOptionsView(ApiView):
    scopes = {"GET": Scope.ORDERS_READ}

    @operation(
        "listPaymentOptions",
        tag="orders",
        summary="List the ways to pay an order, before the attempt",
        description=(
            "A method for which the customer's limits leave no room has a `shortage`: how much is left of which limit. "
            "Limits are in CNY, for one payment, a day or a month of China's calendar. Guests have none."
        ),
        answer=PaymentOptionsAnswer,
        refusals=(OrderNotFound,),
        examples={"answer": PAYMENT_OPTIONS},
    )
    def get(self, request: Request, order: str) -> Response:
        options = payment_options(order, viewer_of(request), timezone.now())
        return self.answer(PaymentOptionsAnswer, {"data": options})


class OrderCancelView(IdempotentMixin, ApiView):
    scopes = {"POST": Scope.ORDERS_WRITE}
    input_serializer = NothingRequest

    @operation(
        "cancelOrder",
        tag="orders",
        summary="Cancel an order that is not paid",
        description="Closes its open payment at the provider and frees its stock.",
        request=NothingRequest,
        answer=OrderAnswer,
        moves=True,
        refusals=(
            OrderNotFound,
            OrderNotCancellable,
            PaymentStillOpen,
            PaymentInProgress,
            PaymentOutcomeUnknown,
        ),
        examples={"request": {}, "answer": {**ORDER, "state": "CANCELLED"}},
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        return self.answer(OrderAnswer, cancel_order(order=kwargs["order"], viewer=viewer_of(request)))
