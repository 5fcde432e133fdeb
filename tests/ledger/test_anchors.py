"""The chain against what was told outside the database: whoever holds the key still cannot write it anew unseen."""

import hashlib
import hmac
import json
import stat
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction

from ledger import anchors, audit, invariants, tasks
from ledger.models import AuditEntry, AuditSeal
from ledger.services.anchor_audit import anchor_audit
from ledger.services.seal_audit import seal_audit
from tests.ledger.books import tamper

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty_audit_journal")]

FILE = "audit-anchors.jsonl"
MONDAY = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.AUDIT_ANCHOR_DIR = str(tmp_path / "outside")
    return tmp_path / "outside"


@pytest.fixture
def days(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six entries, sealed and anchored two a day on three days."""
    for day in range(3):
        _done(2)
        seal_audit()
        _anchor(monkeypatch, MONDAY + timedelta(days=day))


def _done(times: int = 1) -> None:
    for _ in range(times):
        with transaction.atomic():
            audit.record(action="test.done", object_id=f"pay_{AuditEntry.objects.count()}", after=1)


def _anchor(monkeypatch: pytest.MonkeyPatch, at: datetime) -> Any:
    with monkeypatch.context() as patched:
        patched.setattr("django.utils.timezone.now", lambda: at)
        return anchor_audit()


def _verify(*arguments: str) -> tuple[int, dict[str, Any]]:
    """(exit code, what it says)"""
    out, code = StringIO(), 0
    try:
        call_command("verify_audit", "--json", *arguments, stdout=out)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, json.loads(out.getvalue())


def _first_broken() -> tuple[str, str]:
    code, told = _verify()
    assert code == 1 and not told["ok"]
    assert [f for _, _, found in invariants.check() for f in found], "it is part of `verify`, too"
    return told["broken"][0]["subject"], told["broken"][0]["detail"]


def test_a_sound_chain_says_how_far_it_is_sealed_and_anchored(days: None, folder: Path) -> None:
    _done()
    code, told = _verify("--anchors", str(folder))
    assert (code, told["ok"], told["broken"]) == (0, True, [])
    assert told["checked"] == {"audit.chain": 6, "audit.sealed": 7, "audit.anchors": 3}
    chain = told["chain"]
    assert (chain["sealed"], chain["unsealed"], chain["anchored"]) == (6, 1, 6)
    out = StringIO()
    call_command("verify_audit", stdout=out)
    assert "Sealed through seal 6" in out.getvalue() and "Anchored through seal 6" in out.getvalue()
    assert chain["hash"] in out.getvalue()


def test_without_anchors_it_says_so(folder: Path) -> None:
    _done()
    seal_audit()
    out = StringIO()
    call_command("verify_audit", stdout=out)
    assert "A rewrite of the whole chain would not show." in out.getvalue()
    code, told = _verify("--anchors", str(folder))
    assert (code, told["broken"][0]["subject"]) == (1, "anchors"), "whoever names the folder expects some"


def test_a_day_has_one_anchor_on_the_disk_and_in_the_log(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert _anchor(monkeypatch, MONDAY) is None, "nothing is sealed yet"
    _done()
    seal_audit()
    with caplog.at_level("INFO"):
        tasks.anchor_audit()
        tasks.anchor_audit()
    line = (folder / FILE).read_text()
    assert line.count("\n") == 1 and json.loads(line)["sequence"] == 1
    assert line.strip() in caplog.text
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600
    anchor = anchors.last(folder)
    assert anchor and (anchor.hash, anchor.sequence) == (AuditSeal.objects.get().hash, 1)


def test_a_chain_that_was_cut_at_its_end_is_found(days: None) -> None:
    tamper("DELETE FROM ledger_auditseal WHERE sequence > 5")
    tamper("DELETE FROM ledger_auditentry WHERE id NOT IN (SELECT entry_id FROM ledger_auditseal)")
    subject, detail = _first_broken()
    assert subject == "anchor of 2026-11-04 (line 3)" and "does not have: it was cut" in detail


def test_a_chain_that_was_written_anew_with_the_right_key_is_found(days: None) -> None:
    tamper(
        "DELETE FROM ledger_auditseal;"
        " UPDATE ledger_auditentry SET actor = 'user:9' WHERE id = (SELECT max(id) - 2 FROM ledger_auditentry)"
    )
    assert seal_audit().sealed == 6
    subject, detail = _first_broken()
    # The fourth entry was bent: what was told on the first day still holds.
    assert subject == "anchor of 2026-11-03 (line 2)" and detail.endswith("it was rewritten")


@pytest.mark.parametrize(
    ("bend", "subject"),
    [
        (lambda lines: [lines[0], lines[2]], "anchor of 2026-11-04 (line 2)"),
        (lambda lines: lines[1:], "anchor of 2026-11-03 (line 1)"),
        (
            lambda lines: [lines[0].replace('"sequence":2', '"sequence":4'), *lines[1:]],
            "anchor of 2026-11-02",
        ),
        (lambda lines: [*lines[:2], lines[2][:50]], "anchor (line 3)"),
        (lambda lines: [*lines, "[]"], "anchor (line 4)"),
    ],
)
def test_anchors_that_were_bent_are_found(days: None, folder: Path, bend: Any, subject: str) -> None:
    lines = (folder / FILE).read_text().splitlines()
    (folder / FILE).write_text("\n".join(bend(lines)) + "\n")
    assert _first_broken()[0].startswith(subject)


def test_an_anchor_that_somebody_else_signed_is_found(
    days: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, settings.AUDIT_HMAC_KEY = settings.AUDIT_HMAC_KEY, "guessed" * 8
    _anchor(monkeypatch, MONDAY + timedelta(days=9))
    settings.AUDIT_HMAC_KEY = ours
    assert _first_broken() == (
        "anchor of 2026-11-11 (line 4)",
        "is not what was written: changed, cut, or signed under a key that is not known",
    )


class TestAnotherKey:
    """The key is exchanged: what was sealed under the old one stays provable for as long as that one is kept."""

    def test_the_old_key_still_verifies(self, days: None, settings: Any) -> None:
        settings.AUDIT_HMAC_OLD_KEYS = [settings.AUDIT_HMAC_KEY]
        settings.AUDIT_HMAC_KEY = "the next one" * 4
        _done()
        seal_audit()
        anchor_audit()
        assert len(set(AuditSeal.objects.values_list("key", flat=True))) == 2
        assert _verify()[0] == 0

    def test_without_it_the_seal_names_the_key_that_is_missing(self, days: None, settings: Any) -> None:
        name = AuditSeal.objects.get(sequence=1).key
        settings.AUDIT_HMAC_KEY = "the next one" * 4
        subject, detail = _first_broken()
        assert subject.startswith("seal 1 ") and f"under key {name}, which is not among" in detail

    def test_a_seal_cannot_be_moved_to_another_key_or_form(self, days: None, settings: Any) -> None:
        settings.AUDIT_HMAC_OLD_KEYS = ["an old one" * 4]
        assert _verify()[0] == 0
        tamper("UPDATE ledger_auditseal SET form = 1, key = '' WHERE sequence = 4")
        assert _first_broken()[0].startswith("seal 4 ")


class TestSealedBefore:
    """Rows of the first form: no network, and a seal that names no key."""

    @pytest.fixture(autouse=True)
    def first_form(self, empty_audit_journal: None) -> None:
        _done(2)
        last = None
        for entry in AuditEntry.objects.order_by("id"):
            seal = AuditSeal.after(last, entry)
            seal.form, seal.key = 1, ""
            seal.hash = _first_digest(seal)
            seal.save(force_insert=True)
            last = seal

    def test_they_still_verify_and_new_ones_follow(self, settings: Any) -> None:
        settings.AUDIT_HMAC_OLD_KEYS = [settings.AUDIT_HMAC_KEY]
        settings.AUDIT_HMAC_KEY = "the next one" * 4
        _done()
        seal_audit()
        assert list(AuditSeal.objects.order_by("pk").values_list("form", flat=True)) == [1, 1, 2]
        assert _verify()[0] == 0

    def test_a_network_put_there_since_is_found(self) -> None:
        tamper(
            "UPDATE ledger_auditentry SET network = '192.0.2.0/24' WHERE id = (SELECT max(id) FROM ledger_auditentry)"
        )
        assert _first_broken()[0].startswith("seal 2 ")


def _first_digest(seal: AuditSeal) -> str:
    """As the first release wrote it."""
    row = seal.entry
    columns = [
        row.pk,
        row.happened_at.astimezone(UTC).isoformat(),
        row.actor,
        row.action,
        row.object_id,
        row.before,
        row.after,
        row.reason,
        row.request_id,
    ]
    text = json.dumps(columns, sort_keys=True, separators=(",", ":"))
    text = f"{seal.sequence}\n{seal.previous_hash}\n{text}"
    return hmac.new(configured.AUDIT_HMAC_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def test_an_edit_with_the_triggers_off_is_found_and_its_row_named(days: None) -> None:
    bent = AuditEntry.objects.order_by("id")[2].pk
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE ledger_auditentry DISABLE TRIGGER USER")
        cursor.execute("UPDATE ledger_auditentry SET reason = 'nothing to see' WHERE id = %s", [bent])
        cursor.execute("ALTER TABLE ledger_auditentry ENABLE TRIGGER USER")
    subject, detail = _first_broken()
    assert subject == f"seal 3 (audit entry {bent})" and "was changed" in detail


def test_an_unreachable_database_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(folder: Path) -> Any:
        raise OperationalError("connection refused\nmore")

    monkeypatch.setattr("ledger.management.commands.verify_audit.check_audit", unreachable)
    with pytest.raises(CommandError, match="can not be read: connection refused"):
        call_command("verify_audit")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("", ""),
        ("unix:", ""),
    ],
)
def test_an_address_is_kept_as_its_network(address: str, network: str) -> None:
    assert audit.network_of(address) == network
