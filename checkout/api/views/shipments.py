"""Shipments: what left of an order, and the sending of the rest."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from checkout import selectors
from checkout.api.callers import viewer_of
from checkout.api.examples import SHIPMENT, SHIPMENT_REQUEST, SHIPMENTS
from checkout.api.schema import operation
from checkout.api.serializers.answers import ShipmentAnswer, ShipmentsAnswer
from checkout.api.serializers.requests import ShipmentRequest
from checkout.api.views.base import ApiView
from checkout.errors import (
    ForMerchantsOnly,
    OrderNotFound,
    OrderNotShippable,
    QuantityInvalid,
    ShipmentKeyReused,
    ShipmentLinesInvalid,
    ShipmentNotPaid,
    ShipmentWaiting,
)
from checkout.services.ship_order import ship_order
from payments.api.idempotency import IdempotentMixin, business_key
from payments.api.permissions import Scope
from payments.errors import PaymentInProgress, PaymentOutcomeUnknown


class ShipmentsView(IdempotentMixin, ApiView):
    scopes = {"GET": Scope.ORDERS_READ, "POST": Scope.ORDERS_WRITE}
    input_serializer = ShipmentRequest

    @operation(
        "listShipments",
        tag="orders",
        summary="What left of an order, the oldest first",
        answer=ShipmentsAnswer,
        refusals=(OrderNotFound,),
        examples={"answer": SHIPMENTS},
    )
    def get(self, request: Request, order: str) -> Response:
        found = selectors.order(order, viewer_of(request))
        return self.answer(ShipmentsAnswer, {"data": found.shipments})

    @operation(
        "shipOrder",
        tag="orders",
        summary="Ship an order, or a part of it",
        description=(
            "Money that is only held is captured first, for what leaves. `WAITING_FOR_MONEY` means that the provider "
            "has not answered clearly: it leaves by itself once the money is known to be taken. For merchants."
        ),
        request=ShipmentRequest,
        answer=ShipmentAnswer,
        status=201,
        moves=True,
        refusals=(
            OrderNotFound,
            ForMerchantsOnly,
            OrderNotShippable,
            ShipmentLinesInvalid,
            ShipmentWaiting,
            ShipmentNotPaid,
            ShipmentKeyReused,
            PaymentInProgress,
            PaymentOutcomeUnknown,
            QuantityInvalid,
        ),
        examples={"request": SHIPMENT_REQUEST, "answer": SHIPMENT},
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        sent = ship_order(
            order=kwargs["order"],
            viewer=viewer_of(request),
            lines=data.get("items"),
            carrier=data["carrier"],
            tracking=data["tracking"],
            key=business_key(request),
        )
        return self.answer(ShipmentAnswer, sent, status=201)
