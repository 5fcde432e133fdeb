from collections import defaultdict
from collections.abc import Iterator
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from checkout.selectors.standing import standings
from ledger.identifiers import encode
from payments.movements import MOVEMENTS
from payments.selectors import money_taken
from reconciliation.matching import money_without_order
from reconciliation.models import OrderTotal, StatementFile
from reconciliation.states import SightingKind
from reconciliation.terms import terms_of

_CHUNK: Final = 1000
_SQL: Final = f"""
SELECT kind, payment, coalesce(reference, ''), amount, currency FROM {MOVEMENTS}
WHERE channel = %s AND happened_at >= %s AND happened_at < %s
"""  # noqa: S608 - a name of our own


class _Movement(NamedTuple):
    kind: str
    payment: UUID
    reference: str
    amount: int
    currency: str


def count_orders(*, file: StatementFile) -> None:
    """This will count what orders say of the money that moved on the day of the file, and keep the sums.

    Owns its transactions; reads a chunk at a time, so that memory stays flat. Counting again replaces the sums.
    """
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for some in _movements(file):
        orders = standings({one.reference for one in some})
        taken = {one.payment: one for one in money_taken({one.reference for one in some})}
        for one in some:
            money, wrong = taken.get(encode("pay", one.payment)), None
            if one.reference not in orders:
                wrong = SightingKind.PAID_NOT_ORDERED
            elif money is not None and one.kind == "payment":
                wrong = money_without_order(money, orders[one.reference])
            counted = sums[f"{wrong.value}:{one.kind}" if wrong else one.kind, one.currency]
            counted[0], counted[1] = counted[0] + 1, counted[1] + one.amount
    with transaction.atomic(durable=True):
        StatementFile.objects.locked().get(pk=file.pk)
        OrderTotal.objects.filter(file=file).delete()
        OrderTotal.objects.bulk_create(
            OrderTotal(file=file, kind=kind, currency=currency, count=count, amount=amount)
            for (kind, currency), (count, amount) in sorted(sums.items())
        )


def _movements(file: StatementFile) -> Iterator[list[_Movement]]:
    begin, end = terms_of(file.channel).window(file.day_on)
    with connection.chunked_cursor() as cursor:
        cursor.execute(_SQL, [file.channel, begin, end])
        while rows := cursor.fetchmany(_CHUNK):
            yield [_Movement(*row) for row in rows]
