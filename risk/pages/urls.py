"""Below `console/risk/`."""

from django.urls import path

from risk.pages import drafting, figures, models, policies

urlpatterns = [
    path("policies/", policies.policies, name="risk-policies"),
    path("policies/draft/", drafting.draft, name="risk-policy-draft"),
    path("figures/", figures.figures, name="risk-figures"),
    path("policies/back-tests/<str:back_test>/", policies.back_test, name="risk-back-test"),
    path("models/<str:model>/", models.model_card, name="risk-model"),
    path("policies/<str:policy>/", policies.policy, name="risk-policy"),
]
