"""Trial balance, account statement, what is unsettled, and the lines behind a number."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django.contrib.admin import site
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from ledger.errors import Refusal
from ledger.facts import AccountBalance, StatementLine, TrialBalance
from ledger.identifiers import decode
from ledger.models.days import today
from ledger.money import Money, exponent
from ledger.reports.cells import By, Cell
from ledger.reports.lines import JournalLine, every_line_of, lines_of, sum_of
from ledger.reports.trial import trial_balance_on
from ledger.reports.unsettled import AGES, Unsettled
from ledger.reports.unsettled import unsettled as unsettled_on
from ledger.rules import kind_of
from ledger.sheets import Value, money_columns
from ledger.statements import account_statement
from ledger.views import frame
from ledger.views.frame import figure

_MONTH = timedelta(days=30)
_CHUNK = 2000
_LINE = ("entry", "posted_on", "happened_at", "transaction", "account", "item", "reference", "description")


@site.admin_view
@require_safe
def trial(request: HttpRequest) -> HttpResponseBase:
    frame.require(request, frame.SEE)
    on = frame.day(request, "on", today())
    found = trial_balance_on(on)
    if frame.wants_sheet(request):
        rows = ((on, row.account, row.kind, row.balance) for row in found.accounts)
        return frame.sheet(
            request, "trial-balance", ("on", "account", "kind", *money_columns("balance")), rows
        )
    tables = [_trial(found, total.currency, on) for total in found.totals]
    return frame.page(request, "trial", _("Trial balance"), on=on, tables=tables)


def _trial(found: TrialBalance, currency: str, on: date) -> dict[str, Any]:
    rows = [row for row in found.accounts if row.balance.currency == currency]
    debit = sum(max(row.balance.minor, 0) for row in rows)
    credit = sum(max(-row.balance.minor, 0) for row in rows)
    return {
        "currency": currency,
        "rows": [_trial_row(row, on) for row in rows],
        "debit": Money(debit, currency).grouped(),
        "credit": Money(credit, currency).grouped(),
        "differs": Money(debit - credit, currency).grouped() if debit != credit else "",
    }


def _trial_row(row: AccountBalance, on: date) -> dict[str, Any]:
    in_debit, currency = row.balance.minor >= 0, row.balance.currency
    cell = Cell(currency=currency, account=row.account, last=on, credit=not in_debit)
    told = figure(row.balance if in_debit else -row.balance, cell)
    return {
        "account": row.account,
        "kind": row.kind,
        "debit": told if in_debit else None,
        "credit": None if in_debit else told,
        "href": _statement(row.account, currency, on),
    }


def _statement(account: str, currency: str, last: date) -> str:
    return f"{reverse('books-statement', args=[account, currency])}?last={last.isoformat()}"


@site.admin_view
@require_safe
def statement(request: HttpRequest, account: str, currency: str) -> HttpResponseBase:
    frame.require(request, frame.SEE)
    try:
        kind = kind_of(account)
        exponent(currency)
    except (Refusal, ValueError) as problem:
        raise Http404(str(problem)) from problem
    first, last = frame.span(request, frame.day(request, "last", today()) - _MONTH)
    if frame.wants_sheet(request):
        columns = ("posted_on", "happened_at", "transaction", "reference", "description", "item")
        header = (*columns, *money_columns("amount"), *money_columns("balance"))
        return frame.sheet(
            request, f"statement-{account.replace(':', '-')}", header, _moves(account, currency, first, last)
        )
    after = request.GET.get("after", "")
    found = account_statement(account, currency, since=first, until=last, after=after)
    return frame.page(
        request,
        "statement",
        _("Account statement"),
        account=account,
        currency=currency,
        kind=kind.value,
        first=first,
        last=last,
        opening="" if after else found.opening.grouped(),
        closing=found.closing.grouped(),
        rows=[(line, _journal(line.transaction), *_sides(line.amount)) for line in found.lines],
        after=found.next or None,
    )


def _moves(account: str, currency: str, first: date, last: date) -> Iterator[tuple[Value, ...]]:
    after, begun = "", False
    while after or not begun:
        part = account_statement(account, currency, since=first, until=last, after=after, limit=_CHUNK)
        if not begun:
            yield first, None, "", "", "Opening balance", "", None, None, None, part.opening
        begun, after = True, part.next
        for line in part.lines:
            yield _move(line)


def _move(line: StatementLine) -> tuple[Value, ...]:
    told = (line.posted_on, line.happened_at, line.transaction, line.reference, line.description, line.item)
    return (*told, line.amount, line.balance)


@site.admin_view
@require_safe
def unsettled(request: HttpRequest) -> HttpResponseBase:
    frame.require(request, frame.SEE)
    on = frame.day(request, "on", today())
    found = unsettled_on(on)
    if frame.wants_sheet(request):
        rows = ((on, row.channel, age, amount) for row in found for age, amount in row.ages.items())
        return frame.sheet(request, "unsettled", ("on", "channel", "age_days", *money_columns("open")), rows)
    return frame.page(
        request, "unsettled", _("Unsettled"), on=on, ages=list(AGES), rows=[_aged(row, on) for row in found]
    )


def _aged(row: Unsettled, on: date) -> dict[str, Any]:
    currency = row.balance.currency
    whole = Cell(currency=currency, account=row.account, last=on)
    return {
        "channel": row.channel,
        "currency": currency,
        "href": _statement(row.account, currency, on),
        "ages": [
            figure(amount, Cell(currency=currency, account=row.account, last=on, by=By.AGE, key=age))
            for age, amount in row.ages.items()
        ],
        "balance": figure(row.balance, whole),
    }


@site.admin_view
@require_safe
def lines(request: HttpRequest) -> HttpResponseBase:
    frame.require(request, frame.SEE)
    try:
        cell = Cell.told(request.GET.dict())
    except Refusal as problem:
        raise Http404(str(problem)) from problem
    if frame.wants_sheet(request):
        header = (*_LINE, *money_columns("amount"), *money_columns("counts"))
        return frame.sheet(request, "lines", header, map(_as_row, every_line_of(cell)))
    found = lines_of(cell, after=request.GET.get("after", ""))
    return frame.page(
        request,
        "lines",
        _("Lines behind a number"),
        cell=cell,
        total=sum_of(cell).grouped(),
        rows=[(line, _journal(line.transaction), line.share.grouped()) for line in found.lines],
        parts=any(line.is_part for line in found.lines),
        after=found.next or None,
    )


def _as_row(line: JournalLine) -> tuple[Value, ...]:
    told = (line.entry, line.posted_on, line.happened_at, line.transaction, line.account)
    return (*told, line.item, line.reference, line.description, line.amount, line.share)


def _sides(amount: Money) -> tuple[str, str]:
    """(debit, credit), one of them empty."""
    return (amount.grouped(), "") if amount.minor > 0 else ("", (-amount).grouped())


def _journal(transaction: str) -> str:
    """The address of the transaction with all its entries."""
    return reverse("admin:ledger_transaction_change", args=[decode("txn", transaction)])
