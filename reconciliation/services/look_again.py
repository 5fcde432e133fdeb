from collections.abc import Collection

from checkout.selectors.standing import standings
from payments.selectors import money_taken
from reconciliation.matching import money_without_order, order_without_money
from reconciliation.models import Sighting
from reconciliation.states import SightingKind


def look_again(*, subjects: Collection[str]) -> int:
    """This will compare order and money of these sightings once more, and forget those that belong together by now.

    Single statements, safe beside anything; what went from one kind to another is that from now on. Returns how many
    it forgot.
    """
    rows = list(Sighting.objects.filter(subject__in=subjects))
    references = {row.reference for row in rows}
    orders = standings(references)
    money = {taken.payment: taken for taken in money_taken(references)}
    forgotten = 0
    for row in rows:
        order, taken = orders.get(row.reference), money.get(row.payment)
        if row.kind == SightingKind.ORDERED_NOT_PAID:
            wrong = order is not None and order_without_money(order, taken)
            now = SightingKind.ORDERED_NOT_PAID if wrong else None
        else:
            now = money_without_order(taken, order) if taken else None
        if now is None:
            forgotten += Sighting.objects.filter(pk=row.pk).delete()[0]
        elif now != row.kind:
            Sighting.objects.filter(pk=row.pk).update(kind=now)
    return forgotten
