"""What differences and repairs are called where people read of them."""

from typing import Any

from django.utils.translation import gettext_lazy

from reconciliation.states import DiscrepancyKind, RepairKind

KINDS: dict[str, Any] = {
    DiscrepancyKind.AMOUNT: gettext_lazy("Another amount"),
    DiscrepancyKind.CURRENCY: gettext_lazy("Another currency"),
    DiscrepancyKind.MISSING_HERE: gettext_lazy("Missing here"),
    DiscrepancyKind.MISSING_THERE: gettext_lazy("Missing there"),
    DiscrepancyKind.STATE: gettext_lazy("Another state"),
    DiscrepancyKind.FEE: gettext_lazy("Another fee"),
    DiscrepancyKind.DUPLICATE: gettext_lazy("Told twice"),
    DiscrepancyKind.LATE: gettext_lazy("Came late"),
    DiscrepancyKind.DEPOSIT_MISSING: gettext_lazy("Deposit missing"),
    DiscrepancyKind.DEPOSIT_AMOUNT: gettext_lazy("Deposit of another amount"),
    DiscrepancyKind.BANK_UNEXPLAINED: gettext_lazy("Unexplained at the bank"),
}
REPAIRS: dict[str, Any] = {
    RepairKind.POST_FEE: gettext_lazy("Fee posted"),
    RepairKind.TAKE_BACK_FEE: gettext_lazy("Fee taken back"),
    RepairKind.RECORD_CAPTURE: gettext_lazy("Missing capture"),
    RepairKind.ASK_PROVIDER: gettext_lazy("Provider asked"),
    RepairKind.REFUND: gettext_lazy("Refund"),
    RepairKind.SUSPENSE: gettext_lazy("To suspense"),
    RepairKind.WAIT: gettext_lazy("Wait"),
    RepairKind.ACCEPT: gettext_lazy("Explained"),
    RepairKind.WRITE_OFF: gettext_lazy("Write-off"),
    RepairKind.FORCE_MATCH: gettext_lazy("Put together by hand"),
    RepairKind.CORRECT: gettext_lazy("Statement corrected"),
    RepairKind.CORRECT_PAYOUT: gettext_lazy("Payout corrected"),
    RepairKind.CORRECT_DEPOSIT: gettext_lazy("Deposit corrected"),
}
