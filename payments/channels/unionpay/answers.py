"""UnionPay's answers in the contract's words."""

from dataclasses import replace
from typing import Final

from payments.channels.contract import Answer, Instrument, Outcome
from payments.channels.transport import Unanswered
from payments.channels.unionpay import codes, naming, notices
from payments.channels.unionpay.client import GatewayAnswer

# UnionPay refuses a request whose texts hold what its own format is made of.
_FORBIDDEN: Final = str.maketrans("&={}[]\"'<>|\\", "            ")


def plain(text: str, longest: int) -> str:
    """`text` as UnionPay takes it."""
    return " ".join(text.translate(_FORBIDDEN).split())[:longest]


def unknown(unanswered: Unanswered) -> Answer:
    return Answer(Outcome.UNKNOWN, code=unanswered.code, message=str(unanswered))


def refused(answer: GatewayAnswer) -> Answer:
    _, advice = codes.RESULT.get(answer.code, (Outcome.ERRORED, None))
    raw = notices.without_customer(answer.fields)
    return Answer(Outcome.ERRORED, code=answer.code, message=answer.message, advice=advice, raw=raw)


def payment(answer: GatewayAnswer) -> Answer:
    """What became of an order that the customer pays."""
    told = movement(answer)
    if told.outcome is not Outcome.SUCCEEDED:
        return told
    masked = answer.text("accNo")
    card = Instrument(
        token="",
        brand="unionpay",
        last4=masked[-4:] if masked[-4:].isdigit() else "",
        funding=codes.FUNDING.get(answer.text("payCardType"), ""),
    )
    return replace(told, instrument=card)


def movement(answer: GatewayAnswer) -> Answer:
    """What became of any order, as the answer to a question about it says."""
    raw = notices.without_customer(answer.fields)
    if answer.code == codes.NOT_FOUND:
        return Answer(Outcome.NOT_FOUND, code=answer.code, message=answer.message, raw=raw)
    if answer.code != codes.OK:
        return Answer(Outcome.UNKNOWN, code=answer.code, message=answer.message, raw=raw)
    code = answer.text("origRespCode")
    outcome, advice = codes.RESULT.get(code, (Outcome.UNKNOWN, None))
    if outcome is not Outcome.SUCCEEDED:
        message = answer.text("origRespMsg")
        return Answer(outcome, answer.text("queryId"), code=code, message=message, advice=advice, raw=raw)
    try:
        amount = notices.money_of(answer.fields)
    except ValueError as problem:
        return Answer(Outcome.UNKNOWN, code="unreadable", message=str(problem), raw=raw)
    return Answer(
        outcome,
        channel_reference=answer.text("queryId"),
        amount=amount,
        happened_at=naming.read_trace_time(answer.text("traceTime"), answer.text("txnTime")),
        raw=raw,
    )
