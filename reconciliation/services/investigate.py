"""Take up a discrepancy."""

from django.db import transaction

from ledger import audit
from reconciliation.errors import InvestigatedByAnother
from reconciliation.facts import DiscrepancyView
from reconciliation.models import Discrepancy
from reconciliation.selectors import view_of
from reconciliation.states import DiscrepancyState


def investigate(*, discrepancy: str, actor: str) -> DiscrepancyView:
    """This will put the discrepancy into the hands of `actor`; the same person again changes nothing, and
    what a rule took up is a person's from now on.

    Owns its transaction; locks the discrepancy. Raises `DiscrepancyNotFound`, `DiscrepancyClosed` and
    `InvestigatedByAnother`.
    """
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor)
        row = Discrepancy.objects.taken_up(discrepancy)
        if row.state == DiscrepancyState.OPEN:
            row.investigate(actor=actor)
            row.save(update_fields=["state", "investigator"])
        elif row.investigator.startswith("rule:"):
            row.hand_over(actor=actor)
            row.save(update_fields=["investigator"])
        elif row.investigator != actor:
            raise InvestigatedByAnother(f"{row.investigator} is looking into this one already")
        return view_of(row)
