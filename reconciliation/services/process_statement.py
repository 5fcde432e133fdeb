from reconciliation.facts import Settled, StatementView
from reconciliation.models import OpenItem, StatementFile
from reconciliation.models.statement import LIVE
from reconciliation.selectors import statement_view
from reconciliation.services.match_statement import match_statement
from reconciliation.services.settle_statement import settle_statement
from reconciliation.states import Side


def process_statement(*, file: str, actor: str = "system") -> tuple[StatementView, Settled | None]:
    """This will match a statement that was received and settle it, and settle again what it explained in others.

    Owns its transactions; may be run again at any time and does what is left. Raises `StatementNotFound`,
    `StatementRefused` and what matching and settling refuse.
    """
    view = match_statement(file=file, actor=actor)
    row = StatementFile.objects.by_public_id(file)
    if not row.is_live:
        return view, None
    settled = settle_statement(file=file)
    explained = OpenItem.objects.filter(cleared_file=row, side=Side.THEIRS, file__state__in=LIVE)
    for key in explained.exclude(file=row).order_by().values_list("file", flat=True).distinct():
        settle_statement(file=StatementFile.objects.get(pk=key).public_id)
    return statement_view(StatementFile.objects.get(pk=row.pk)), settled
