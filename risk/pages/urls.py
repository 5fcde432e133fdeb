"""Below `console/risk/`."""

from django.urls import path

from risk.pages import devices, drafting, figures, policies

urlpatterns = [
    path("policies/", policies.policies, name="risk-policies"),
    path("policies/draft/", drafting.draft, name="risk-policy-draft"),
    path("devices/", devices.devices, name="risk-devices"),
    path("devices/<str:device>/", devices.device, name="risk-device"),
    path("figures/", figures.figures, name="risk-figures"),
    path("policies/back-tests/<str:back_test>/", policies.back_test, name="risk-back-test"),
    path("policies/<str:policy>/", policies.policy, name="risk-policy"),
]
