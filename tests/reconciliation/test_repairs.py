"""What is done about a discrepancy: what is posted, who must agree, what is refused, and how it is taken back."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import IntegrityError, connections

from ledger import selectors as ledger
from ledger.errors import Refusal
from ledger.facts import Entry
from ledger.money import Money
from ledger.selectors import audit_trail, transaction, trial_balance
from reconciliation import invariants
from reconciliation.cases import case_of, line_as_it_came, repairs_of
from reconciliation.differing import apart
from reconciliation.errors import (
    DiscrepancyClosed,
    NotUnderInvestigation,
    ReasonMissing,
    RepairNotFound,
    RepairNotOffered,
    RepairNotUndoable,
    RepairNotWaiting,
    RepairUnderWay,
    SecondPersonNeeded,
)
from reconciliation.facts import RepairView
from reconciliation.models import Discrepancy, Repair
from reconciliation.models.discrepancy import DiscrepancyQuerySet
from reconciliation.proposals import proposals
from reconciliation.services.approve_repair import approve_repair
from reconciliation.services.investigate import investigate
from reconciliation.services.reject_repair import reject_repair
from reconciliation.services.repair_discrepancy import repair_discrepancy
from reconciliation.services.resolve import resolve
from reconciliation.services.undo_repair import undo_repair
from reconciliation.states import DiscrepancyKind as K
from reconciliation.states import DiscrepancyState
from tests.ledger.books import tamper
from tests.patience import PATIENCE
from tests.reconciliation.differences import difference, missing_here, missing_there, statement

pytestmark = pytest.mark.django_db(transaction=True)

MAX, FAY = "user:1", "user:2"


@pytest.fixture(autouse=True)
def limits(settings: Any) -> None:
    settings.RECONCILIATION_APPROVAL_ABOVE = {"CNY": 10_000, "USD": 10_000}


def taken_up(row: Discrepancy) -> str:
    return investigate(discrepancy=row.public_id, actor=MAX).id


def do(row: Discrepancy | str, kind: str) -> RepairView:
    name = row if isinstance(row, str) else taken_up(row)
    return repair_discrepancy(discrepancy=name, kind=kind, actor=MAX, reason="As the bank says")


def state(name: str) -> str:
    return str(Discrepancy.objects.named(name).get().state)


def posted(repair: RepairView) -> list[tuple[str, int, str]]:
    return [
        (one.account, one.amount.minor, one.amount.currency) for one in transaction(repair.posted).entries
    ]


def balances() -> dict[str, int]:
    return {one.account: one.balance.minor for one in trial_balance().accounts if one.balance.minor}


def theirs(channel: str, minor: int, counter: str, currency: str = "CNY") -> list[tuple[str, int, str]]:
    return [(f"receivable:{channel}", minor, currency), (counter, -minor, currency)]


_POSTINGS = [
    (K.FEE, {"ours": 100, "told": 100, "fee": 60_000, "told_fee": 61_400}, "post_fee", "channel_fees:wechat", -1),
    (K.FEE, {"ours": 100, "told": 100, "fee": 61_000, "told_fee": 60_000}, "take_back_fee", "channel_fees:wechat", 1),
    (K.FEE, {"ours": 100, "told": 100, "fee": 60_000, "told_fee": 60_900}, "suspense", "suspense", -1),
    (K.AMOUNT, {"ours": 5_000, "told": 4_900}, "suspense", "suspense", -100),
    (K.AMOUNT, {"ours": -5_000, "told": -5_200}, "suspense", "suspense", -200),
    (K.MISSING_HERE, {"told": 4_000}, "suspense", "suspense", 4_000),
    (K.MISSING_HERE, {"told": -4_000, "line_kind": "refund"}, "suspense", "suspense", -4_000),
    (K.MISSING_THERE, {"ours": 4_000, "at_risk": 4_000}, "suspense", "suspense", -4_000),
    (K.DUPLICATE, {"ours": 4_000, "told": 4_000}, "suspense", "suspense", 4_000),
    (K.STATE, {"ours": 4_000, "told": 4_000, "their_state": "failed"}, "suspense", "suspense", -4_000),
    (K.STATE, {"told": 4_000, "their_state": "success"}, "suspense", "suspense", 4_000),
    (K.DEPOSIT_AMOUNT, {"ours": 4_000, "told": 3_990}, "post_fee", "channel_fees:wechat", -10),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "said", "repair", "counter", "minor"), _POSTINGS)
def test_a_repair_posts_what_its_words_say(
    kind: K, said: dict[str, Any], repair: str, counter: str, minor: int
) -> None:
    row = difference(kind, **said)
    told = next(one for one in proposals(case_of(row)) if one.kind == repair)
    done = do(row, repair)
    assert posted(done) == theirs("wechat", minor, counter)
    assert [Entry(*one) for one in ((e.account, e.amount) for e in told.entries)] == list(
        transaction(done.posted).entries
    )
    assert (done.words, done.amount) == (told.words, Money(abs(minor), "CNY"))
    assert Money(abs(minor), "CNY").formatted() in done.words
    assert ledger.transaction(done.posted).business_key.startswith(f"{row.public_id}:")


def test_money_at_the_bank_that_nobody_knows_lies_in_suspense() -> None:
    row = difference(K.BANK_UNEXPLAINED, told=700, line_kind="credit", theirs_facts={"account": "bank:main"})
    assert posted(do(row, "suspense")) == [("bank:main", 700, "CNY"), ("suspense", -700, "CNY")]


def test_of_two_currencies_each_is_put_right() -> None:
    row = difference(K.CURRENCY, ours=5_000, told=700, told_currency="USD")
    assert posted(do(row, "suspense")) == [
        *theirs("wechat", -5_000, "suspense"),
        *theirs("wechat", 700, "suspense", "USD"),
    ]


def test_what_agrees_and_came_late_is_closed_without_a_posting() -> None:
    row = difference(K.LATE, ours=5_000, told=5_000)
    assert [one.kind for one in proposals(case_of(row))] == ["accept", "write_off"]
    done = do(row, "accept")
    assert (done.posted, state(row.public_id), balances()) == ("", "RESOLVED", {})


def test_waiting_books_nothing_and_leaves_it_open() -> None:
    row = missing_there()
    done = do(row, "wait")
    assert done.waits_on is not None
    assert (done.posted, state(row.public_id), balances()) == ("", "INVESTIGATING", {})


def test_suspense_is_written_off_from_where_it_lies() -> None:
    name = taken_up(missing_here(4_000))
    do(name, "suspense")
    assert state(name) == "INVESTIGATING"
    asked = do(name, "write_off")
    assert (asked.state, balances()) == ("WAITING", {"receivable:wechat": 4_000, "suspense": -4_000})
    done = approve_repair(repair=asked.id, actor=FAY)
    assert posted(done) == [("suspense", 4_000, "CNY"), ("write_offs", -4_000, "CNY")]
    assert balances() == {"receivable:wechat": 4_000, "write_offs": -4_000}
    row = Discrepancy.objects.named(name).get()
    assert (row.state, row.write_off_proposed_by, row.closed_by) == ("WRITTEN_OFF", MAX, FAY)


def test_above_the_threshold_a_second_person_decides() -> None:
    name = taken_up(missing_here(10_001))
    asked = do(name, "suspense")
    assert (asked.state, asked.needs_second, balances()) == ("WAITING", True, {})
    with pytest.raises(SecondPersonNeeded):
        approve_repair(repair=asked.id, actor=MAX)
    with pytest.raises(RepairUnderWay):
        do(name, "accept")
    assert balances() == {}
    done = approve_repair(repair=asked.id, actor=FAY, reason="Seen the bill")
    assert (done.state, done.approved_by) == ("DONE", FAY)
    assert balances() == {"receivable:wechat": 10_001, "suspense": -10_001}
    with pytest.raises(RepairNotWaiting):
        approve_repair(repair=asked.id, actor=FAY)
    trail = [(one.actor, one.after, one.reason) for one in audit_trail(asked.id)]
    assert trail == [(MAX, "WAITING", "As the bank says"), (FAY, "DONE", "Seen the bill")]


def test_what_is_turned_down_moves_nothing_and_another_may_be_proposed() -> None:
    name = taken_up(missing_here(20_000))
    asked = do(name, "suspense")
    with pytest.raises(ReasonMissing):
        reject_repair(repair=asked.id, actor=FAY, reason=" ")
    assert reject_repair(repair=asked.id, actor=FAY, reason="Not ours").state == "REFUSED"
    with pytest.raises(RepairNotWaiting):
        approve_repair(repair=asked.id, actor=FAY)
    assert (balances(), state(name)) == ({}, "INVESTIGATING")
    assert do(name, "write_off").state == "WAITING"


def test_the_table_refuses_what_one_person_alone_does() -> None:
    asked = do(missing_here(20_000), "suspense")
    rows = Repair.objects.filter(pk=Repair.objects.by_public_id(asked.id).pk)
    with pytest.raises(IntegrityError, match="repaired_by_two"):
        rows.update(state="DONE", done_at="2026-11-20T00:00Z", approved_by=MAX)
    with pytest.raises(IntegrityError, match="repair_explained"):
        rows.update(reason="")


def test_undoing_reverses_the_posting_and_opens_it_again() -> None:
    row = difference(K.FEE, ours=100, told=100, fee=60_000, told_fee=63_000)
    first = do(row, "post_fee")
    assert state(row.public_id) == "RESOLVED"
    undone = undo_repair(repair=first.id, actor=FAY, reason="Wrong month")
    assert (undone.state, undone.undone_by, undone.undo_reason) == ("UNDONE", FAY, "Wrong month")
    assert (state(row.public_id), balances()) == ("INVESTIGATING", {})
    keys = {one.business_key for one in ledger.transactions_of(row.public_id)}
    assert keys == {f"{row.public_id}:fee_posted", f"{row.public_id}:fee_posted:undone"}
    second = do(row.public_id, "post_fee")
    assert ledger.transaction(second.posted).business_key == f"{row.public_id}:fee_posted:2"
    assert balances() == {"channel_fees:wechat": 3, "receivable:wechat": -3}
    with pytest.raises(RepairNotUndoable):
        undo_repair(repair=first.id, actor=FAY, reason="Again")


def test_only_the_last_repair_is_undone_and_a_write_off_reopens() -> None:
    name = taken_up(missing_here(4_000))
    lying = do(name, "suspense")
    given_up = approve_repair(repair=do(name, "write_off").id, actor=FAY)
    with pytest.raises(RepairNotUndoable):
        undo_repair(repair=lying.id, actor=FAY, reason="First things first")
    undo_repair(repair=given_up.id, actor=FAY, reason="The bank found it")
    assert (state(name), balances()) == ("INVESTIGATING", {"receivable:wechat": 4_000, "suspense": -4_000})
    undo_repair(repair=lying.id, actor=FAY, reason="The bank found it")
    assert (state(name), balances()) == ("INVESTIGATING", {})
    assert [one.state for one in repairs_of(name)] == ["UNDONE", "UNDONE"]


def test_what_a_provider_only_said_was_never_applied_so_nothing_is_posted() -> None:
    row = difference(K.AMOUNT, ours=10_000, told=9_900)
    Discrepancy.objects.update(file=None, source="notice")
    row.refresh_from_db()
    assert apart(case_of(row)) == ()
    done = approve_repair(repair=do(row, "write_off").id, actor=FAY)
    assert (done.posted, state(row.public_id), balances()) == ("", "WRITTEN_OFF", {})


def test_refusals_move_nothing() -> None:
    row = missing_here(4_000)
    with pytest.raises(NotUnderInvestigation):
        repair_discrepancy(discrepancy=row.public_id, kind="suspense", actor=MAX, reason="x")
    name = taken_up(row)
    for kind in ("post_fee", "refund", "record_capture", "wait", "nonsense", ""):
        with pytest.raises(RepairNotOffered):
            do(name, kind)
    with pytest.raises(ReasonMissing):
        repair_discrepancy(discrepancy=name, kind="suspense", actor=MAX, reason=" ")
    with pytest.raises(RepairNotFound):
        approve_repair(repair="rpr_x", actor=FAY)
    assert (Repair.objects.count(), balances()) == (0, {})
    do(name, "accept")
    with pytest.raises(DiscrepancyClosed):
        do(name, "suspense")
    assert balances() == {}


def test_nobody_closes_by_hand_what_lies_in_suspense() -> None:
    name = taken_up(missing_here(4_000))
    do(name, "suspense")
    with pytest.raises(RepairUnderWay):
        resolve(discrepancy=name, actor=MAX, reason="Let it be")
    assert state(name) == DiscrepancyState.INVESTIGATING


def test_the_line_is_read_from_the_archive() -> None:
    file = statement()
    told = [line_as_it_came(file, number) for number in (2, 99, 0)]
    assert told == ["`2026-11-19 12:00:00,`att_x,`100.00", "", ""]


def at_once(row: Discrepancy) -> list[str]:
    """Two people who press the same button."""

    def press(actor: str) -> str:
        try:
            return repair_discrepancy(
                discrepancy=row.public_id, kind="post_fee", actor=actor, reason="As billed"
            ).state
        except Refusal as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        return sorted(pool.map(press, [MAX, FAY]))


def unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both read the row before either writes it."""
    both, check = Barrier(2, timeout=PATIENCE), Discrepancy.must_be_under_investigation

    def read_together(row: Discrepancy) -> None:
        check(row)
        both.wait()

    monkeypatch.setattr(Discrepancy, "must_be_under_investigation", read_together)
    monkeypatch.setattr(DiscrepancyQuerySet, "locked", lambda rows: rows)


def test_two_people_repair_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    twice, once = (
        difference(K.FEE, ours=100, told=100, fee=60_000, told_fee=61_000, subject=name) for name in "ab"
    )
    for row in (twice, once):
        taken_up(row)
    with monkeypatch.context() as without:
        unguarded(without)
        assert at_once(twice) == ["DONE", "DONE"]
    assert balances() == {"channel_fees:wechat": 2, "receivable:wechat": -2}
    assert at_once(once) == ["DONE", "discrepancy_closed"]
    assert balances() == {"channel_fees:wechat": 3, "receivable:wechat": -3}


def findings() -> list[tuple[str, str]]:
    proofs = [found for name, _, found in invariants.check() if name.startswith("reconciliation.repair")]
    return [(one.check, one.subject) for found in proofs for one in found]


def test_a_repair_that_its_posting_does_not_bear_out_is_found() -> None:
    kept = do(difference(K.FEE, ours=100, told=100, fee=60_000, told_fee=61_000, subject="kept"), "post_fee")
    gone = do(difference(K.FEE, ours=100, told=100, fee=60_000, told_fee=62_000, subject="gone"), "post_fee")
    undo_repair(repair=gone.id, actor=FAY, reason="No")
    assert findings() == []
    for sql, wrong in (
        ("UPDATE reconciliation_repair SET amount = 7 WHERE state = 'DONE'", kept),
        ("UPDATE reconciliation_repair SET posting_key = 'dis_x' WHERE state = 'DONE'", kept),
        ("UPDATE reconciliation_repair SET state = 'DONE' WHERE state = 'UNDONE'", gone),
    ):
        tamper(sql)
        assert ("reconciliation.repairs_posted", wrong.id) in findings()
