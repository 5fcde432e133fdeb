"""Every address, by app."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from checkout.views import refunding
from checkout.views.ship import ship
from config import health, metrics, views
from config.home import views as home
from payments.admin.captures import held_money

urlpatterns = [
    # Tried in this order: programs ask most.
    path("api/v1/", include("checkout.api.urls")),
    path("webhooks/", include("payments.urls")),
    path("console/payments/review/", include("payments.admin.urls")),
    path("console/payments/refunds/", include("payments.admin.refund_urls")),
    path("console/orders/<str:order>/refund/", refunding.refund, name="order-refund"),
    path("console/payments/disputes/", include("payments.admin.dispute_urls")),
    path("console/payments/held/<str:payment>/", held_money, name="held-money"),
    path("console/checkout/ship/<str:order_id>/", ship, name="ship-order"),
    path("console/payments/channels/", include("payments.admin.channel_urls")),
    path("console/payments/webhooks/", include("payments.admin.webhook_urls")),
    path("console/reconciliation/", include("reconciliation.pages.urls")),
    path("console/discrepancies/", include("reconciliation.admin.urls")),
    path("console/risk/", include("risk.pages.urls")),
    path("console/stuck/", include("reconciliation.urls")),
    path("console/books/", include("ledger.urls")),
    path("console/", home.home),
    path("console/home/<str:name>/", home.part, name="console-home-part"),
    path("console/login/", views.console_sign_in),
    path("console/", admin.site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api-docs"),
    path("docs/errors", views.error_catalogue, name="error-catalogue"),
    path("health", health.health, name="health"),
    path("health/ready", health.ready, name="health-ready"),
    path("metrics", metrics.metrics, name="metrics"),
    path("", include("checkout.urls")),
]

handler400 = "config.problems.bad_request"
handler403 = "config.problems.permission_denied"
handler404 = "config.problems.page_not_found"
handler500 = "config.problems.server_error"
