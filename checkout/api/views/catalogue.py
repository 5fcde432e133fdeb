"""What is for sale, and what a cart of it costs."""

from rest_framework.request import Request
from rest_framework.response import Response

from checkout import selectors
from checkout.api.callers import viewer_of
from checkout.api.examples import CATALOGUE, PREVIEW, PREVIEW_REQUEST
from checkout.api.pagination import cursor_for, cursor_of, limit_of
from checkout.api.refusals import CursorInvalid
from checkout.api.schema import PAGE_PARAMETERS, operation
from checkout.api.serializers.answers import CatalogueAnswer, PreviewAnswer
from checkout.api.serializers.requests import PreviewRequest
from checkout.api.views.base import ApiView
from checkout.errors import (
    CartEmpty,
    CartTooLarge,
    CouponUnknown,
    CouponUsed,
    CurrenciesMixed,
    PurchaseLimitExceeded,
    QuantityInvalid,
    RegionNotServed,
    SkuUnknown,
)
from checkout.services.preview import preview

CART_REFUSALS = (
    CartEmpty,
    CartTooLarge,
    QuantityInvalid,
    SkuUnknown,
    CurrenciesMixed,
    RegionNotServed,
    PurchaseLimitExceeded,
    CouponUnknown,
    CouponUsed,
)


class CatalogueView(ApiView):
    @operation(
        "listCatalogue",
        tag="catalogue",
        summary="List what is for sale",
        answer=CatalogueAnswer,
        parameters=PAGE_PARAMETERS,
        token=False,
        examples={"answer": CATALOGUE},
    )
    def get(self, request: Request) -> Response:
        limit, after = limit_of(request), cursor_of(request)
        everything = selectors.catalogue()
        codes = [sku.code for sku in everything]
        if after and after not in codes:
            raise CursorInvalid(
                "The article where the page before ended is gone. Start again.", param="cursor"
            )
        start = codes.index(after) + 1 if after else 0
        page = everything[start : start + limit]
        more = start + limit < len(everything)
        return self.answer(
            CatalogueAnswer, {"data": page, "next_cursor": cursor_for(page[-1].code) if more else None}
        )


class PreviewView(ApiView):
    @operation(
        "previewCheckout",
        tag="checkout",
        summary="Price a cart and sign the result",
        description="Reads only: nothing is held. The quote is what `POST orders` charges.",
        request=PreviewRequest,
        answer=PreviewAnswer,
        refusals=CART_REFUSALS,
        token=False,
        examples={"request": PREVIEW_REQUEST, "answer": PREVIEW},
    )
    def post(self, request: Request) -> Response:
        wanted = self.read(PreviewRequest, request)
        priced = preview(
            items=wanted["items"],
            region=wanted["region"],
            viewer=viewer_of(request),
            coupon=wanted.get("coupon", ""),
        )
        return self.answer(PreviewAnswer, priced)
