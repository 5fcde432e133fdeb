from collections.abc import Sequence

from django.db import connection

from ledger.facts import TransactionView
from ledger.money import Money
from ledger.services.reverse import reverse
from reconciliation.fee_names import Fee, current, in_version


def correct_fees(*, fees: Sequence[Fee], version: int) -> list[Fee]:
    """This will reverse those of the fees that are posted otherwise, and return what has to be posted in their place.

    Each of these has a key of this version of the file. An operation: needs an open transaction.
    """
    assert connection.in_atomic_block, "correct_fees() is an operation"
    posted = current([fee.key for fee in fees], version)
    wanted = []
    for fee in fees:
        now = posted.get(fee.key)
        if fee.amount == (_kept(now) if now else Money(0, fee.amount.currency)):
            continue
        if now is not None:
            reverse(business_key=f"{now.business_key}:undone", of=now.id, reason="Corrected by the channel")
        wanted.append(fee._replace(key=in_version(fee.key, version)))
    return wanted


def _kept(view: TransactionView) -> Money:
    (kept,) = [line.amount for line in view.entries if line.account.startswith("channel_fees:")]
    return kept
