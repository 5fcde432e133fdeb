"""Notices as JSON and back, so that the inbox can apply one later than its signature holds. Pure."""

from datetime import datetime
from typing import Any

from ledger.money import Money
from payments.channels.contract import (
    Advice,
    Answer,
    DisputeNews,
    DisputeNewsState,
    Notice,
    NoticeKind,
    Outcome,
)


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
            "amount": _money_to_json(answer.amount),
            "three_d_secure": answer.three_d_secure and dict(answer.three_d_secure),
            "code": answer.code,
            "message": answer.message,
            "advice": answer.advice,
            "happened_at": answer.happened_at and answer.happened_at.isoformat(),
            "captured": _money_to_json(answer.captured),
            "held_until": answer.held_until and answer.held_until.isoformat(),
            "movement": answer.movement,
            "raw": dict(answer.raw),
        },
        "dispute": notice.dispute and _dispute_to_json(notice.dispute),
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
            amount=_money_from_json(told["amount"]),
            three_d_secure=told["three_d_secure"],
            code=told["code"],
            message=told["message"],
            advice=Advice(told["advice"]) if told["advice"] else None,
            happened_at=_moment_from_json(told["happened_at"]),
            # Rows of before these were told have neither.
            captured=_money_from_json(told.get("captured")),
            held_until=_moment_from_json(told.get("held_until")),
            movement=told.get("movement", ""),
            raw=told["raw"],
        ),
        dispute=_dispute_from_json(stored["dispute"]) if stored.get("dispute") else None,
    )


def _money_to_json(money: Money | None) -> list[Any] | None:
    return [money.minor, money.currency] if money else None


def _money_from_json(stored: list[Any] | None) -> Money | None:
    return Money(*stored) if stored else None


def _moment_from_json(stored: str | None) -> datetime | None:
    return datetime.fromisoformat(stored) if stored else None


def _dispute_to_json(news: DisputeNews) -> dict[str, Any]:
    return {
        "reference": news.reference,
        "state": news.state,
        "amount": _money_to_json(news.amount),
        "reason": news.reason,
        "due_by": news.due_by and news.due_by.isoformat(),
        "withdrawn": _money_to_json(news.withdrawn),
        "fee": _money_to_json(news.fee),
        "submitted": news.submitted,
        "happened_at": news.happened_at and news.happened_at.isoformat(),
        "raw": dict(news.raw),
    }


def _dispute_from_json(stored: dict[str, Any]) -> DisputeNews:
    return DisputeNews(
        reference=stored["reference"],
        state=DisputeNewsState(stored["state"]),
        amount=Money(*stored["amount"]),
        reason=stored["reason"],
        due_by=_moment_from_json(stored["due_by"]),
        withdrawn=_money_from_json(stored["withdrawn"]),
        fee=_money_from_json(stored["fee"]),
        submitted=stored["submitted"],
        happened_at=_moment_from_json(stored["happened_at"]),
        raw=stored["raw"],
    )
