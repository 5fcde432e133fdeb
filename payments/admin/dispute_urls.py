"""Below `console/payments/disputes/`."""

from django.urls import path

from payments.admin import disputes

urlpatterns = [
    path("", disputes.queue, name="dispute-queue"),
    path("<str:dispute>/", disputes.page, name="dispute"),
    path("<str:dispute>/files/<slug:kind>", disputes.file, name="dispute-file"),
]
