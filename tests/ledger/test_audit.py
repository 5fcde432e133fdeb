"""Who did what, and the chain that makes a later change show."""

from collections.abc import Iterator
from threading import Event, Thread, Timer
from typing import Any

import pytest
from django.db import connection, models, transaction

from ledger import audit, invariants, selectors
from ledger.facts import AuditView
from ledger.identifiers import encode, new_key
from ledger.models import AuditEntry, AuditSeal
from ledger.services import seal_audit as sealer
from ledger.services.seal_audit import seal_audit
from tests.ledger.books import tamper
from tests.patience import PATIENCE

committing = pytest.mark.django_db(transaction=True)
pytestmark = pytest.mark.usefixtures("empty_audit_journal")


def _done(object_id: str = "pay_1", **what: Any) -> None:
    with transaction.atomic():
        audit.record(action="test.done", object_id=object_id, **what)


@committing
def test_an_entry_says_who_what_and_why() -> None:
    with transaction.atomic():
        audit.attribute(actor="user:7", reason="customer called", request_id="req-1")
        audit.record(action="order.cancel", object_id="ord_1", before={"lines": 2}, after="gone")
        audit.record(action="order.note", object_id="ord_1", reason="a better reason")
    first, second = selectors.audit_trail("ord_1")
    assert first == AuditView(
        happened_at=first.happened_at,
        actor="user:7",
        action="order.cancel",
        object_id="ord_1",
        before={"lines": 2},
        after="gone",
        reason="customer called",
        request_id="req-1",
        network="",
        sealed=False,
    )
    assert (second.reason, second.before, second.actor) == ("a better reason", None, "user:7")


@committing
def test_attribution_ends_with_its_transaction() -> None:
    with transaction.atomic():
        audit.attribute(actor="user:7", reason="mine", request_id="req-1")
    _done()
    (entry,) = selectors.audit_trail("pay_1")
    assert (entry.actor, entry.reason, entry.request_id) == ("system", "", "")


@committing
def test_the_request_in_progress_is_known() -> None:
    token = audit.current_request_id.set("req-9")
    try:
        with transaction.atomic():
            audit.attribute(actor="customer")
            _done()
    finally:
        audit.current_request_id.reset(token)
    assert selectors.audit_trail("pay_1")[0].request_id == "req-9"


@committing
@pytest.mark.parametrize("actor", ["", "Li Wei", "li@example.com", "x" * 81, "李"])
def test_an_actor_is_a_reference_and_no_name_or_address(actor: str) -> None:
    with pytest.raises(audit.ActorIsNotAReference), transaction.atomic():
        audit.attribute(actor=actor)


@committing
def test_both_need_an_open_transaction() -> None:
    with pytest.raises(AssertionError):
        audit.attribute(actor="system")
    with pytest.raises(AssertionError):
        audit.record(action="test.done", object_id="pay_1")


@pytest.fixture
def lamp() -> Iterator[type[models.Model]]:
    """A model with a state and its trigger, in a table of its own for one test."""

    class Lamp(models.Model):
        id = models.UUIDField(primary_key=True, default=new_key)
        state = models.CharField(max_length=10)
        colour = models.CharField(max_length=10, default="")

        class Meta:
            app_label = "tests"

        def __str__(self) -> str:
            return self.state

    trigger = audit.StateAudit("lamp")
    with connection.cursor() as cursor:
        with connection.schema_editor() as editor:
            editor.create_model(Lamp)
        cursor.execute(trigger.compile(Lamp()).install_sql)
    yield Lamp
    with connection.schema_editor() as editor:
        editor.delete_model(Lamp)


@committing
def test_every_change_of_state_is_on_record_however_it_is_made(lamp: Any) -> None:
    on = lamp.objects.create(state="ON")
    with transaction.atomic():
        audit.attribute(actor="user:7", reason="bedtime")
        lamp.objects.update(state="OFF")
    on.colour = "red"
    on.save(update_fields=["colour"])
    lamp.objects.update(state="OFF")  # no change
    trail = selectors.audit_trail(encode("lamp", on.id))
    assert [(row.actor, row.action, row.before, row.after, row.reason) for row in trail] == [
        ("system", "lamp.state", None, "ON", ""),
        ("user:7", "lamp.state", "ON", "OFF", "bedtime"),
    ]


@committing
def test_the_sealer_chains_every_entry_once() -> None:
    for number in range(5):
        _done(f"pay_{number}")
    assert seal_audit(at_most=3).sealed == 3
    head = seal_audit()
    assert (head.sequence, head.sealed) == (5, 2)
    assert seal_audit() == type(head)(sequence=5, hash=head.hash, sealed=0)
    assert selectors.audit_trail("pay_4")[0].sealed
    assert _broken() == []


@committing
def test_an_entry_whose_transaction_is_still_open_is_waited_for() -> None:
    """It has the lower number and commits last: it must come first in the chain, not never."""
    written, finish = Event(), Event()

    def slow() -> None:
        with transaction.atomic():
            _done("slow")
            written.set()
            finish.wait(PATIENCE)
        connection.close()

    thread = Thread(target=slow)
    thread.start()
    assert written.wait(PATIENCE)
    _done("quick")
    timer = Timer(0.15, finish.set)
    timer.start()
    assert seal_audit().sealed == 2
    thread.join(PATIENCE)
    timer.join(PATIENCE)
    order = AuditSeal.objects.order_by("sequence").values_list("entry__object_id", flat=True)
    assert list(order) == ["slow", "quick"]


@committing
def test_a_second_sealer_leaves_the_work_to_the_first() -> None:
    _done()
    holding, finish = Event(), Event()

    def first() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [sealer._SEALER_LOCK])
            holding.set()
            finish.wait(PATIENCE)
        connection.close()

    thread = Thread(target=first)
    thread.start()
    assert holding.wait(PATIENCE)
    assert seal_audit().sealed == 0
    finish.set()
    thread.join(PATIENCE)
    assert seal_audit().sealed == 1


def _broken() -> list[invariants.Finding]:
    return [finding for _, _, findings in invariants.check() for finding in findings]


_TAMPERINGS = [
    ("UPDATE ledger_auditentry SET actor = 'user:1' WHERE object_id = 'pay_2'", "seal 3 "),
    ("UPDATE ledger_auditentry SET after = '2' WHERE object_id = 'pay_1'", "seal 2 "),
    ("UPDATE ledger_auditentry SET happened_at = now() WHERE object_id = 'pay_0'", "seal 1 "),
    ("UPDATE ledger_auditseal SET hash = repeat('0', 64) WHERE sequence = 2", "seal 2 "),
    ("UPDATE ledger_auditseal SET previous_hash = repeat('1', 64) WHERE sequence = 4", "seal 4 "),
    ("DELETE FROM ledger_auditseal WHERE sequence = 3", "seal 3"),
    ("DELETE FROM ledger_auditentry WHERE object_id = 'pay_3'", "seal 4"),
    ("UPDATE ledger_auditseal SET entry_id = -entry_id; UPDATE ledger_auditentry SET id = -id", "seal 1 "),
]


@committing
@pytest.mark.parametrize(("sql", "subject"), _TAMPERINGS)
def test_an_edit_with_the_guards_off_is_found_and_the_first_broken_link_named(sql: str, subject: str) -> None:
    for number in range(5):
        _done(f"pay_{number}", after=number)
    seal_audit()
    assert _broken() == []
    tamper(sql)
    first = _broken()[0]
    assert first.check == "audit.chain" and first.subject.startswith(subject)


@committing
def test_whoever_does_not_know_the_key_cannot_forge_the_chain(settings: Any) -> None:
    _done()
    settings.AUDIT_HMAC_KEY = "guessed" * 8
    seal_audit()
    assert _broken() == []
    settings.AUDIT_HMAC_KEY = "the real one" * 8
    assert [finding.check for finding in _broken()] == ["audit.chain"]


@committing
def test_an_entry_that_the_sealer_passed_over_is_found() -> None:
    _done()
    seal_audit()
    tamper(
        "INSERT INTO ledger_auditentry (id, actor, action, object_id, reason, request_id)"
        " VALUES (-1, 'system', 'slipped.in', 'pay_1', '', '')"
    )
    (finding,) = _broken()
    assert (finding.check, finding.subject) == ("audit.sealed", "audit entry -1")
    assert AuditEntry.objects.count() == 2
