import re

from django.db import transaction

from ledger.audit import attribute, record
from payments import disputes
from payments.disputes import EvidenceFileView
from payments.errors import EvidenceInvalid
from payments.evidence import FILES, LONGEST_FILE, content_type_of
from payments.models import Dispute, EvidenceFile
from payments.services.require_answerable import require_answerable

_UNSAFE = re.compile(r"[^\w. ()-]+")


def add_evidence_file(*, dispute: str, kind: str, name: str, content: bytes, actor: str) -> EvidenceFileView:
    """This will keep a PDF, PNG or JPEG of at most 5 MB for the answer; one of the same kind is replaced.

    What it is, its first bytes say. Opens its own transaction; locks the dispute. Raises `DisputeNotFound`,
    `EvidenceInvalid`, `DisputeNotOpen`, `DisputePastDue`, `DisputeAlreadyAnswered`.
    """
    found = disputes.find(dispute)
    content_type = _accepted(kind, content)
    with transaction.atomic(durable=True):
        attribute(actor=actor)
        row = Dispute.objects.locked().get(pk=found.pk)
        require_answerable(dispute=row)
        row.files.filter(kind=kind).delete()
        file = EvidenceFile.objects.create(
            dispute=row,
            kind=kind,
            name=_UNSAFE.sub("_", name)[-120:].strip() or kind,
            content_type=content_type,
            size=len(content),
            sha256=EvidenceFile.hash_of(content),
            content=content,
            added_by=actor,
        )
        record(
            action="dispute.file_added", object_id=row.public_id, after={"kind": kind, "sha256": file.sha256}
        )
    return disputes.file_view(file)


def _accepted(kind: str, content: bytes) -> str:
    if kind not in FILES:
        raise EvidenceInvalid(f"There is no file {kind[:40]!r}; there are {', '.join(FILES)}.", param="kind")
    if not 0 < len(content) <= LONGEST_FILE:
        raise EvidenceInvalid("A file has at most 5 MB, and is not empty.", param="file")
    content_type = content_type_of(content)
    if not content_type:
        raise EvidenceInvalid("Banks take PDF, PNG and JPEG; this is none of them.", param="file")
    return content_type
