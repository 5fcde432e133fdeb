"""Below `console/risk/policies/`."""

from django.urls import path

from risk.pages import drafting, figures, policies

urlpatterns = [
    path("", policies.policies, name="risk-policies"),
    path("draft/", drafting.draft, name="risk-policy-draft"),
    path("figures/", figures.figures, name="risk-figures"),
    path("back-tests/<str:back_test>/", policies.back_test, name="risk-back-test"),
    path("<str:policy>/", policies.policy, name="risk-policy"),
]
