"""Every address, by app."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("console/", admin.site.urls),
    path("webhooks/", include("payments.urls")),
    path("", include("checkout.urls")),
]
