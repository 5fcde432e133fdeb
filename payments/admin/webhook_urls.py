"""Below `console/payments/webhooks/`."""

from django.urls import path

from payments.admin import webhooks

urlpatterns = [
    path("", webhooks.endpoints, name="webhook-endpoints"),
    path("<str:endpoint>/", webhooks.endpoint, name="webhook-endpoint"),
]
