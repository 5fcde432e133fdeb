"""Seal audit entries into the hash chain, off the path of those who write them."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection, transaction

from ledger.models import AuditEntry, AuditSeal
from ledger.models.numbering import settled_through

# Any fixed number: two sealers must not extend the chain at once.
_SEALER_LOCK = 7_262_319_001


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainHead:
    """The chain's last link. Kept elsewhere (a log), it shows a chain that was cut short."""

    sequence: int
    hash: str
    sealed: int  # by this call


def seal_audit(*, at_most: int = 5000) -> ChainHead:
    """This will append a seal for each of up to `at_most` unsealed audit entries, in order of their numbers.

    Owns its transaction; one sealer works at a time and a second returns at once. Seals nothing while a
    transaction stays open that could still write below.
    """
    with transaction.atomic(durable=True):
        alone = _alone()
        last = AuditSeal.objects.order_by(
            "-sequence"
        ).first()  # after the lock: the last sealer has committed
        if not alone:
            return _head(last, sealed=0)
        through = settled_through(AuditEntry) or 0
        after = last.entry_id if last else 0
        entries = AuditEntry.objects.filter(id__gt=after, id__lte=through).order_by("id")[:at_most]
        seals = _links(last, entries)
        AuditSeal.objects.bulk_create(seals, batch_size=1000)
        return _head(seals[-1] if seals else last, sealed=len(seals))


def _alone() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SEALER_LOCK])
        (locked,) = cursor.fetchone()
    return bool(locked)


def _links(last: AuditSeal | None, entries: Iterable[AuditEntry]) -> list[AuditSeal]:
    seals: list[AuditSeal] = []
    for entry in entries:
        last = AuditSeal.after(last, entry)
        seals.append(last)
    return seals


def _head(last: AuditSeal | None, *, sealed: int) -> ChainHead:
    if last is None:
        return ChainHead(sequence=0, hash=AuditSeal.FIRST_PREVIOUS, sealed=sealed)
    return ChainHead(sequence=last.sequence, hash=last.hash, sealed=sealed)
