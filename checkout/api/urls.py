"""Everything under /api/v1/."""

from django.urls import path

from checkout.api.views.catalogue import CatalogueView, PreviewView
from checkout.api.views.orders import OrderCancelView, OrdersView, OrderView
from checkout.api.views.payments import PaymentCancelView, PaymentsView, PaymentView
from checkout.api.views.refunds import RefundsView, RefundView
from checkout.api.views.webhooks import (
    WebhookDeliveriesView,
    WebhookEndpointsView,
    WebhookEndpointView,
    WebhookReplayView,
    WebhookSecretView,
    WebhookTestView,
)

app_name = "api"
urlpatterns = [
    path("catalogue", CatalogueView.as_view(), name="catalogue"),
    path("checkout/preview", PreviewView.as_view(), name="preview"),
    path("orders", OrdersView.as_view(), name="orders"),
    path("orders/<str:order>", OrderView.as_view(), name="order"),
    path("orders/<str:order>/cancel", OrderCancelView.as_view(), name="order-cancel"),
    path("payments", PaymentsView.as_view(), name="payments"),
    path("payments/<str:payment>", PaymentView.as_view(), name="payment"),
    path("payments/<str:payment>/cancel", PaymentCancelView.as_view(), name="payment-cancel"),
    path("refunds", RefundsView.as_view(), name="refunds"),
    path("refunds/<str:refund>", RefundView.as_view(), name="refund"),
    path("webhook_endpoints", WebhookEndpointsView.as_view(), name="webhook-endpoints"),
    path("webhook_endpoints/<str:endpoint>", WebhookEndpointView.as_view(), name="webhook-endpoint"),
    path(
        "webhook_endpoints/<str:endpoint>/rotate_secret", WebhookSecretView.as_view(), name="webhook-secret"
    ),
    path("webhook_endpoints/<str:endpoint>/deliveries", WebhookDeliveriesView.as_view(), name="webhook-log"),
    path("webhook_endpoints/<str:endpoint>/replay", WebhookReplayView.as_view(), name="webhook-replay"),
    path("webhook_endpoints/<str:endpoint>/test", WebhookTestView.as_view(), name="webhook-test"),
]
