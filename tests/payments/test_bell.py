"""The bell: a commit in which money moved without its posting, or with another sum, is refused by PostgreSQL."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from ledger.facts import Entry
from ledger.money import Money
from ledger.services.post import post
from payments.channels.contract import Answer, Outcome
from payments.models import Attempt, Dispute, Payment, Refund
from payments.services import apply_dispute_news, apply_refund_answer, book_capture
from payments.services.approve_refund import approve_refund
from payments.services.queue_refund import queue_refund
from payments.services.settle_refund_by_hand import settle_refund_by_hand
from tests.ledger.books import cny, nothing_moves, run, tamper
from tests.payments.desk import FEN, begin_part, broken, opened, tell
from tests.payments.disputing import FEE, S, hear, news

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def alone(settings: Any) -> None:
    settings.EVENT_HANDLERS = {}


@pytest.fixture
def paid() -> Attempt:
    attempt = opened()
    tell(attempt, Outcome.SUCCEEDED)
    return attempt


def asked(attempt: Attempt, fen: int = 3_000) -> Refund:
    """A refund on its way."""
    payment = Payment.objects.get(attempts=attempt)
    with transaction.atomic():
        queue_refund(payment=payment.public_id, amount=cny(fen), reason="x", actor="user:1", key=f"r{fen}")
        row = Refund.objects.get(business_key=f"r{fen}")
        row.process()
        row.store()
    return row


def answered(refund: Refund, outcome: Outcome) -> None:
    with transaction.atomic():
        apply_refund_answer.apply_refund_answer(refund=refund, answer=Answer(outcome, code="x"))


def rows() -> list[Any]:
    """Everything of the three tables that the bell is about."""
    return [list(model._default_manager.order_by("pk").values()) for model in (Payment, Refund, Dispute)]


def refused(act: Callable[[], Any], complaint: str) -> None:
    """The commit fails, saying which row lacks what; rows and books are as before."""
    before = rows()
    with nothing_moves(), pytest.raises(IntegrityError, match=f"(?m){complaint}") as caught:
        act()
    assert caught.value.__cause__.diag.constraint_name == "bell"  # type: ignore[union-attr]
    assert rows() == before


PAYMENT_MOVES = [
    ("UPDATE payments_payment SET amount_captured = 9999", r"^pay_\w+ moved 9999 CNY of .* has 10000 under"),
    ("UPDATE payments_payment SET captures = 2, amount_captured = 9000", r"pay_\w+:capture:2$"),
    ("UPDATE payments_payment SET captures = 0", r"the journal has 0 under no key"),
    (
        "UPDATE payments_payment SET state = 'FAILED', captures = 0, amount_captured = 0",
        r"^pay_\w+ moved 0 CNY of receivable:stripe, the journal has 10000 under pay_\w+:capture:1$",
    ),
    ("UPDATE payments_payment SET channel = 'alipay'", "receivable:alipay, the journal has 0"),
    ("UPDATE payments_payment SET currency = 'USD'", "moved 10000 USD .* the journal has 0"),
    ("UPDATE payments_payment SET amount_refunded = 1", r"^pay_\w+ says 1 refunded, its rows say 0$"),
    ("UPDATE payments_payment SET amount_disputed = 1", r"^pay_\w+ says 1 disputed, its rows say 0$"),
    (
        """INSERT INTO payments_payment SELECT (jsonb_populate_record(payment, jsonb_build_object(
            'id', gen_random_uuid(), 'reference', 'ord_2', 'business_key', 'ord_2:payment:1'))).*
            FROM payments_payment AS payment""",
        r"^pay_\w+ moved 10000 CNY of receivable:stripe, the journal has 0 under pay_\w+:capture:1$",
    ),
]


@pytest.mark.parametrize(("statement", "complaint"), PAYMENT_MOVES)
def test_a_payment_that_raw_sql_moves(paid: Attempt, statement: str, complaint: str) -> None:
    refused(lambda: run(statement), complaint)


def test_a_payment_that_the_orm_moves(paid: Attempt) -> None:
    waits = opened()
    payment = Payment.objects.get(attempts=waits)

    def succeed() -> None:
        payment.succeed(FEN)
        payment.store()

    refused(succeed, rf"^{payment.public_id} moved 10000 CNY .* has 0 under {payment.public_id}:capture:1$")


def forgets(**_: Any) -> None:
    """In place of `post`: a service that was broken by whoever wrote it last."""


def a_fen_less(**asked: Any) -> Any:
    bent = [Entry(line.account, line.amount - _fen(line.amount)) for line in asked.pop("entries")]
    return post(entries=bent, **asked)


def _fen(amount: Money) -> Money:
    return cny(1 if amount.minor > 0 else -1)


@pytest.mark.parametrize("broken_post", [forgets, a_fen_less])
class TestBrokenServices:
    """What the services post is what they moved, or their transaction does not commit."""

    def test_a_capture(self, monkeypatch: pytest.MonkeyPatch, broken_post: Any) -> None:
        waits = opened()
        monkeypatch.setattr(book_capture, "post", broken_post)
        refused(lambda: tell(waits, Outcome.SUCCEEDED), r"^pay_\w+ moved 10000 CNY of receivable:stripe")

    def test_a_second_part(self, monkeypatch: pytest.MonkeyPatch, broken_post: Any) -> None:
        start = opened(capture_mode="manual")
        tell(start, Outcome.AUTHORIZED)
        tell(begin_part(start, 4_000), Outcome.SUCCEEDED, amount=cny(4_000))
        part = begin_part(start, 5_000)
        monkeypatch.setattr(book_capture, "post", broken_post)
        refused(
            lambda: tell(part, Outcome.SUCCEEDED, amount=cny(5_000)),
            r"moved 9000 CNY of .* pay_\w+:capture:1, pay_\w+:capture:2$",
        )

    def test_a_refund(self, monkeypatch: pytest.MonkeyPatch, broken_post: Any, paid: Attempt) -> None:
        refund = asked(paid)
        monkeypatch.setattr(apply_refund_answer, "post", broken_post)
        refused(
            lambda: answered(refund, Outcome.SUCCEEDED),
            rf"^{refund.public_id} moved -3000 CNY of .* under {refund.public_id}:refund, ",
        )

    def test_a_refund_by_hand(self, monkeypatch: pytest.MonkeyPatch, broken_post: Any, paid: Attempt) -> None:
        refund = asked(paid).public_id
        answered(Refund.objects.get(), Outcome.DECLINED)
        settle_refund_by_hand(refund=refund, account="main", reference="T1", actor="user:1")
        monkeypatch.setattr("payments.services.approve_refund.post", broken_post)
        refused(
            lambda: approve_refund(refund=refund, actor="user:2"),
            rf"moved -3000 CNY of bank:main, .* under {refund}:refund:hand$",
        )

    @pytest.mark.parametrize("kind", ["withdrawn", "fee", "lost", "won"])
    def test_a_dispute(
        self, monkeypatch: pytest.MonkeyPatch, broken_post: Any, paid: Attempt, kind: str
    ) -> None:
        def bent(**posting: Any) -> Any:
            here = posting["business_key"].endswith(f":{kind}")
            return broken_post(**posting) if here else post(**posting)

        hear(paid, news(S.WARNING, withdrawn=0, fee=0))
        if kind in ("lost", "won"):
            hear(paid, news(S.NEEDS_RESPONSE, withdrawn=FEN, fee=FEE))
        told = {"lost": news(S.LOST, hour=9, withdrawn=FEN), "won": news(S.WON, hour=9, withdrawn=0)}
        monkeypatch.setattr(apply_dispute_news, "post", bent)
        refused(
            lambda: hear(paid, told.get(kind) or news(S.NEEDS_RESPONSE, hour=1, withdrawn=FEN, fee=FEE)),
            rf"^dsp_\w+ moved -?\d+ CNY of [\w:]+, the journal has -?\d+ under .*dsp_\w+:{kind}",
        )


def test_a_refund_that_comes_back_is_booked_back(monkeypatch: pytest.MonkeyPatch, paid: Attempt) -> None:
    refund = asked(paid)
    answered(refund, Outcome.SUCCEEDED)
    with monkeypatch.context() as patched:
        patched.setattr(apply_refund_answer, "reverse", forgets)
        refused(
            lambda: answered(refund, Outcome.DECLINED),
            rf"moved 0 CNY of receivable:stripe, .* -3000 under .*{refund.public_id}:refund:returned$",
        )
    answered(refund, Outcome.DECLINED)
    assert (Refund.objects.get().state, broken()) == ("FAILED", [])


REFUND_MOVES = [
    ("UPDATE payments_refund SET state = 'SUCCEEDED' WHERE state = 'PROCESSING'", "moved -4000 CNY"),
    ("UPDATE payments_refund SET amount = 2999 WHERE state = 'SUCCEEDED'", "moved -2999 CNY .* has -3000"),
    ("UPDATE payments_refund SET state = 'FAILED' WHERE state = 'SUCCEEDED'", "moved 0 CNY .* has -3000"),
    ("UPDATE payments_refund SET hand_by = 'a', hand_account = 'b', hand_reference = 'c'", "has -3000"),
    ("UPDATE payments_payment SET amount_refunded = 0", "says 0 refunded, its rows say 3000"),
    (
        """INSERT INTO payments_refund SELECT (jsonb_populate_record(refund, jsonb_build_object(
            'id', gen_random_uuid(), 'business_key', 'again'))).*
            FROM payments_refund AS refund WHERE state = 'SUCCEEDED'""",
        "moved -3000 CNY .* has 0",
    ),
]


@pytest.mark.parametrize(("statement", "complaint"), REFUND_MOVES)
def test_a_refund_that_raw_sql_moves(paid: Attempt, statement: str, complaint: str) -> None:
    answered(asked(paid), Outcome.SUCCEEDED)
    asked(paid, 4_000)
    refused(lambda: run(statement), complaint)


def test_a_refund_with_its_posting_still_needs_its_payment(paid: Attempt) -> None:
    refund = asked(paid)

    def half() -> None:
        with transaction.atomic():
            run("UPDATE payments_refund SET state = 'SUCCEEDED'")
            post(
                business_key=f"{refund.public_id}:refund",
                reference="ord_1",
                description="",
                entries=[
                    Entry("customer_prepayments", refund.money),
                    Entry("receivable:stripe", -refund.money),
                ],
            )

    refused(half, r"^pay_\w+ says 0 refunded, its rows say 3000$")


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        (
            "UPDATE payments_dispute SET withdrawn = withdrawn + 1",
            r"^dsp_\w+ moved 10001 CNY of disputed:stripe",
        ),
        ("UPDATE payments_dispute SET fee = fee + 1", "receivable:stripe"),
        ("UPDATE payments_dispute SET reinstated = 1", "moved 9999 CNY of disputed:stripe"),
        ("UPDATE payments_dispute SET lost = withdrawn", "moved 0 CNY of disputed:stripe"),
        ("UPDATE payments_dispute SET state = 'LOST'", r"^dsp_\w+ says 0 lost, its rows say 10000$"),
        ("UPDATE payments_dispute SET postings = '{}'", "has 0 under no key"),
        ("UPDATE payments_payment SET amount_disputed = 0", "says 0 disputed, its rows say 10000"),
    ],
)
def test_a_dispute_that_raw_sql_moves(paid: Attempt, statement: str, complaint: str) -> None:
    hear(paid, news(S.NEEDS_RESPONSE, withdrawn=FEN, fee=FEE))
    refused(lambda: run(statement), complaint)


@pytest.mark.parametrize("table", ["payment", "refund", "dispute"])
@pytest.mark.parametrize("statement", ["DELETE FROM payments_{}", "TRUNCATE payments_{} CASCADE"])
def test_nothing_of_money_is_deleted(paid: Attempt, table: str, statement: str) -> None:
    hear(paid, news(S.NEEDS_RESPONSE, withdrawn=FEN, fee=FEE))
    before = rows()
    with nothing_moves(), pytest.raises(IntegrityError, match="is refused"):
        run(statement.format(table))
    assert rows() == before


def test_the_bell_cannot_be_ignored_by_a_setting(paid: Attempt) -> None:
    """pgtrigger's own triggers obey `pgtrigger.ignore`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgname FROM pg_trigger WHERE tgrelid = 'payments_payment'::regclass")
        names = ",".join(name for (name,) in cursor.fetchall())

    def ignoring() -> None:
        with transaction.atomic():
            run("SELECT set_config('pgtrigger.ignore', %s, true)", ["{" + names + "}"])
            run("UPDATE payments_payment SET amount_captured = 1")

    refused(ignoring, "moved 1 CNY")


def test_without_the_bell_money_could_move_alone(paid: Attempt) -> None:
    """The race is real: the same statement passes with the triggers off, and only `verify` sees it."""
    tamper("UPDATE payments_payment SET amount_captured = 9999")
    assert "payments.captures_in_journal" in {name for name, _ in broken()}


def test_a_transaction_may_move_a_row_more_than_once(paid: Attempt) -> None:
    """What counts is the row at commit."""
    refund = asked(paid)
    with transaction.atomic():
        answered(refund, Outcome.SUCCEEDED)
        answered(refund, Outcome.DECLINED)
        hear(paid, news(S.NEEDS_RESPONSE, withdrawn=FEN, fee=FEE))
        hear(paid, news(S.WON, hour=1, withdrawn=0))
    assert broken() == []
