"""Expect something no more."""

from django.db import transaction
from django.utils import timezone

from ledger import audit
from ledger.identifiers import MalformedIdentifier, decode
from ledger.sentences import Sentence
from risk.errors import ExpectationNotFound, ReasonMissing
from risk.models import Expectation


def end_expectation(*, expectation: str, actor: str, reason: str) -> None:
    """This will end an expectation (exp_…): no version of its policy is held against it any more.

    Use case; locks it. Raises `ReasonMissing` and `ExpectationNotFound`.
    """
    if not reason.strip():
        raise ReasonMissing(Sentence("Say why: the reason is kept in the audit journal."), param="reason")
    try:
        key = decode("exp", expectation)
    except MalformedIdentifier as problem:
        raise ExpectationNotFound(Sentence("There is no such expectation."), param="expectation") from problem
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        row = Expectation.objects.locked().filter(pk=key, ended_at=None).first()
        if row is None:
            raise ExpectationNotFound(Sentence("There is no such expectation."), param="expectation")
        row.ended_at, row.ended_by = timezone.now(), actor
        row.save(update_fields=["ended_at", "ended_by"])
        audit.record(
            action="expectation.ended", object_id=row.public_id, before=f"{row.must} {row.value}", after=""
        )
