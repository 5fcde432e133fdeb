from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db import transaction
from django.utils import timezone

from reconciliation.archive import batches_of, is_bank, named_batches_of
from reconciliation.errors import StatementNotMatched
from reconciliation.facts import Settled
from reconciliation.fee_names import FeeNames
from reconciliation.models import StatementFile
from reconciliation.rows import Line, LineKind
from reconciliation.rules import PayoutTerms, keeps_fee, rounded
from reconciliation.runs import payout_terms
from reconciliation.services.announce_payouts import announce_payouts
from reconciliation.services.count_orders import count_orders
from reconciliation.services.explain_deposits import explain_deposits
from reconciliation.services.post_charges import post_charges
from reconciliation.services.post_fees import post_fees
from reconciliation.services.take_bank_lines import take_bank_lines
from reconciliation.services.take_fees_back import take_fees_back
from reconciliation.services.tell_payout_parts import tell_payout_parts
from reconciliation.states import StatementState

_BATCH: Final = 2000


@dataclass
class _Read:
    """What one reading of the file brings together, beside the fees that are posted on the way."""

    fees: int = 0
    rounding: dict[str, list[int]] = field(
        default_factory=dict
    )  # currency → thousandths, and what rows came to
    charges: list[Line] = field(default_factory=list)  # fees of no movement
    payouts: list[Line] = field(default_factory=list)


def settle_statement(*, file: str) -> Settled:
    """This will post what a matched statement says was settled: fees and payouts, or what arrived at the bank.

    In batches, each in its own transaction, and idempotent: after a crash, or when rows of the file were explained
    later, the same call posts what is missing. A file in the place of another posts the differences only. Owns its
    transactions; each locks the file, then what it settles. Raises `StatementNotFound`, `StatementNotMatched`.
    """
    row = StatementFile.objects.by_public_id(file)
    if not row.is_live:
        raise StatementNotMatched(f"{row.public_id} is {row.state}: only a matched statement is settled")
    if is_bank(row.channel):
        _take_lines(row)
        fees = 0
    else:
        fees = _settle_channel(row)
    with transaction.atomic(durable=True):
        locked = _live(row)
        if locked.state == StatementState.MATCHED:
            locked.settle(at=timezone.now())
            locked.store()
    explained = explain_deposits()
    return Settled(file=row.public_id, fees=fees, explained=explained.explained, reported=explained.reported)


def _live(row: StatementFile) -> StatementFile:
    """Locked. Raises `StatementNotMatched` when another file came in its place meanwhile."""
    locked = StatementFile.objects.locked().get(pk=row.pk)
    if not locked.is_live:
        raise StatementNotMatched(f"{row.public_id} is {locked.state} by now")
    return locked


def _take_lines(row: StatementFile) -> None:
    first = 1
    for batch in batches_of(row, _BATCH):
        with transaction.atomic(durable=True):
            take_bank_lines(file=_live(row), lines=batch, first=first)
        first += len(batch)
    with transaction.atomic(durable=True):
        take_bank_lines(file=_live(row), lines=(), first=first, is_last=True)


def _settle_channel(row: StatementFile) -> int:
    terms = payout_terms(row.channel)
    if terms is None or row.kind not in (terms.fees, terms.payouts, terms.made_of):
        return 0
    if row.kind == terms.fees:
        count_orders(file=row)
    if row.kind == terms.made_of:
        with transaction.atomic(durable=True):
            tell_payout_parts(files=StatementFile.objects.filter(pk=_live(row).pk))
        return 0
    read = _read(row, terms, row.version)
    with transaction.atomic(durable=True):
        live = _live(row)
        left = {currency: rounded(exact) - whole for currency, (exact, whole) in read.rounding.items()}
        post_charges(file=live, lines=read.charges, rounding=left)
        if terms.payouts in (row.kind, ""):
            announce_payouts(file=live, terms=terms, lines=read.payouts)
    return read.fees


def _read(row: StatementFile, terms: PayoutTerms, version: int) -> _Read:
    read, names = _Read(), FeeNames(version)
    for batch in named_batches_of(row, _BATCH):
        _gather(read, batch)
        if row.kind == terms.fees:
            with transaction.atomic(durable=True):
                read.fees += post_fees(file=_live(row), lines=batch, names=names)
    if row.kind == terms.fees and row.supersedes is not None:
        before = FeeNames(version)
        for batch in named_batches_of(row.supersedes, _BATCH):
            with transaction.atomic(durable=True):
                _live(row)
                take_fees_back(lines=batch, names=before, instead=names)
    return read


def _gather(read: _Read, batch: Sequence[Line]) -> None:
    for line in batch:
        if line.kind == LineKind.PAYOUT:
            read.payouts.append(line)
        elif line.kind == LineKind.FEE and not (line.reference or line.parent):
            read.charges.append(line)
        elif keeps_fee(line):
            sums = read.rounding.setdefault(line.currency, [0, 0])
            sums[0] += line.fee
            sums[1] += rounded(line.fee)
