"""The cards that a signed-in customer keeps. They are made by a payment with `keep_instrument`."""

from rest_framework.request import Request
from rest_framework.response import Response

from checkout.api.callers import viewer_of
from checkout.api.examples import SAVED_METHOD
from checkout.api.refusals import AmountInvalid, CurrencyUnknown
from checkout.api.schema import operation
from checkout.api.serializers.saved_methods import (
    DeletedSavedMethodAnswer,
    SavedMethodAnswer,
    SavedMethodRequest,
    SavedMethodsAnswer,
)
from checkout.api.views.base import ApiView
from checkout.facts import Viewer
from payments import vault
from payments.errors import CustomerUnknown, SavedMethodLimitInvalid, SavedMethodNotFound
from payments.services.change_saved_method import change_saved_method
from payments.services.delete_saved_method import delete_saved_method


def _customer(request: Request) -> Viewer:
    """Only people keep cards: a program has none, whatever its scopes."""
    viewer = viewer_of(request)
    if not viewer.customer:
        raise CustomerUnknown("Sign in as the customer: kept cards are theirs alone.")
    return viewer


class PaymentMethodsView(ApiView):
    @operation(
        "listPaymentMethods",
        tag="payment methods",
        summary="List the cards that the signed-in customer keeps",
        description="The default first. A card is kept by a payment with `keep_instrument` that succeeds.",
        answer=SavedMethodsAnswer,
        token=False,
        refusals=(CustomerUnknown,),
        examples={"answer": {"data": [SAVED_METHOD]}},
    )
    def get(self, request: Request) -> Response:
        kept = vault.saved_methods_of(_customer(request).customer)
        return self.answer(SavedMethodsAnswer, {"data": kept})


class PaymentMethodView(ApiView):
    @operation(
        "getPaymentMethod",
        tag="payment methods",
        summary="Look at a kept card",
        answer=SavedMethodAnswer,
        token=False,
        refusals=(CustomerUnknown, SavedMethodNotFound),
        examples={"answer": SAVED_METHOD},
    )
    def get(self, request: Request, method: str) -> Response:
        return self.answer(SavedMethodAnswer, vault.saved_method(method, _customer(request).customer))

    @operation(
        "changePaymentMethod",
        tag="payment methods",
        summary="Name a kept card, set its limits, or make it the default",
        description="What is left out stays; a limit of null is none.",
        request=SavedMethodRequest,
        answer=SavedMethodAnswer,
        token=False,
        refusals=(
            CustomerUnknown,
            SavedMethodNotFound,
            SavedMethodLimitInvalid,
            AmountInvalid,
            CurrencyUnknown,
        ),
        examples={"request": {"label": "Travel", "is_default": True}, "answer": SAVED_METHOD},
    )
    def patch(self, request: Request, method: str) -> Response:
        viewer = _customer(request)
        data = self.read(SavedMethodRequest, request)
        changed = change_saved_method(method=method, customer=viewer.customer, actor=viewer.actor, **data)
        return self.answer(SavedMethodAnswer, changed)

    @operation(
        "deletePaymentMethod",
        tag="payment methods",
        summary="Remove a kept card",
        description="It pays nothing from this moment; the provider is told to forget it.",
        answer=DeletedSavedMethodAnswer,
        token=False,
        refusals=(CustomerUnknown, SavedMethodNotFound),
        examples={"answer": {"id": SAVED_METHOD["id"], "deleted": True}},
    )
    def delete(self, request: Request, method: str) -> Response:
        viewer = _customer(request)
        delete_saved_method(method=method, customer=viewer.customer, actor=viewer.actor)
        return self.answer(DeletedSavedMethodAnswer, {"id": method, "deleted": True})
