"""Tell the outside where the audit chain's head is."""

from django.utils import timezone

from ledger import anchors
from ledger.anchors import Anchor
from ledger.models import AuditSeal


def anchor_audit() -> Anchor | None:
    """This will write the chain's head, signed, below the anchors in AUDIT_ANCHOR_DIR: once a day (UTC).

    None when the day has its anchor, or nothing is sealed yet. No transaction; one writer at a time, by the file's
    lock. Raises `OSError` when the folder can not be written.
    """
    head = AuditSeal.objects.order_by("-sequence").first()
    if head is None:
        return None
    return anchors.append(anchors.directory(), at=timezone.now(), sequence=head.sequence, digest=head.hash)
