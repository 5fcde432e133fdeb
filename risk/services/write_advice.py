"""Have a language model say why a payment got its score."""

import hashlib
from datetime import timedelta
from time import perf_counter

import structlog
from django.db import connection, transaction
from django.utils import timezone

from ledger.identifiers import MalformedIdentifier, decode
from risk import adviser, masking
from risk.advice import Unfounded, question, read
from risk.adviser import Unanswered
from risk.features import calendar_day
from risk.models import Advice, Alert
from risk.models.advice import MOST_TRIES
from risk.selectors import policy_document
from risk.states import AdviceState

log = structlog.get_logger(__name__)

_AGAIN_AFTER = timedelta(seconds=30)  # times the tries so far


def write_advice(*, advice: str) -> None:
    """This will ask the language model about a decision's masked facts, check the answer, and keep it or why not.

    Opens its own transactions; the model is called with nothing open. What it wrote about the same facts before is
    taken again. Without an answer it is asked again, three times in all. The decision itself is only read.
    """
    assert not connection.in_atomic_block, "no model is called inside a transaction"
    row = _waiting(advice)
    if row is None:
        return
    masked = masking.mask(policy_document(row.decision.policy_id), row.decision.inputs, row.decision.outcome)
    row.tell(model=adviser.name(), digest=masking.digest(masked, adviser.name()))
    if row.tries > MOST_TRIES:  # whoever asked before did not live to tell
        return _try_again(row, "never_finished")
    if not masked.factors:
        return _keep(row, fault="nothing_to_explain")
    known = Advice.objects.written_for(row.digest, row.model)
    if known:
        return _keep(row, kept=known.statements, answer=known.answer_digest)
    started = perf_counter()
    try:
        words = adviser.ask(question(masked))
    except Unanswered as problem:
        return _try_again(row, problem.code)
    row.milliseconds = round((perf_counter() - started) * 1000)
    digest = hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()
    try:
        statements = read(words, masked)
    except Unfounded as problem:
        return _keep(row, fault=problem.code, answer=digest)
    return _keep(row, kept=[one.kept() for one in statements], answer=digest)


def _waiting(public_id: str) -> Advice | None:
    try:
        key = decode("adv", public_id)
    except MalformedIdentifier:
        return None
    return Advice.objects.select_related("decision").filter(pk=key, state=str(AdviceState.WAITING)).first()


def _try_again(row: Advice, fault: str) -> None:
    now = timezone.now()
    with transaction.atomic(durable=True):
        if not _still_waits(row):
            return
        if row.tries >= MOST_TRIES:
            row.fail(fault=fault, at=now)
        else:
            row.try_again(fault=fault, at=now + _AGAIN_AFTER * row.tries)
        row.store()
        _alert("advice_failed", row, fault)


def _keep(
    row: Advice, *, kept: list[dict[str, object]] | None = None, fault: str = "", answer: str = ""
) -> None:
    now = timezone.now()
    with transaction.atomic(durable=True):
        if not _still_waits(row):
            return
        if kept:
            row.write(statements=kept, answer_digest=answer, at=now)
        else:
            row.refuse(fault=fault, answer_digest=answer, at=now)
            _alert("advice_refused", row, fault)
        row.store()


def _still_waits(row: Advice) -> bool:
    """Under the row's lock: another worker may have been quicker."""
    return Advice.objects.locked().filter(pk=row.pk, state=str(AdviceState.WAITING)).exists()


def _alert(kind: str, row: Advice, fault: str) -> None:
    """Every time in the log, once a day and cause as a warning; how often it was, the rows say."""
    log.warning("risk.advice_not_shown", kind=kind, advice=row.public_id, model=row.model, fault=fault)
    detail = {"model": row.model}
    if Alert.objects.raise_once(kind, fault, calendar_day(timezone.now()), detail):
        log.warning("risk.alert", kind=kind, subject=fault, **detail)
