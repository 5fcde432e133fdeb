"""Read stored decisions to the histories."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from django.db.models import F
from django.db.models.functions import JSONObject

from ledger.identifiers import first_key_of
from risk import histories, observations, selectors
from risk.models import Decision
from risk.observations import Observation
from risk.states import Stage

_BATCH = 1000


def tell_histories(*, since: datetime, generation: str) -> int:
    """This will tell a generation every decision from `since` on that it was not told. Memory stays flat."""
    stream, told = _observed(since), 0
    while batch := list(islice(stream, _BATCH)):
        told += histories.tell(batch, generation=generation)
    return told


def _observed(since: datetime) -> Iterator[Observation]:
    """Only what an observation is made of is read: the rest of the inputs is ten times as much."""
    parts = JSONObject(facts=F("inputs__facts"), entities=F("inputs__entities"), event=F("inputs__event"))
    rows = Decision.objects.filter(pk__gte=first_key_of(since), stage=Stage.PAYMENT).order_by("pk")
    for key, policy_id, inputs in rows.values_list("pk", "policy_id", parts).iterator(chunk_size=_BATCH):
        rates = selectors.policy_document(policy_id).rates
        observation = observations.observation(key, inputs, rates)
        if observation is not None:
            yield observation
