"""Below `console/risk/`."""

from django.urls import path

from risk.pages import devices, drafting, figures, list_changes, lists, models, policies

urlpatterns = [
    path("policies/", policies.policies, name="risk-policies"),
    path("policies/draft/", drafting.draft, name="risk-policy-draft"),
    path("lists/import/", lists.import_file, name="risk-import-list"),
    path("lists/export/", lists.export_file, name="risk-export-list"),
    path("lists/changes/", list_changes.changes, name="risk-list-changes"),
    path("lists/changes/<str:change>/", list_changes.change, name="risk-list-change"),
    path("devices/", devices.devices, name="risk-devices"),
    path("devices/<str:device>/", devices.device, name="risk-device"),
    path("figures/", figures.figures, name="risk-figures"),
    path("policies/back-tests/<str:back_test>/", policies.back_test, name="risk-back-test"),
    path("models/<str:model>/", models.model_card, name="risk-model"),
    path("policies/<str:policy>/", policies.policy, name="risk-policy"),
]
