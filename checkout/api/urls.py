"""Everything under /api/v1/."""

from django.urls import path

from checkout.api.views.assessments import AssessmentsView
from checkout.api.views.captures import PaymentCaptureView, PaymentVoidView
from checkout.api.views.catalogue import CatalogueView, PreviewView
from checkout.api.views.challenges import ChallengeCodeView, ChallengeView
from checkout.api.views.disputes import (
    DisputeAcceptView,
    DisputeEvidenceView,
    DisputeFileView,
    DisputeSubmitView,
    DisputesView,
    DisputeView,
)
from checkout.api.views.orders import OrderCancelView, OrdersView, OrderView, PaymentOptionsView
from checkout.api.views.payments import PaymentCancelView, PaymentsView, PaymentView
from checkout.api.views.refunds import (
    OrderRefundsView,
    PaymentRefundsView,
    RefundApproveView,
    RefundRejectView,
    RefundsView,
    RefundView,
)
from checkout.api.views.saved_methods import PaymentMethodsView, PaymentMethodView
from checkout.api.views.shipments import ShipmentsView
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
    # Tried in this order: this one is asked for most.
    path("risk/assessments", AssessmentsView.as_view(), name="assessments"),
    path("catalogue", CatalogueView.as_view(), name="catalogue"),
    path("checkout/preview", PreviewView.as_view(), name="preview"),
    path("orders", OrdersView.as_view(), name="orders"),
    path("orders/<str:order>", OrderView.as_view(), name="order"),
    path("orders/<str:order>/cancel", OrderCancelView.as_view(), name="order-cancel"),
    path("orders/<str:order>/payment_options", PaymentOptionsView.as_view(), name="payment-options"),
    path("orders/<str:order>/refunds", OrderRefundsView.as_view(), name="order-refunds"),
    path("orders/<str:order>/shipments", ShipmentsView.as_view(), name="shipments"),
    path("payments", PaymentsView.as_view(), name="payments"),
    path("payments/<str:payment>", PaymentView.as_view(), name="payment"),
    path("payments/<str:payment>/cancel", PaymentCancelView.as_view(), name="payment-cancel"),
    path("payments/<str:payment>/capture", PaymentCaptureView.as_view(), name="payment-capture"),
    path("payments/<str:payment>/void", PaymentVoidView.as_view(), name="payment-void"),
    path("payments/<str:payment>/challenge", ChallengeView.as_view(), name="challenge"),
    path("payments/<str:payment>/challenge/code", ChallengeCodeView.as_view(), name="challenge-code"),
    path("payments/<str:payment>/refunds", PaymentRefundsView.as_view(), name="payment-refunds"),
    path("payment_methods", PaymentMethodsView.as_view(), name="payment-methods"),
    path("payment_methods/<str:method>", PaymentMethodView.as_view(), name="payment-method"),
    path("refunds", RefundsView.as_view(), name="refunds"),
    path("refunds/<str:refund>", RefundView.as_view(), name="refund"),
    path("refunds/<str:refund>/approve", RefundApproveView.as_view(), name="refund-approve"),
    path("refunds/<str:refund>/reject", RefundRejectView.as_view(), name="refund-reject"),
    path("disputes", DisputesView.as_view(), name="disputes"),
    path("disputes/<str:dispute>", DisputeView.as_view(), name="dispute"),
    path("disputes/<str:dispute>/evidence", DisputeEvidenceView.as_view(), name="dispute-evidence"),
    path("disputes/<str:dispute>/files/<str:kind>", DisputeFileView.as_view(), name="dispute-file"),
    path("disputes/<str:dispute>/submit", DisputeSubmitView.as_view(), name="dispute-submit"),
    path("disputes/<str:dispute>/accept", DisputeAcceptView.as_view(), name="dispute-accept"),
    path("webhook_endpoints", WebhookEndpointsView.as_view(), name="webhook-endpoints"),
    path("webhook_endpoints/<str:endpoint>", WebhookEndpointView.as_view(), name="webhook-endpoint"),
    path(
        "webhook_endpoints/<str:endpoint>/rotate_secret", WebhookSecretView.as_view(), name="webhook-secret"
    ),
    path("webhook_endpoints/<str:endpoint>/deliveries", WebhookDeliveriesView.as_view(), name="webhook-log"),
    path("webhook_endpoints/<str:endpoint>/replay", WebhookReplayView.as_view(), name="webhook-replay"),
    path("webhook_endpoints/<str:endpoint>/test", WebhookTestView.as_view(), name="webhook-test"),
]
