"""Have risk look at an order that nobody has placed."""

from django.db import transaction

from risk.facts import PaymentFacts, Verdict
from risk.services.assess import assess


def screen_order(*, facts: PaymentFacts) -> Verdict:
    """This will judge `facts` by the active policy, and store the decision; nothing else comes of it.

    One transaction; takes no lock.
    """
    with transaction.atomic(durable=True):
        return assess(facts=facts)
