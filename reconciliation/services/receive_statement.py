"""Take a statement in, as it came."""

from datetime import date
from typing import BinaryIO

from django.db import transaction
from django.utils import timezone

from ledger import audit
from reconciliation.errors import StatementAboutTomorrow
from reconciliation.facts import StatementView
from reconciliation.models import StatementFile
from reconciliation.parsers import format_of
from reconciliation.selectors import statement_view
from reconciliation.staging import archive
from reconciliation.states import StatementSource
from reconciliation.terms import terms_of


def receive_statement(
    *,
    channel: str,
    kind: str,
    day: date,
    name: str,
    content: BinaryIO,
    source: StatementSource,
    actor: str,
) -> StatementView:
    """This will archive the bytes of a seekable stream as the provider's statement of `day`, unchanged.

    The same bytes again are the statement that they were the first time. Nothing is read yet: `match_statement` does.
    Owns its transaction: the file is there whole, or not at all. Raises `StatementFormatUnknown` and
    `StatementAboutTomorrow`.
    """
    format_of(channel, kind)
    _, end = terms_of(channel).window(day)
    if end > timezone.now():
        raise StatementAboutTomorrow(f"{day} is not over for {channel}: bring its statement afterwards.")
    sha256, size = archive.digest(content)
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=f"statement {name}"[:500])
        row = StatementFile(
            channel=channel,
            kind=kind,
            day_on=day,
            source=source.value,
            name=name[-200:],
            sha256=sha256,
            size=size,
            brought_by=actor,
        )
        if StatementFile.objects.take_in(row):
            archive.keep(row, content)
        row = StatementFile.objects.of_day(channel, kind, day).get(sha256=sha256)
    return statement_view(row)
