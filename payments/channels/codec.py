"""Notices as JSON and back, so that the inbox can apply one later than its signature holds. Pure."""

from datetime import datetime
from typing import Any

from ledger.money import Money
from payments.channels.contract import Advice, Answer, Notice, NoticeKind, Outcome


def notice_to_json(notice: Notice) -> dict[str, Any]:
    answer = notice.answer
    return {
        "event_id": notice.event_id,
        "kind": notice.kind,
        "reference": notice.reference,
        "movement_reference": notice.movement_reference,
        "answer": {
            "outcome": answer.outcome,
            "channel_reference": answer.channel_reference,
            "amount": answer.amount and [answer.amount.minor, answer.amount.currency],
            "three_d_secure": answer.three_d_secure and dict(answer.three_d_secure),
            "code": answer.code,
            "message": answer.message,
            "advice": answer.advice,
            "happened_at": answer.happened_at and answer.happened_at.isoformat(),
            "raw": dict(answer.raw),
        },
    }


def notice_from_json(stored: dict[str, Any]) -> Notice:
    told = stored["answer"]
    return Notice(
        event_id=stored["event_id"],
        kind=NoticeKind(stored["kind"]),
        reference=stored["reference"],
        movement_reference=stored["movement_reference"],
        answer=Answer(
            outcome=Outcome(told["outcome"]),
            channel_reference=told["channel_reference"],
            amount=Money(*told["amount"]) if told["amount"] else None,
            three_d_secure=told["three_d_secure"],
            code=told["code"],
            message=told["message"],
            advice=Advice(told["advice"]) if told["advice"] else None,
            happened_at=datetime.fromisoformat(told["happened_at"]) if told["happened_at"] else None,
            raw=told["raw"],
        ),
    )
