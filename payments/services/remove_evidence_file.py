from django.db import transaction

from ledger.audit import attribute, record
from payments import disputes
from payments.errors import EvidenceFileNotFound
from payments.models import Dispute
from payments.services.require_answerable import require_answerable


def remove_evidence_file(*, dispute: str, kind: str, actor: str) -> None:
    """This will take a file out of the answer again.

    Opens its own transaction; locks the dispute. Raises `DisputeNotFound`, `EvidenceFileNotFound`,
    `DisputeNotOpen`, `DisputePastDue`, `DisputeAlreadyAnswered`.
    """
    found = disputes.find(dispute)
    with transaction.atomic(durable=True):
        attribute(actor=actor)
        row = Dispute.objects.locked().get(pk=found.pk)
        require_answerable(dispute=row)
        gone, _ = row.files.filter(kind=kind).delete()
        if not gone:
            raise EvidenceFileNotFound(f"There is no file {kind[:40]!r} with this dispute.", param="kind")
        record(action="dispute.file_removed", object_id=row.public_id, before={"kind": kind})
