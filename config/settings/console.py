"""The operators' console: name, colours, and its pages in the order of the working day."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.functional import lazy
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

_GREEN = {
    "50": "oklch(97.5% 0.014 168)",
    "100": "oklch(94.3% 0.032 168)",
    "200": "oklch(89.2% 0.060 168)",
    "300": "oklch(82.0% 0.090 168)",
    "400": "oklch(73.5% 0.110 168)",
    "500": "oklch(61.0% 0.110 168)",
    "600": "oklch(51.0% 0.095 168)",
    "700": "oklch(44.0% 0.082 168)",
    "800": "oklch(37.0% 0.066 168)",
    "900": "oklch(31.0% 0.052 168)",
    "950": "oklch(22.0% 0.038 168)",
}


def _address(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def _said(path: str) -> str:
    said: str = import_string(path)()
    return said


_lazy_address = lazy(_address, str)
_lazy_said = lazy(_said, str)


def _shown_to(name: str, permission: str) -> Callable[[HttpRequest], bool]:
    def is_shown(request: HttpRequest) -> bool:
        return bool(_address(name)) and request.user.has_perm(permission)

    return is_shown


def _page(title: Any, icon: str, name: str, permission: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": _lazy_address(name),
        "permission": _shown_to(name, permission),
    }


def _rows(title: Any, icon: str, app: str, model: str) -> dict[str, Any]:
    return _page(title, icon, f"admin:{app}_{model}_changelist", f"{app}.view_{model}")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Smart Checkout",
    "SITE_HEADER": "Smart Checkout",
    "SITE_SUBHEADER": _("Console"),
    "SITE_URL": "/",
    "SITE_ICON": lambda request: static("checkout/mark.svg"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("checkout/mark.svg")}
    ],
    "STYLES": [lambda request: static("config/console.css")],
    "BORDER_RADIUS": "8px",
    "COLORS": {"primary": _GREEN},
    "SIDEBAR": {
        "show_search": True,
        "navigation": [
            {
                "title": _("Work"),
                "items": [
                    _page(_("Review queue"), "policy", "review-queue", "risk.view_riskcase"),
                    _page(
                        _("List entries to confirm"),
                        "fact_check",
                        "risk-list-changes",
                        "risk.confirm_listchange",
                    ),
                    _page(_("Refunds to approve"), "approval", "refund-queue", "payments.view_refund"),
                    _page(_("Disputes"), "balance", "dispute-queue", "payments.view_dispute"),
                    {
                        **_page(_("Stuck money"), "money_off", "stuck-list", "reconciliation.see_stuck"),
                        "badge": _lazy_said("reconciliation.views.badge"),
                        "badge_variant": "danger",
                    },
                    _page(
                        _("Discrepancies"),
                        "difference",
                        "discrepancy-queue",
                        "reconciliation.view_discrepancy",
                    ),
                    _page(
                        _("Repairs to approve"),
                        "how_to_reg",
                        "repairs-waiting",
                        "reconciliation.approve_repair",
                    ),
                ],
            },
            {
                "title": _("Sales"),
                "separator": True,
                "items": [
                    _rows(_("Orders"), "shopping_bag", "checkout", "order"),
                    _rows(_("Payments"), "payments", "payments", "payment"),
                    _rows(_("Refunds"), "undo", "payments", "refund"),
                    _rows(_("Kept cards"), "credit_card", "payments", "savedmethod"),
                    _rows(_("Coupons"), "sell", "checkout", "coupon"),
                ],
            },
            {
                "title": _("Books"),
                "separator": True,
                "items": [
                    _page(_("Three books"), "balance", "three-books", "reconciliation.view_statementfile"),
                    _page(_("Statements"), "receipt_long", "statements", "reconciliation.view_statementfile"),
                    _page(
                        _("At the bank"),
                        "account_balance_wallet",
                        "bank-lines",
                        "reconciliation.view_bankline",
                    ),
                    _page(_("Trial balance"), "calculate", "books-trial", "ledger.view_transaction"),
                    _page(_("Profit and loss"), "trending_up", "books-profit", "ledger.view_transaction"),
                    _page(_("Unsettled"), "hourglass_top", "books-unsettled", "ledger.view_transaction"),
                    _page(_("Days"), "event_available", "books-days", "ledger.view_transaction"),
                    _rows(_("Journal"), "menu_book", "ledger", "transaction"),
                    _rows(_("Accounts"), "account_balance", "ledger", "account"),
                    _rows(_("Exchange rates"), "currency_exchange", "ledger", "fxrate"),
                    _rows(_("Audit"), "history", "ledger", "auditentry"),
                ],
            },
            {
                "title": _("Risk"),
                "separator": True,
                "items": [
                    _page(_("Policies"), "rule", "risk-policies", "risk.view_policy"),
                    _rows(_("Models"), "model_training", "risk", "riskmodel"),
                    _page(_("Risk figures"), "monitoring", "risk-figures", "risk.view_decision"),
                    _page(_("Devices"), "devices", "risk-devices", "risk.view_device"),
                    _rows(_("Customers' levels"), "verified_user", "checkout", "verification"),
                    _rows(_("Decisions"), "gavel", "risk", "decision"),
                    _rows(_("Lists"), "list", "risk", "listentry"),
                ],
            },
            {
                "title": _("Plumbing"),
                "separator": True,
                "items": [
                    _page(_("Channels"), "alt_route", "channels", "payments.view_routingpolicy"),
                    _rows(_("Notices received"), "move_to_inbox", "payments", "inboxevent"),
                    _rows(_("Events sent"), "outbox", "payments", "outboxevent"),
                    _rows(_("Events held up"), "schedule_send", "payments", "outboxdelivery"),
                    _page(_("Webhooks"), "webhook", "webhook-endpoints", "payments.view_webhookendpoint"),
                ],
            },
        ],
    },
}
