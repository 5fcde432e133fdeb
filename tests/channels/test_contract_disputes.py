"""Disputes: what is told of them, how they are answered, and how they end."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import pytest

from ledger.money import Money
from payments.channels.contract import (
    Answer,
    Capability,
    ChannelUnavailable,
    DisputeDesk,
    DisputeNews,
    DisputeNewsState,
    EvidenceRefused,
    EvidenceRequest,
    Outcome,
    StartRequest,
)
from tests.channels.drivers import Driver
from tests.channels.scenes import refunded
from tests.channels.world import eventually

PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n"


def dispute_news(driver: Driver, start: StartRequest, answer: Answer) -> list[DisputeNews]:
    """What the notices told of this payment's dispute, in the order of their arrival."""
    read = [
        driver.channel.read_notice(one.headers, one.body) for one in driver.receiver.at(driver.notify_path)
    ]
    return [
        notice.dispute
        for notice in read
        if notice.dispute is not None
        and (
            notice.reference == start.reference or notice.answer.channel_reference == answer.channel_reference
        )
    ]


def desk(driver: Driver) -> DisputeDesk:
    return cast(DisputeDesk, driver.channel)


@pytest.mark.promises(Capability.DISPUTE)
class TestDisputes:
    def test_it_is_told_with_its_payment_its_sum_and_what_was_withdrawn(self, driver: Driver) -> None:
        start, answer = driver.disputed()
        news = eventually(lambda: [one for one in dispute_news(driver, start, answer) if one.withdrawn])[0]
        assert (news.state, news.amount) == (DisputeNewsState.NEEDS_RESPONSE, start.amount)
        assert news.withdrawn == start.amount and news.fee is not None and news.fee.minor >= 0
        assert news.due_by is not None and news.due_by > datetime.now(UTC)
        assert news.reason == "fraudulent" and not news.submitted

    def test_an_answer_with_a_file_is_final(self, driver: Driver) -> None:
        office = desk(driver)
        start, answer = driver.disputed()
        reference = eventually(lambda: dispute_news(driver, start, answer))[0].reference
        paper = office.upload_evidence(
            key=f"{reference}:receipt", name="receipt.pdf", content_type="application/pdf", content=PDF
        )
        request = EvidenceRequest(
            key=f"{reference}:evidence",
            dispute=reference,
            texts={
                "customer_name": "Li Lei",
                "shipping_tracking": "SF1234567890",
                "shipped_on": "2026-11-20",
            },
            files={"receipt": paper},
        )
        first, again = office.submit_evidence(request), office.submit_evidence(request)
        assert first.state is again.state is DisputeNewsState.UNDER_REVIEW and first.submitted
        with pytest.raises(EvidenceRefused):
            office.submit_evidence(replace(request, key="another", texts={"customer_name": "Han Meimei"}))
        driver.judge(reference, "win")
        won = office.query_dispute(reference)
        assert (won.state, won.withdrawn) == (DisputeNewsState.WON, Money(0, driver.currency))
        closed = eventually(
            lambda: [one for one in dispute_news(driver, start, answer) if one.state is DisputeNewsState.WON]
        )
        assert closed[0].withdrawn == Money(0, driver.currency)

    def test_given_up_it_is_lost_and_the_money_is_gone(self, driver: Driver) -> None:
        office = desk(driver)
        start, answer = driver.disputed()
        reference = eventually(lambda: dispute_news(driver, start, answer))[0].reference
        for _ in range(2):
            news = office.accept_dispute(key=f"{reference}:accept", reference=reference)
            assert (news.state, news.withdrawn) == (DisputeNewsState.LOST, start.amount)

    def test_unanswered_in_time_it_is_lost(self, driver: Driver) -> None:
        office = desk(driver)
        start, answer = driver.disputed()
        reference = eventually(lambda: dispute_news(driver, start, answer))[0].reference
        driver.judge(reference, "expire")
        assert office.query_dispute(reference).state is DisputeNewsState.LOST

    def test_an_inquiry_takes_no_money_until_it_becomes_a_dispute(self, driver: Driver) -> None:
        office = desk(driver)
        start, answer = driver.disputed(inquiry=True)
        reference = eventually(lambda: dispute_news(driver, start, answer))[0].reference
        asked = office.query_dispute(reference)
        assert (asked.state, asked.withdrawn) == (DisputeNewsState.WARNING, None)
        driver.judge(reference, "escalate")
        risen = office.query_dispute(reference)
        assert (risen.state, risen.withdrawn) == (DisputeNewsState.NEEDS_RESPONSE, start.amount)

    @pytest.mark.parametrize("content", [b"", b"MZ not a document", b"%PDF-" + b"0" * (5 * 1024 * 1024)])
    def test_a_file_that_no_bank_takes_is_refused(self, driver: Driver, content: bytes) -> None:
        with pytest.raises(EvidenceRefused):
            desk(driver).upload_evidence(
                key=f"paper:{len(content)}", name="paper.pdf", content_type="application/pdf", content=content
            )

    def test_no_clear_answer_is_raised_as_such(self, driver: Driver) -> None:
        office = desk(driver)
        start, answer = driver.disputed()
        reference = eventually(lambda: dispute_news(driver, start, answer))[0].reference
        request = EvidenceRequest(
            key=f"{reference}:e", dispute=reference, texts={"other_text": "It was paid."}
        )
        driver.sandbox.fault(f"/{driver.code}", "drop_after")
        with pytest.raises(ChannelUnavailable):
            office.submit_evidence(request)
        assert office.submit_evidence(request).submitted
        with pytest.raises(ChannelUnavailable):
            office.query_dispute("dp_0123456789abcdef01234567")

    def test_what_the_bank_took_back_is_not_refunded_too(self, driver: Driver) -> None:
        start, answer = driver.disputed()
        movement = replace(
            driver.movement(start, answer),
            key=f"{start.reference}:refund",
            amount=start.amount,
            movement_reference=start.reference.replace("att_", "ref_"),
        )
        assert driver.channel.refund(movement).outcome is Outcome.ERRORED
        assert refunded(driver, start) == 0
