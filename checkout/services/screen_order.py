"""Have risk look at an order that nobody has placed."""

import threading
from time import perf_counter_ns

from django.conf import settings
from django.db import transaction

from risk.facts import PaymentFacts, Verdict
from risk.services.assess import assess

# More threads than these would take each other's turns in the middle of their decisions, and answers of Redis that
# are there already would be read too late. Whoever waits for a provider meanwhile keeps none of them from deciding.
_turns = threading.BoundedSemaphore(settings.RISK_SCREENINGS_AT_ONCE)


def screen_order(*, facts: PaymentFacts) -> Verdict:
    """This will judge `facts` by the active policy, and store the decision; nothing else comes of it.

    One transaction; takes no lock. Waits for its turn where this process screens many; the policy's deadline counts
    from before that, so who waited long is judged by the rules alone, which takes less time, and the next wait less.
    """
    asked = perf_counter_ns()
    with _turns, transaction.atomic(durable=True):
        return assess(facts=facts, waited_since=asked)
