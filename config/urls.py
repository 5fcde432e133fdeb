"""Every address, by app."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from config import health, views

urlpatterns = [
    path("console/payments/review/", include("payments.admin.urls")),
    path("console/payments/webhooks/", include("payments.admin.webhook_urls")),
    path("console/", admin.site.urls),
    path("webhooks/", include("payments.urls")),
    path("api/v1/", include("checkout.api.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api-docs"),
    path("docs/errors", views.error_catalogue, name="error-catalogue"),
    path("health", health.health, name="health"),
    path("health/ready", health.ready, name="health-ready"),
    path("", include("checkout.urls")),
]

handler400 = "config.problems.bad_request"
handler403 = "config.problems.permission_denied"
handler404 = "config.problems.page_not_found"
handler500 = "config.problems.server_error"
