"""A discrepancy as its page shows it: ours beside theirs, the line as it came, what may be matched, what happened."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from ledger.facts import AuditView
from ledger.identifiers import MalformedIdentifier, decode
from ledger.money import Money, UnknownCurrency
from ledger.selectors import audit_trail
from reconciliation.admin.showing import fee_text
from reconciliation.cases import candidates, line_as_it_came
from reconciliation.differing import Case, Proposal
from reconciliation.facts import RepairView
from reconciliation.models import Discrepancy, OpenItem
from reconciliation.proposals import offered
from reconciliation.states import DiscrepancyKind, Side

# The prefix of what is linked → its page, whether that goes by the bare key, who may see it.
_PAGES = {
    "pay": ("admin:payments_payment_change", True, "payments.view_payment"),
    "ref": ("refund-case", False, "payments.view_refund"),
    "ord": ("admin:checkout_order_change", True, "checkout.view_order"),
}
_SHOWN_APART = ("amount", "currency", "fee", "line")
_FIRST = ("state", "kind", "reference", "their_reference", "happened_at")
# A moment is never the same to the second, and each has references that the other does not know.
_COMPARED = ("state", "kind", "reference", "account")
_NOTHING = "–"
# What ours calls so means what theirs calls so.
_SAME_WORDS = {"succeeded": "success"}


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the comparison."""

    name: str
    ours: str
    theirs: str
    differs: bool


def side_by_side(row: Discrepancy) -> list[Fact]:
    """Sums, fees and states first, then whatever else either side says."""
    ours, theirs = row.ours or {}, row.theirs or {}
    facts = [Fact(_("Amount"), our_sum(row), their_sum(row), differs=our_sum(row) != their_sum(row))]
    if row.fee or row.told_fee:
        fees = (
            fee_text(row.fee, row.currency),
            fee_text(row.told_fee, row.told_currency or row.currency),
        )
        facts.append(Fact(_("Fee"), *fees, differs=row.kind == DiscrepancyKind.FEE))
    theirs = {"state": row.their_state, "their_reference": row.their_reference, **theirs}
    for name in dict.fromkeys([*_FIRST, *ours, *theirs]):
        mine, told = _said(name, ours.get(name)), _said(name, theirs.get(name))
        if name in _SHOWN_APART or mine == told == _NOTHING:
            continue
        ours_in_theirs = _SAME_WORDS.get(mine, mine)
        told_apart = name in _COMPARED and _NOTHING not in (mine, told) and ours_in_theirs != told.lower()
        facts.append(Fact(name.replace("_", " ").capitalize(), mine, told, differs=told_apart))
    return facts


def line_of(row: Discrepancy) -> str:
    """The line of the file as it came."""
    return line_as_it_came(row.file, row.line) if row.file and row.line else ""


def links(request: HttpRequest, row: Discrepancy, case: Case) -> list[tuple[str, str, str]]:
    """(what, name, address) of what it is about, as far as this person may see it."""
    found = []
    standing = case.standing
    about = [(_("Order"), row.reference)]
    if standing:
        about += [(_("Payment"), standing.payment), (_("Refund"), standing.refund)]
    for what, name in about:
        address = _address(request, name)
        if address:
            found.append((what, name, address))
    return found


def entries(proposal: Proposal) -> list[tuple[str, str, str]]:
    """(account, debit, credit) of all that it posts."""
    return [
        (
            one.account,
            one.amount.formatted() if one.amount.minor > 0 else "",
            (-one.amount).formatted() if one.amount.minor < 0 else "",
        )
        for one in proposal.entries
    ]


def entries_of(repair: RepairView, case: Case) -> list[tuple[str, str, str]]:
    """What a repair that waits would post; of a match by hand its words tell."""
    proposal = offered(case, repair.kind)
    return entries(proposal) if proposal else []


def mates(row: Discrepancy) -> list[tuple[OpenItem, str, Money]]:
    """What it may be put together with: the item, whose it is, its sum."""
    whose = {Side.OURS: _("ours"), Side.THEIRS: _("theirs")}
    return [(one, whose[Side(one.side)], Money(one.amount, one.currency)) for one in candidates(row)]


def history(discrepancy: str, repairs: list[RepairView]) -> list[AuditView]:
    """What was done to it and to its repairs, newest first."""
    trails = [audit_trail(name) for name in (discrepancy, *(one.id for one in repairs))]
    found = [one for trail in trails for one in trail]
    return sorted(found, key=lambda one: one.happened_at, reverse=True)[:100]


def our_sum(row: Discrepancy) -> str:
    missing = row.kind in (DiscrepancyKind.MISSING_HERE, DiscrepancyKind.BANK_UNEXPLAINED)
    return _NOTHING if missing and not row.amount else Money(row.amount, row.currency).formatted()


def their_sum(row: Discrepancy) -> str:
    try:
        return Money(row.told_amount, row.told_currency).formatted()
    except UnknownCurrency:
        return f"{row.told_amount} {row.told_currency}" if row.told_currency else _NOTHING


def _said(name: str, value: Any) -> str:
    if value in (None, ""):
        return _NOTHING
    if name.endswith("_at"):
        return f"{datetime.fromisoformat(value).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return str(value).lower() if name == "state" else str(value)


def _address(request: HttpRequest, name: str) -> str:
    prefix = name.partition("_")[0]
    page, by_key, right = _PAGES.get(prefix, ("", False, ""))
    if not page or not request.user.has_perm(right):
        return ""
    try:
        return reverse(page, args=[decode(prefix, name) if by_key else name])
    except MalformedIdentifier:
        return ""
