"""Below `console/discrepancies/`."""

from django.urls import path

from reconciliation.admin import discrepancies, repairs, rules

urlpatterns = [
    path("", discrepancies.queue, name="discrepancy-queue"),
    path("approvals/", repairs.approvals, name="repairs-waiting"),
    path("rules/", rules.rules, name="resolve-rules"),
    path("rules/<str:rule>/", rules.rule, name="resolve-rule"),
    path("<str:discrepancy>/", discrepancies.case, name="discrepancy"),
]
