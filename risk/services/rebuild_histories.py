"""Make the histories anew from the decisions."""

import time
from datetime import UTC, datetime

from ledger.identifiers import new_key
from risk import histories
from risk.histories import OVERLAP_SECONDS
from risk.history import KEPT
from risk.services.catch_up_histories import catch_up_histories
from risk.services.tell_histories import tell_histories
from risk.services.tell_outcomes import tell_outcomes
from risk.services.tell_proofs import tell_proofs


def rebuild_histories() -> int:
    """This will write all histories beside the ones that are read, then read those; returns the decisions told.

    Decisions go on meanwhile: they are told to the old ones, and to the new ones by the catch-up at the end. Returns
    0 when somebody else is rebuilding. Raises what Redis raises.
    """
    if not histories.claim_rebuild():
        return 0
    try:
        generation, began = new_key().hex, time.time()
        since = datetime.fromtimestamp(began - KEPT / 1000 - OVERLAP_SECONDS, UTC)
        told = tell_histories(since=since, generation=generation)
        tell_outcomes(since=since, generation=generation)
        tell_proofs(since=since, generation=generation)
        histories.set_whole_at(generation, began)
        histories.switch(generation)
        return told + catch_up_histories()
    finally:
        histories.end_rebuild()
