from django.db import connection

from ledger.postings import transactions_by_key
from ledger.services.reverse import reverse
from reconciliation.models import BankLine, Settlement
from reconciliation.states import BankLineState


def doubt_bank_line(*, line: BankLine) -> None:
    """This will reverse the posting of a line that was explained, and leave it open. An operation: needs its lock."""
    assert connection.in_atomic_block, "doubt_bank_line() is an operation"
    if line.state != BankLineState.EXPLAINED:
        return
    [view] = transactions_by_key([line.posting]).values()
    reverse(business_key=f"{line.posting}:undone", of=view.id, reason="What explained it was taken back")
    deposits = list(line.deposits.all())
    rows = Settlement.objects.locked().in_bulk([deposit.settlement_id for deposit in deposits])
    for deposit in deposits:
        row = rows[deposit.settlement_id]
        row.take(-deposit.amount)
        row.store()
    line.deposits.all().delete()
    line.doubt()
    line.store()
