"""Lists from a file: whole or not at all, once, fast, explained where an entry decides; and lists as a file."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from ledger.models import AuditEntry
from risk import invariants, naming, selectors
from risk.errors import InvalidListEntry, ListFileRefused
from risk.facts import CustomerFacts
from risk.models import ListEntry, ListImport
from risk.models.lists import key_of
from risk.services.add_list_entry import add_list_entry
from risk.services.assess import assess
from risk.services.confirm_list_change import confirm_list_change
from risk.services.end_list_entry import end_list_entry
from risk.services.import_list import Imported, import_list
from tests.risk.makers import facts
from tests.risk.test_review_pages import address, person

pytestmark = pytest.mark.django_db(transaction=True)

COLUMNS = ("list", "entity", "value", "reason", "source", "expires_on")


def file(*rows: Iterable[str], columns: Iterable[str] = COLUMNS) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([columns, *rows])
    return text.getvalue().encode()


def bring(content: bytes, **more: Any) -> Imported:
    """Taken, by two people where it takes two."""
    done = import_list(content=content, name="mules.csv", actor="user:1", **more)
    if not (done.waits and done.id):
        return done
    return replace(
        done, id=confirm_list_change(change=done.id, actor="user:9", reason="read it"), waits=False
    )


SANCTIONS = file(
    ("fatal", "email", " Eve@Example.com ", "OFAC 2026-05", "ofac", ""),
    ("black", "phone", "+86 138 0013 8000", "mule", "police", "2099-01-31"),
    ("black", "address", "CN|200120|Shanghai|88 Century Avenue", "mule address", "", ""),
    ("grey", "ip", "203.0.113.77", "seen with bots", "", ""),
    ("white", "card", "fp_1", "the founder's", "operator", ""),
)
# What one person may bring.
MULES = file(
    ("black", "email", " Eve@Example.com ", "stolen cards", "bank", ""),
    ("black", "phone", "+86 138 0013 8000", "mule", "police", "2099-01-31"),
    ("black", "address", "CN|200120|Shanghai|88 Century Avenue", "mule address", "", ""),
    ("grey", "ip", "203.0.113.77", "seen with bots", "", ""),
    ("black", "card", "fp_1", "stolen", "bank", ""),
)


def test_a_file_decides_from_the_next_question_on_and_nothing_overrules_fatal() -> None:
    done = bring(SANCTIONS)
    assert (done.added, done.renewed, done.unchanged) == (5, 0, 0)
    assert [one.kind for one in done.lists] == ["black", "fatal", "grey", "white"]
    kept = str(list(ListEntry.objects.values()))
    assert not [word for word in ("eve", "Eve", "13800138", "Century", "fp_1", "113.77") if word in kept]
    assert set(ListEntry.objects.values_list("label", flat=True)) == {"E•••@Example.com", "•••8000", ""}
    with transaction.atomic():
        assert assess(facts=facts()).action == "accept"  # the white card
        eve = CustomerFacts(reference="cus_eve", email_hash=naming.email_name("eve@example.com"))
        verdict = assess(facts=replace(facts(subject="pay_2"), customer=eve))
    assert (verdict.action, [one.code for one in verdict.reasons]) == ("reject", ["list_fatal"])
    (entry,) = AuditEntry.objects.filter(action="listentry.import")
    assert entry.after is not None and (entry.object_id, entry.after["digest"]) == (done.id, done.digest)
    assert entry.after["lists"]["black"] == [2, 0, 0]


def test_checkout_and_lists_mean_the_same_person() -> None:
    """What a list says of a person is what facts say, however both were written."""
    bring(SANCTIONS)
    keys = set(ListEntry.objects.values_list("entity_key", flat=True))
    door = naming.address_name(
        country="CN", postal_code="200 120", city="SHANGHAI", line1="88 Century avenue"
    )
    assert {
        key_of("email", naming.email_name("eve@example.com")),
        key_of("phone", naming.phone_name("138 0013 8000", "CN")),
        key_of("address", door),
    } < keys


def test_the_same_file_does_nothing_the_second_time() -> None:
    first = bring(SANCTIONS)
    entry = ListEntry.objects.get(kind="white")
    end_list_entry(entry=entry.public_id, actor="user:2", reason="left")
    again = bring(SANCTIONS)
    assert (again.id, again.lists, again.before) == (first.id, (), ListImport.objects.get().imported_at)
    assert ListEntry.objects.count() == 5 and ListEntry.objects.filter(ended_at=None).count() == 4
    assert AuditEntry.objects.filter(action="listentry.import").count() == 1


def test_a_file_that_two_bring_at_once_is_taken_once() -> None:
    """While somebody else puts one of its entries on the list by hand."""

    def work(what: Callable[[], object]) -> object:
        try:
            return what()
        except InvalidListEntry as refused:  # the file was quicker
            return refused
        finally:
            connections.close_all()

    by_hand = partial(add_list_entry, kind="black", entity="card", value="fp_1", reason="x", actor="user:2")
    with ThreadPoolExecutor(5) as pool:
        done = list(pool.map(work, [*[partial(bring, MULES)] * 4, by_hand]))
    taken = [one for one in done if isinstance(one, Imported) and not one.before]
    assert len(taken) == 1 == ListImport.objects.count()
    assert ListEntry.objects.filter(ended_at=None).count() == 5
    assert AuditEntry.objects.filter(action="listentry.import").count() == 1 and broken() == []


def test_what_is_there_with_other_words_is_renewed_and_the_rest_stays() -> None:
    bring(SANCTIONS)
    untouched = ListEntry.objects.get(kind="fatal")
    changed = SANCTIONS.replace(b"seen with bots", b"a bot for sure")
    done = bring(changed)
    assert (done.added, done.renewed, done.unchanged) == (0, 1, 4)
    old, new = ListEntry.objects.filter(kind="grey").order_by("created_at")
    assert old.ended_at is not None and (new.reason, new.ended_at) == ("a bot for sure", None)
    untouched.refresh_from_db()
    assert untouched.ended_at is None
    assert new.brought_by is not None and new.brought_by.public_id == done.id
    assert broken() == []
    new.delete()
    assert broken() == [("risk.imports_are_whole", done.id, "1 entries were taken, 0 are there")]


def broken() -> list[tuple[str, str, str]]:
    return [(one.check, one.subject, one.detail) for _, _, found in invariants.check() for one in found]


def test_a_dry_run_says_what_would_be_and_writes_nothing() -> None:
    add_list_entry(kind="grey", entity="ip", value="203.0.113.77", reason="old", actor="user:1")
    seen = bring(SANCTIONS, dry_run=True)
    assert (seen.id, seen.added, seen.renewed) == ("", 4, 1)
    assert ListEntry.objects.count() == 1 and not ListImport.objects.exists()
    with pytest.raises(ListFileRefused, match="another file"):
        bring(SANCTIONS + b"\n", checked=seen.digest)
    assert bring(SANCTIONS, checked=seen.digest).added == 4


MANY = 20_000

GOOD = ("black", "card", "fp_9", "stolen", "bank", "")


def but(**cells: str) -> bytes:
    return file(GOOD, [cells.get(name, value) for name, value in zip(COLUMNS, GOOD, strict=True)])


WRONG: dict[str, tuple[bytes, int, str, str]] = {
    "no list": (but(list="red"), 3, "list", "fatal, white, black, grey"),
    "no entity": (but(entity="moon"), 3, "entity", "customer, email"),
    "no value": (but(value=" "), 3, "value", "can be seen"),
    "no reason": (but(reason=""), 3, "reason", "is shown"),
    "the same twice": (but(), 3, "value", "in line 2 already"),
    "a card's number": (but(value="4242 4242 4242 4242"), 3, "value", "fingerprint"),
    "no e-mail": (but(entity="email", value="eve"), 3, "value", "name@example.com"),
    "a phone without country": (but(entity="phone", value="13800138000"), 3, "value", "+86"),
    "no door": (but(entity="address", value="Shanghai"), 3, "value", "country|postal code"),
    "no IP": (but(entity="ip", value="1.2.3"), 3, "value", "203.0.113.7"),
    "a wide network": (but(entity="network", value="10.0.0.0/8"), 3, "value", "/24"),
    "no customer": (but(entity="customer", value="anna"), 3, "value", "cus_"),
    "fatal without source": (but(list="fatal", value="fp_8", source=""), 3, "source", "who says so"),
    "no day": (but(value="fp_8", expires_on="31.1.2099"), 3, "expires_on", "2027-03-31"),
    "a past day": (but(value="fp_8", expires_on="2020-01-31"), 3, "expires_on", "past"),
    "unseen characters": (but(value="fp\u200b8"), 3, "value", "can be seen"),
    "a cell too many": (file(GOOD, [*GOOD, "x"]), 3, "", "7 cells"),
    "an open quote": (file(GOOD) + b'black,card,"fp', 3, "", "no CSV"),
    "another encoding": (file(GOOD) + "black,card,fp_8,盗".encode("gb18030"), 3, "", "UTF-8"),
    "a column missing": (file(columns=("list", "entity", "value")), 1, "", "lacks reason"),
    "an odd column": (file(columns=(*COLUMNS, "colour")), 1, "", "names colour"),
    "a column twice": (file(columns=(*COLUMNS, "list")), 1, "", "a column twice"),
    "no entries": (file(), 1, "", "no entries"),
    "nothing": (b"", 1, "", "lacks list"),
}


def test_a_file_with_anything_wrong_is_refused_whole() -> None:
    for name, (content, line, column, what) in WRONG.items():
        with pytest.raises(ListFileRefused) as refused:
            bring(content)
        (problem,) = refused.value.context["problems"]
        assert (problem["line"], problem["column"]) == (line, column) and what in problem["what"], name
        assert f"line {line}" in str(refused.value), name
    assert not ListEntry.objects.exists() and not ListImport.objects.exists()


def test_labels_are_masked_or_refused() -> None:
    columns = (*COLUMNS, "label")
    with pytest.raises(ListFileRefused, match="mask it"):
        bring(file((*GOOD, "eve@example.com"), columns=columns))
    bring(file((*GOOD, "visa •••• 4242"), columns=columns))
    assert ListEntry.objects.get().label == "visa •••• 4242"


def test_every_wrong_line_is_counted_and_the_first_are_told() -> None:
    with pytest.raises(ListFileRefused, match="50 lines are wrong") as refused:
        bring(file(*[("black", "card", "fp", "", "", "")] * 50))
    assert len(refused.value.context["problems"]) == 20


def test_many_entries_take_few_statements() -> None:
    rows = [("black", "card", f"fp_{number}", "leaked", "bank", "") for number in range(MANY)]
    content = file(*rows)
    with CaptureQueriesContext(connection) as statements:
        began = perf_counter()
        done = bring(content)
        took = perf_counter() - began
    assert done.added == MANY == ListEntry.objects.count() and len(statements) < 20
    assert took < MANY / 1000, took  # a tenth of that where nobody else works
    with transaction.atomic():
        assert assess(facts=facts()).action == "reject"  # fp_1


def test_the_command_says_what_it_did_or_what_is_wrong(tmp_path: Path, capsys: Any) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_bytes(MULES)
    bad.write_bytes(but(list="red"))
    person("max", "risk.add_listentry")
    by = ("--by", "max")
    call_command("import_list", str(good), "--dry-run")
    assert json.loads(capsys.readouterr().out)["added"] == 5 and not ListEntry.objects.exists()
    call_command("import_list", str(good), *by)
    assert json.loads(capsys.readouterr().out)["import"].startswith("lim_")
    call_command("import_list", str(good), *by)
    assert json.loads(capsys.readouterr().out)["imported_before"]
    with pytest.raises(CommandError, match="line 3, list"):
        call_command("import_list", str(bad), *by)
    assert json.loads(capsys.readouterr().out)["problems"][0]["line"] == 3
    with pytest.raises(CommandError, match="can not be read"):
        call_command("import_list", str(tmp_path / "none.csv"), *by)


def upload(client: Client, content: bytes, **given: str) -> Any:
    brought = SimpleUploadedFile("mules.csv", content, "text/csv")
    return client.post(reverse("risk-import-list"), {"file": brought, **given}, follow=True)


def test_a_person_checks_a_file_and_imports_the_very_same() -> None:
    manager = person("max", "risk.view_listentry", "risk.add_listentry")
    assert "Import a file" in manager.get("/console/risk/listentry/").content.decode()
    refused = upload(manager, but(list="red"), do="check")
    assert refused.status_code == 422 and "line 3" in refused.content.decode()
    assert "because of one line" in refused.content.decode()
    checked = upload(manager, MULES, do="check")
    assert "Nothing has been written yet" in checked.content.decode() and not ListEntry.objects.exists()
    digest = checked.context["done"].digest
    other = upload(manager, but(value="fp_8"), do="import", checked=digest)
    assert "another file" in other.content.decode() and not ListEntry.objects.exists()
    done = upload(manager, MULES, do="import", checked=digest)
    assert "5 added" in done.content.decode() and ListEntry.objects.count() == 5
    assert "taken on" in upload(manager, MULES, do="check").content.decode()
    assert manager.post(reverse("risk-import-list"), {"do": "check"}).status_code == 422
    reader = person("ana", "risk.view_listentry")
    assert reader.get(reverse("risk-import-list")).status_code == 403
    assert upload(reader, MULES).status_code == 403
    assert "Import a file" not in reader.get("/console/risk/listentry/").content.decode()


def test_a_case_says_which_entry_was_met() -> None:
    bring(
        file(
            ("grey", "device", "dev_1", "farm", "desk 7", "2099-01-31"),
            ("grey", "card", "fp_x", "other", "bank", ""),
        )
    )
    with transaction.atomic():
        case = assess(facts=facts(100_000, to="US")).case
    (hit,) = selectors.hits_of(selectors.case_of(case).decision.id)
    assert (hit.kind, hit.entity, hit.reason, hit.source) == ("grey", "device", "farm", "desk 7")
    assert hit.expires_at is not None and hit.expires_at > timezone.now() + timedelta(days=1)
    page = person("max", "risk.view_riskcase").get(address(case)).content.decode()
    assert "On our lists" in page and "farm" in page and "desk 7" in page and hit.id in page


def test_the_export_is_safe_to_open_and_noted() -> None:
    bring(
        file(
            ("black", "card", "fp_1", "=cmd|' /C calc'!A1", "@bank", ""), ("grey", "sku", "tea", "x", "", "")
        )
    )
    ended = ListEntry.objects.get(kind="grey")
    end_list_entry(entry=ended.public_id, actor="user:1", reason="over")
    answer = person("ana", "risk.view_listentry").get(reverse("risk-export-list"))
    text = b"".join(answer).decode("utf-8-sig")
    head, row = csv.reader(io.StringIO(text))
    assert head[0] == "list" and row[3:5] == ["'=cmd|' /C calc'!A1", "'@bank"] and len(row) == len(head)
    assert AuditEntry.objects.filter(action="listentry.export").count() == 1
    assert person("sam").get(reverse("risk-export-list")).status_code == 403
