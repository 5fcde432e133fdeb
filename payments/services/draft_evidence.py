from collections.abc import Mapping

from django.db import transaction

from ledger.audit import attribute, record
from payments import disputes
from payments.disputes import DisputeView
from payments.errors import EvidenceInvalid
from payments.evidence import LONGEST_TEXT, TEXTS
from payments.models import Dispute
from payments.services.require_answerable import require_answerable


def draft_evidence(*, dispute: str, texts: Mapping[str, str], actor: str) -> DisputeView:
    """This will keep these texts for the answer to the dispute; a text that is empty is taken out.

    Opens its own transaction; locks the dispute. Raises `DisputeNotFound`, `EvidenceInvalid`, `DisputeNotOpen`,
    `DisputePastDue`, `DisputeAlreadyAnswered`.
    """
    found = disputes.find(dispute)
    for name, text in texts.items():
        if name not in TEXTS:
            raise EvidenceInvalid(
                f"There is no text {name[:40]!r}; there are {', '.join(TEXTS)}.", param=name[:40]
            )
        if len(text) > LONGEST_TEXT:
            raise EvidenceInvalid(f"Write at most {LONGEST_TEXT} characters.", param=name)
    with transaction.atomic(durable=True):
        attribute(actor=actor)
        row = Dispute.objects.locked().get(pk=found.pk)
        require_answerable(dispute=row)
        kept = {**row.texts, **{name: text.strip() for name, text in texts.items()}}
        row.texts = {name: text for name, text in kept.items() if text}
        row.store()
        record(action="dispute.drafted", object_id=row.public_id, after=sorted(row.texts))
    return disputes.dispute(dispute)
