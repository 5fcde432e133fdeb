"""Compare a statement with our books."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from django.utils import timezone
from psycopg.errors import DiskFull, OutOfMemory

from ledger import audit
from reconciliation.archive import read_in_batches
from reconciliation.errors import StatementOutdated, StatementRefused
from reconciliation.facts import StatementView
from reconciliation.models import Discrepancy, StatementFile
from reconciliation.selectors import statement_view
from reconciliation.services.explain_discrepancies import explain_discrepancies
from reconciliation.staging import archive
from reconciliation.staging.discrepancies import raise_due, write_discrepancies
from reconciliation.staging.outcome import unmatched, write_items, write_totals
from reconciliation.staging.passes import find_mates
from reconciliation.staging.pools import gather
from reconciliation.staging.superseding import step_back
from reconciliation.staging.table import StagedLines
from reconciliation.staging.verdicts import judge
from reconciliation.states import StatementPhase, StatementState
from reconciliation.terms import Terms, terms_of


def match_statement(*, file: str, actor: str = "system") -> StatementView:
    """This will read the archived statement "stm_…", match it with our movements and note every difference.

    Whoever starts while another works on the same channel's statements waits. One that was matched, refused or
    superseded stays as it is. Lines go into a table of their own, in transactions of their own; what follows from them
    is one transaction, so that a run that is cut off leaves nothing and can be started again. A file that is refused
    (`StatementRefused`) is kept, with the reason. Raises `StatementNotFound`.
    """
    row = StatementFile.objects.by_public_id(file)
    with _alone(f"statement {row.channel} {row.kind}"):
        row = StatementFile.objects.get(pk=row.pk)
        if row.state != StatementState.RECEIVED:
            return statement_view(row)
        terms, staged = terms_of(row.channel), StagedLines(row)
        try:
            staged.create()
            rows = _load(row, terms, staged)
            row.note_progress(StatementPhase.MATCHING, rows)
            _match(row, terms, staged, rows, actor)
        except StatementRefused as refusal:
            _refuse(row, refusal, actor)
            raise
        finally:
            staged.drop()
    return statement_view(StatementFile.objects.get(pk=row.pk))


def _load(row: StatementFile, terms: Terms, staged: StagedLines) -> int:
    if not row.size:
        return 0
    with archive.opened(row) as stream:
        batches = read_in_batches(row, stream)
        return staged.load(batches, lambda done: row.note_progress(StatementPhase.LOADING, done))


def _match(row: StatementFile, terms: Terms, staged: StagedLines, rows: int, actor: str) -> None:
    """By several processes, which share what they have in memory; where a machine has too little to share, by one."""
    try:
        _match_with(row, terms, staged, rows, actor, helpers=2)
    except OperationalError as problem:
        if not isinstance(problem.__cause__, DiskFull | OutOfMemory):
            raise
        _match_with(StatementFile.objects.get(pk=row.pk), terms, staged, rows, actor, helpers=0)


def _match_with(
    row: StatementFile, terms: Terms, staged: StagedLines, rows: int, actor: str, *, helpers: int
) -> None:
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=f"{row.public_id} is matched")
        _set_memory(helpers)
        before = _make_way(row)
        alone = 0
        if row.kind in terms.matched:
            gather(staged, row, terms)
            find_mates(terms)
            judge(row.channel, row.day_on, terms)
            write_items(row, terms)
            write_discrepancies(row, terms)
            alone = unmatched()
        write_totals(staged.table, row, terms, compared=row.kind in terms.matched)
        _close_what_is_explained(row, before)
        row.match(rows=rows, matched=rows - alone, at=timezone.now())
        row.store()
        _raise_what_is_due(row)


def _make_way(row: StatementFile) -> StatementFile | None:
    """The live file of the same day becomes the one before."""
    day = StatementFile.objects.of_day(row.channel, row.kind, row.day_on).live().locked()
    before = day.first()
    if before is None:
        return None
    if before.received_at > row.received_at:
        raise StatementOutdated(f"{before.public_id} came after this file and counts: bring this one again.")
    before.give_way()
    before.store()
    row.supersedes = before
    step_back(before, row)
    return before


def _close_what_is_explained(row: StatementFile, before: StatementFile | None) -> None:
    explained = Discrepancy.objects.filter(open_item__cleared_file=row)
    explain_discrepancies(rows=explained, reason=f"{row.public_id} explains it")
    if before:
        Discrepancy.objects.still_missing(before, row)
    anew = Discrepancy.objects.told_anew(row)
    explain_discrepancies(rows=anew, reason=f"{row.public_id} says what became of it")
    if before:
        wrong = Discrepancy.objects.filter(file=before)
        explain_discrepancies(rows=wrong, reason=f"{row.public_id} corrects {before.public_id}")


def _raise_what_is_due(row: StatementFile) -> None:
    """By the newest statement that is matched: a day that is imported later than the next one is due at once."""
    newest = (
        StatementFile.objects.filter(channel=row.channel, kind=row.kind).live().order_by("-day_on").first()
    )
    if newest:
        raise_due(channel=row.channel, statement=row.kind, due=newest.day_on)


def _refuse(row: StatementFile, refusal: StatementRefused, actor: str) -> None:
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=refusal.code)
        row = StatementFile.objects.locked().get(pk=row.pk)
        if row.state == StatementState.RECEIVED:
            line = refusal.context.get("line")
            row.refuse(code=refusal.code, line=line, detail=str(refusal))
            row.store()


def _set_memory(helpers: int) -> None:
    """For the one join of all lines; ends with the transaction.

    It takes some 110 MB a million lines, and no more than 576 MB: `work_mem`, twice, for each of three processes. What
    is more goes to disk.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '96MB'; SET LOCAL hash_mem_multiplier = 2")
        cursor.execute(f"SET LOCAL max_parallel_workers_per_gather = {helpers}")


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """One at a time for each channel's statements; ends with the connection at the latest."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])
