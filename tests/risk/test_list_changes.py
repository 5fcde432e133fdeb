"""The strongest lists by two people: proposed, unseen by decisions, confirmed by another, once; in the database too."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, connections, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ledger.errors import Refusal
from ledger.models import AuditEntry
from risk import invariants
from risk.errors import InvalidListEntry, ListChangeNotWaiting, ListFileRefused, SecondPersonNeeded
from risk.models import ListChange, ListEntry, ListImport, ProposedEntry
from risk.models.lists import key_of
from risk.services.add_list_entry import add_list_entry
from risk.services.assess import assess
from risk.services.confirm_list_change import confirm_list_change
from risk.services.end_list_entry import end_list_entry
from risk.services.import_list import import_list
from risk.services.list_entity import list_entity
from risk.services.reject_list_change import reject_list_change
from tests.patience import PATIENCE
from tests.risk.makers import facts, listed
from tests.risk.test_list_import import SANCTIONS, file, upload
from tests.risk.test_review_pages import person, said

pytestmark = pytest.mark.django_db(transaction=True)

ANNA: dict[str, Any] = {"entity": "customer", "value": "cus_anna", "reason": "the sanctions list of 2026-05"}
FORM = {**ANNA, "label": "Anna", "expires_at_0": "", "expires_at_1": ""}
RIGHTS = ("risk.view_listentry", "risk.add_listentry", "risk.view_listchange", "risk.confirm_listchange")
ADD = "/console/risk/listentry/add/"


def action() -> str:
    with transaction.atomic():
        return assess(facts=facts()).action


def everything() -> tuple[Any, ...]:
    tables = (ListEntry, ListChange, ProposedEntry, ListImport)
    return tuple(list(model.objects.order_by("pk").values()) for model in tables)


def decide(client: Client, change: ListChange, do: str, reason: str = "looked at it") -> Any:
    where = reverse("risk-list-change", args=[change.public_id])
    return client.post(where, {"do": do, "reason": reason}, follow=True)


@pytest.mark.parametrize(("kind", "then"), [("fatal", "reject"), ("white", "accept")])
def test_an_entry_counts_once_a_second_person_has_confirmed_it(kind: str, then: str) -> None:
    before = "accept"
    if kind == "white":
        listed(kind="black", entity="card", value="fp_1", reason="stolen", actor="user:1")
        before = "reject"
    max_, mia = person("max", *RIGHTS), person("mia", *RIGHTS)
    assert "waits for a second person" in said(max_.post(ADD, {**FORM, "kind": kind}, follow=True))
    change = ListChange.objects.get()
    assert action() == before and not ListEntry.objects.filter(kind=kind).exists()

    page = reverse("risk-list-change", args=[change.public_id])
    mine, hers = max_.get(page).text, mia.get(page).text
    assert 'data-testid="confirm"' not in mine and "You proposed this yourself" in mine
    assert 'data-testid="confirm"' in hers and ANNA["reason"] in hers and "cus_anna" not in hers
    seen = everything()
    assert "You proposed this yourself" in said(decide(max_, change, "confirm"))
    assert "Say why" in said(decide(mia, change, "confirm", " "))
    reader = person("rita", "risk.view_listchange", "risk.add_listentry")
    assert (
        decide(reader, change, "confirm").status_code == decide(reader, change, "reject").status_code == 403
    )
    assert everything() == seen and action() == before

    assert "counts from the next question on" in said(decide(mia, change, "confirm"))
    assert action() == then
    entry = ListEntry.objects.get(kind=kind)
    assert (entry.created_by, entry.confirmed_by) == (
        change.proposed_by,
        f"user:{User.objects.get(username='mia').pk}",
    )
    seen = everything()
    assert "Somebody decided meanwhile" in said(decide(mia, change, "reject"))
    assert everything() == seen
    kept = AuditEntry.objects.filter(object_id=change.public_id).order_by("pk")
    assert {(one.action, one.actor) for one in kept} == {
        ("listchange.propose", change.proposed_by),
        ("listchange.state", change.proposed_by),
        ("listchange.state", entry.confirmed_by),
    }
    assert {one.reason for one in kept if one.actor == entry.confirmed_by} == {"looked at it"}
    assert broken() == []


def broken() -> list[str]:
    return [one.detail for _, _, found in invariants.check() for one in found]


def test_what_is_rejected_or_taken_back_changes_no_list() -> None:
    max_, mia = person("max", *RIGHTS), person("mia", *RIGHTS)
    max_.post(ADD, {**FORM, "kind": "fatal"})
    again = max_.post(ADD, {**FORM, "kind": "fatal"})
    assert "waits for a second person already" in str(again.context["errors"])
    assert "Rejected" in said(decide(mia, ListChange.objects.get(), "reject"))
    max_.post(ADD, {**FORM, "kind": "fatal"})
    mine = ListChange.objects.waiting().get()
    assert "Rejected" in said(decide(max_, mine, "reject", "a slip"))
    assert not ListEntry.objects.exists() and action() == "accept"
    shown = mia.get(reverse("risk-list-changes")).text
    assert "a slip" in shown and "Nothing waits for a second person." in shown
    assert person("eve").get(reverse("risk-list-changes")).status_code == 403


def test_to_end_trust_takes_one_and_to_end_a_sanction_two() -> None:
    white = listed(kind="white", **{**ANNA, "value": "cus_bert"}, actor="user:1")
    fatal = listed(kind="fatal", **ANNA, actor="user:1")
    assert end_list_entry(entry=white, actor="user:1", reason="over") == ""
    max_, mia = person("max", *RIGHTS), person("mia", *RIGHTS)
    chosen = {"action": "end", "_selected_action": [str(ListEntry.objects.get(kind="fatal").pk)]}
    assert "once a second person has confirmed it" in said(
        max_.post("/console/risk/listentry/", chosen, follow=True)
    )
    change = ListChange.objects.waiting().get()
    with pytest.raises(ListChangeNotWaiting, match="already"):
        end_list_entry(entry=fatal, actor="user:5", reason="over")
    assert action() == "reject" and "You proposed this" in said(decide(max_, change, "confirm"))
    assert action() == "reject"
    decide(mia, change, "confirm")
    assert action() == "accept" and not ListEntry.objects.filter(ended_at=None).exists() and broken() == []


def test_a_file_waits_as_one_and_is_taken_as_one() -> None:
    max_, mia = person("max", *RIGHTS), person("mia", *RIGHTS)
    checked = upload(max_, SANCTIONS, do="check")
    assert 'data-testid="by-two"' in checked.text
    proposed = upload(max_, SANCTIONS, do="import", checked=checked.context["done"].digest)
    assert (
        proposed.text.count('data-testid="entry"') == 5 and "the whole file waits" in said(proposed).lower()
    )
    assert not ListEntry.objects.exists() and not ListImport.objects.exists() and action() == "accept"
    with pytest.raises(ListFileRefused, match="waits for a second person already"):
        import_list(content=SANCTIONS, name="again", actor="user:1")
    decide(mia, ListChange.objects.get(), "confirm")
    assert ListEntry.objects.count() == 5 and ListImport.objects.get().added == 5 and broken() == []
    # Only what changes the strongest lists needs two: the same file with another grey word does not.
    changed = import_list(content=SANCTIONS.replace(b"seen with bots", b"a bot"), name="x", actor="user:1")
    assert not changed.waits and changed.renewed == 1
    weaker = SANCTIONS.replace(b"OFAC 2026-05,ofac,", b"OFAC 2026-05,ofac,2099-01-01")
    assert import_list(content=weaker, name="x", actor="user:1").waits


def test_a_reviewer_proposes_from_a_case_too() -> None:
    with transaction.atomic():
        decision = assess(facts=facts()).decision
    name = list_entity(decision=decision, entity="card", kind="fatal", reason="stolen", actor="user:1")
    assert name.startswith("lch_") and action() == "accept"
    with pytest.raises(SecondPersonNeeded):
        confirm_list_change(change=name, actor="user:1", reason="sure")
    confirm_list_change(change=name, actor="user:2", reason="sure")
    assert action() == "reject"


def test_what_has_changed_meanwhile_is_refused_and_goes_on_waiting() -> None:
    name = add_list_entry(
        kind="white", **ANNA, actor="user:1", expires_at=timezone.now() + timedelta(hours=1)
    )
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE risk_proposedentry DISABLE TRIGGER USER")
        cursor.execute("UPDATE risk_proposedentry SET expires_at = now() - interval '1 hour'")
        cursor.execute("ALTER TABLE risk_proposedentry ENABLE TRIGGER USER")
    seen = everything()
    with pytest.raises(InvalidListEntry, match="in the past"):
        confirm_list_change(change=name, actor="user:2", reason="sure")
    assert everything() == seen
    reject_list_change(change=name, actor="user:2", reason="too late")


def race(change: str, actors: list[str]) -> list[Any]:
    """All of them confirm at once."""
    start = threading.Barrier(len(actors))

    def confirm(actor: str) -> Any:
        start.wait()
        try:
            return confirm_list_change(change=change, actor=actor, reason="I looked")
        except Refusal as refusal:
            return refusal
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(actors)) as pool:
        return list(pool.map(confirm, actors))


def test_of_two_who_confirm_at_once_one_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    name = add_list_entry(kind="fatal", **ANNA, actor="user:1")
    done = race(name, ["user:2", "user:3"])
    assert [type(one) for one in done if not isinstance(one, str)] == [ListChangeNotWaiting]
    assert ListEntry.objects.count() == 1
    assert AuditEntry.objects.filter(action="listentry.add").count() == 1
    # Without the lock both find it waiting: only the table's own constraint is left to refuse the second entry.
    other = add_list_entry(kind="fatal", **{**ANNA, "value": "cus_bert"}, actor="user:1")
    monkeypatch.setattr("risk.models.list_changes.ListChangeQuerySet.locked", lambda self: self)
    both = threading.Barrier(2, timeout=PATIENCE)
    seen_waiting = "risk.services.confirm_list_change._require_second_person"
    monkeypatch.setattr(seen_waiting, lambda row, actor: both.wait())
    done = race(other, ["user:2", "user:3"])
    assert sorted(type(one).__name__ for one in done) == ["InvalidListEntry", "str"]


def test_the_database_refuses_what_one_person_does_alone() -> None:
    alone = {"entity": "card", "entity_key": key_of("card", "fp_1"), "reason": "x", "created_by": "user:1"}
    for kind, second in (("fatal", ""), ("white", "user:1"), ("white", "")):
        with pytest.raises(IntegrityError, match="risk_list_entry_by_two"), transaction.atomic():
            ListEntry.objects.create(kind=kind, confirmed_by=second, **alone)
    ListEntry.objects.create(kind="black", **alone)
    name = add_list_entry(kind="fatal", **ANNA, actor="user:1")
    row = ListChange.objects.named(name).get()
    row.confirm(actor="user:1", reason="alone", at=timezone.now())
    with pytest.raises(IntegrityError, match="risk_list_change_by_two"), transaction.atomic():
        row.store()
    with pytest.raises(Exception, match="Cannot update"), transaction.atomic():
        ProposedEntry.objects.update(reason="another")


def test_who_has_the_shell_is_one_person_like_everybody(tmp_path: Path, capsys: Any) -> None:
    max_, mia = person("max", *RIGHTS), person("mia", *RIGHTS)
    person("rita", "risk.view_listentry")
    person("left", *RIGHTS)
    User.objects.filter(username="left").update(is_active=False)
    User.objects.create_user("customer", is_superuser=True)
    path = tmp_path / "sanctions.csv"
    path.write_bytes(SANCTIONS)
    form = max_.get(ADD).text
    assert '<option value="grey" selected>' in form and "waits for a second person" in form
    seen = everything()
    for who in ("", "nobody", "rita", "left", "customer"):
        with pytest.raises(CommandError, match="--by USER" if not who else "may not put entries on lists"):
            call_command("import_list", str(path), *(["--by", who] if who else []))
    assert everything() == seen

    call_command("import_list", str(path), "--by", "max")
    told = json.loads(capsys.readouterr().out)
    change = ListChange.objects.get()
    assert (told["waits_for_a_second_person"], told["import"]) == (True, change.public_id)
    assert change.proposed_by == f"user:{User.objects.get(username='max').pk}"
    seen = everything()
    assert "You proposed this yourself" in said(decide(max_, change, "confirm"))
    with pytest.raises(CommandError, match="waits for a second person already"):
        call_command("import_list", str(path), "--by", "mia")
    assert everything() == seen and not ListEntry.objects.exists()
    assert (
        "sanctions.csv, by import_list" in mia.get(reverse("risk-list-change", args=[change.public_id])).text
    )
    decide(mia, change, "confirm")
    assert ListEntry.objects.exists() and broken() == []


def test_what_no_person_proposed_nobody_confirms() -> None:
    name = import_list(content=SANCTIONS, name="sanctions.csv", actor="command:import_list").id
    seen, mia = everything(), person("mia", *RIGHTS)
    page = mia.get(reverse("risk-list-change", args=[name])).text
    assert "No person is known to have proposed this" in page
    assert 'data-testid="confirm"' not in page and 'data-testid="reject"' in page
    assert "No person is known to have proposed this" in said(
        decide(mia, ListChange.objects.get(), "confirm")
    )
    assert everything() == seen
    decide(person("max", *RIGHTS), ListChange.objects.get(), "reject", "by whom?")
    assert ListChange.objects.get().state == "REJECTED" and not ListEntry.objects.exists()


def test_a_file_of_the_weaker_lists_needs_nobody_else() -> None:
    done = import_list(
        content=file(("black", "card", "fp_1", "stolen", "bank", "")), name="x", actor="user:1"
    )
    assert not done.waits and action() == "reject"
