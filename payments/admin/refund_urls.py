"""Below `console/payments/refunds/`."""

from django.urls import path

from payments.admin import refunds

urlpatterns = [
    path("", refunds.queue, name="refund-queue"),
    path("of/<str:payment>/", refunds.ask, name="payment-refund"),
    path("<str:refund>/", refunds.case, name="refund-case"),
]
