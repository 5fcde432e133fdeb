"""Below `console/stuck/`."""

from django.urls import path

from reconciliation import views

urlpatterns = [
    path("", views.stuck_list, name="stuck-list"),
    path("<slug:kind>/<str:subject>/", views.stuck_case, name="stuck-case"),
]
