"""Tell the histories what they missed."""

import time
from datetime import UTC, datetime

from risk import histories
from risk.histories import OVERLAP_SECONDS, SEEN_SECONDS, HistoriesLost
from risk.services.tell_histories import tell_histories
from risk.services.tell_outcomes import tell_outcomes
from risk.services.tell_proofs import tell_proofs


def catch_up_histories() -> int:
    """This will tell the histories every decision of payments that they were not told, and return how many.

    Reads risk_decision by key, a little further back than it did last. It may run twice or next to itself: each
    decision counts once. Raises `HistoriesLost` when they are gone or too old to go on with: rebuild them.
    """
    generation, now = histories.current(), time.time()
    since = histories.whole_at(generation) - OVERLAP_SECONDS
    if now - since > SEEN_SECONDS - OVERLAP_SECONDS:
        raise HistoriesLost(
            "The histories were not kept for so long that what they know can not be told apart."
        )
    moment = datetime.fromtimestamp(since, UTC)
    told = tell_histories(since=moment, generation=generation)
    tell_outcomes(since=moment, generation=generation)
    tell_proofs(since=moment, generation=generation)
    histories.set_whole_at(generation, now)
    return told
