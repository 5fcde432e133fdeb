"""A load may be cut off anywhere, repeated, and run beside itself: it is done once, whole, or not at all."""

import gzip
import io
import json
import os
import signal
import threading
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from reconciliation import invariants
from reconciliation.errors import StatementAboutTomorrow, StatementRefused
from reconciliation.models import Discrepancy, OpenItem, StatementChunk, StatementFile, StatementTotal
from reconciliation.services import match_statement as matching
from reconciliation.services.match_statement import match_statement
from reconciliation.services.receive_statement import receive_statement
from reconciliation.staging import archive, table
from reconciliation.states import StatementSource
from tests.ledger.books import tamper
from tests.reconciliation.statements import DAY, bill, bring, discrepancies, match, pay
from tests.reconciliation.wechat_bill import Row, paid

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _merchant(settings: Any) -> None:
    settings.WECHAT = {**settings.WECHAT, "mchid": "1900000001"}


def _rows(number: int = 5) -> list[Row]:
    """All but the last differ."""
    rows = [paid(pay(100 * one).att, 100 * one + 1) for one in range(1, number)]
    return [*rows, paid(pay(7).att, 7)]


def _staged_tables() -> list[str]:
    return [name for name in connection.introspection.table_names() if "_staged_" in name]


def _nothing_is_written() -> bool:
    return not (Discrepancy.objects.exists() or OpenItem.objects.exists() or StatementTotal.objects.exists())


def test_the_archive_is_what_came_byte_for_byte() -> None:
    rows = [paid(pay(100).att, 100)]
    packed = gzip.compress(bill(rows), mtime=0)
    file = bring(rows, packed=True)
    row = StatementFile.objects.by_public_id(file.id)
    with archive.opened(row) as stream:
        assert stream.read() == packed
    assert (file.size, file.state) == (len(packed), "RECEIVED")
    for sql in ("UPDATE {} SET number = 7", "DELETE FROM {}", "TRUNCATE {}"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            connection.cursor().execute(sql.format("reconciliation_statementchunk"))
    assert match_statement(file=file.id).matched == 1


def test_a_large_archive_is_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_PIECE", 100)
    file = bring(_rows())
    assert StatementChunk.objects.count() > 10
    assert match_statement(file=file.id).rows == 5


@pytest.mark.parametrize("phase", ["load", "write_totals"])
def test_a_run_that_is_killed_leaves_nothing_and_the_next_one_does_it_all(
    phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "_STEP", 2)
    file = bring(_rows())

    def die(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def run() -> None:
        if phase == "load":
            monkeypatch.setattr(StatementFile, "note_progress", die)
        else:
            monkeypatch.setattr(matching, phase, die)
        match_statement(file=file.id)

    assert _in_a_child(run) == -signal.SIGKILL
    assert _nothing_is_written()
    assert StatementFile.objects.get().state == "RECEIVED"
    done = match_statement(file=file.id)
    assert (done.rows, done.state, len(discrepancies())) == (5, "MATCHED", 4)
    assert _staged_tables() == []


def _in_a_child(run: Callable[[], None]) -> int:
    """How a process of its own, with a connection of its own, ended."""
    child = os.fork()
    if not child:
        # Ours is shared with the parent: it must be neither used nor closed here.
        kept, connection.connection = connection.connection, None
        try:
            run()
        finally:
            os._exit(0 if kept else 1)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _at_once(work: Callable[[], object], number: int = 3) -> list[BaseException]:
    failed: list[BaseException] = []

    def one() -> None:
        try:
            work()
        except BaseException as problem:  # noqa: BLE001 - what it was is the result
            failed.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def test_several_at_once_do_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = _rows()
    file = bring(rows)
    meet = threading.Barrier(2, timeout=1)
    create = table.StagedLines.create

    def together(self: table.StagedLines) -> None:
        create(self)
        meet.wait()

    with monkeypatch.context() as unguarded:
        unguarded.setattr(matching, "_alone", lambda _: nullcontext())
        unguarded.setattr(table.StagedLines, "create", together)
        assert _at_once(lambda: match_statement(file=file.id), 2)
    for rows_of in ("discrepancy", "openitem", "statementtotal"):  # whatever the two have left
        tamper(f"DELETE FROM reconciliation_{rows_of}")
    tamper("UPDATE reconciliation_statementfile SET state = 'RECEIVED'")
    assert _at_once(lambda: match(rows)) == []
    assert len(discrepancies()) == 4
    assert StatementFile.objects.get().state == "MATCHED"


def test_a_refused_file_loads_nothing_and_keeps_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_STEP", 1)
    rows = _rows()
    content = bill(rows)
    cut = content[: content.rindex("总交易单数".encode())]
    monkeypatch.setattr("tests.reconciliation.statements.bill", lambda _: cut)
    with pytest.raises(StatementRefused) as refused:
        match(rows)
    file = StatementFile.objects.get()
    assert (file.state, file.refusal_code) == ("REFUSED", refused.value.code)
    assert refused.value.code == "statement_truncated"
    assert _nothing_is_written()
    assert _staged_tables() == []
    assert match_statement(file=file.public_id).state == "REFUSED"


def test_a_day_that_is_not_over_has_no_statement() -> None:
    with pytest.raises(StatementAboutTomorrow):
        bring([], (timezone.now() + timedelta(days=1)).date())
    assert not StatementFile.objects.exists()


def _command(*given: object, capsys: Any) -> dict[str, Any]:
    call_command("import_statement", *map(str, given))
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_the_command_tells_rows_and_differences(tmp_path: Path, capsys: Any) -> None:
    gone = pay(50)
    path = tmp_path / f"wechat_trade_{DAY:%Y%m%d}.csv.gz"
    path.write_bytes(gzip.compress(bill(_rows())))
    told = _command("--channel", "wechat", path, capsys=capsys)
    assert (told["rows"], told["matched"]) == (5, 5)
    assert told["discrepancies"] == {"amount": 4, "missing_there": 1}
    assert ("missing_there", gone.att, "OPEN") in discrepancies()
    assert _command("--channel", "wechat", path, capsys=capsys) == told


def test_the_command_says_why_it_refuses(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / f"{DAY:%Y-%m-%d}.csv"
    path.write_bytes(bill(_rows())[:-60])
    for _ in range(2):
        with pytest.raises(CommandError, match="statement_"):
            _command("--channel", "wechat", "--kind", "trade", path, capsys=capsys)
        assert "statement_" in capsys.readouterr().out
    with pytest.raises(CommandError, match="say --day"):
        _command("--channel", "wechat", "--kind", "trade", path.rename(tmp_path / "bill.csv"), capsys=capsys)


def test_an_empty_day_is_a_statement_too() -> None:
    done = match_statement(file=_received(b""))
    assert (done.state, done.rows) == ("MATCHED", 0)


def _received(content: bytes) -> str:
    return receive_statement(
        channel="wechat",
        kind="trade",
        day=DAY,
        name="none.csv",
        content=io.BytesIO(content),
        source=StatementSource.FETCHED,
        actor="system",
    ).id


def _broken() -> set[str]:
    return {finding.check for _, _, found in invariants.check() for finding in found}


@pytest.mark.parametrize(
    ("sql", "check"),
    [
        ("UPDATE reconciliation_statementchunk SET content = 'x'", "reconciliation.archives"),
        ("UPDATE reconciliation_statementtotal SET amount = 1 WHERE part = 'ours'", "reconciliation.totals"),
        ("UPDATE reconciliation_statementfile SET rows = 9", "reconciliation.rows_of_statements"),
        ("UPDATE reconciliation_discrepancy SET amount_at_risk = 9", "reconciliation.amount_at_risk"),
        (
            "UPDATE reconciliation_openitem SET cleared_at = now(), how = 'x'",
            "reconciliation.explained_items",
        ),
    ],
)
def test_what_is_broken_is_found(sql: str, check: str) -> None:
    match([*_rows(2), paid("att_7" + "0" * 25, 9)])
    assert _broken() == set()
    tamper(sql)
    assert check in _broken()
