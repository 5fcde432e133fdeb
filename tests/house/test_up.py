"""`manage.py up` for real: starts from nothing, keeps its parts alive, refuses clearly, leaves nothing behind."""

import json
import os
import pwd
import re
import signal
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from config.embedded.process import Account
from tests.house.copies import Copy, copy_project
from tests.patience import PATIENCE
from tests.ports import four_ports

pytestmark = [pytest.mark.stack]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """A running copy, in a folder whose name needs quoting everywhere."""
    folder = tmp_path_factory.mktemp("a folder with spaces & 'quotes'")
    started = Copy(copy_project(folder / "the project"), folder / "its data", four_ports())
    started.start()
    yield started
    if started.running and started.running.poll() is None:
        started.stop()
    for pid, _ in started.processes():
        os.kill(pid, signal.SIGKILL)


def get(copy: Copy, path: str, offset: int = 0) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{copy.port + offset}{path}", trust_env=False, timeout=PATIENCE)


def wait_until(what: str, condition: object) -> None:
    assert callable(condition)
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.2)


def test_ready_means_that_every_part_answers(copy: Copy) -> None:
    last = copy.printed.strip().splitlines()[-1]
    assert last == f"Ready: http://127.0.0.1:{copy.port}/"
    assert get(copy, "/health").json() == {"status": "ok", "service": "smart-checkout"}
    assert get(copy, "/health/ready").json()["parts"] == dict.fromkeys(
        ("database", "redis", "worker", "outbox"), "ok"
    )
    for path in ("/", "/console/login/", "/api/docs/", "/api/schema/", "/docs/errors"):
        assert get(copy, path).status_code == 200, path
    assert get(copy, "/control/health", offset=1).status_code == 200


def test_secrets_are_private_and_on_no_command_line(copy: Copy) -> None:
    private = [copy.data / name for name in ("environment", "sandbox.environment", "sign-ins.json")]
    private += (copy.data / "keys").iterdir()
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in private)
    values = re.findall(r"(?:KEY|PASSWORD|KEYS)='([^']{16,})'", (copy.data / "environment").read_text())
    assert len(values) >= 5
    commands = " ".join(words for _, words in copy.processes())
    assert not [value for value in values if value in commands]
    assert all(password in copy.printed for password in json.loads(private[2].read_text()).values())


def test_a_second_copy_on_the_same_data_is_refused_in_one_line(copy: Copy) -> None:
    second = Copy(copy.project, copy.data, four_ports())
    printed = second.refusal()
    assert copy.running
    assert printed == (
        f"up: another copy is running on {copy.data} (process {copy.running.pid}): "
        "stop it, or give another --data and --port\n"
    )


def test_a_busy_port_is_refused_in_one_line(tmp_path: Path) -> None:
    port = four_ports()
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", port + 1))
        occupant.listen()
        printed = Copy(copy_project(tmp_path / "project"), tmp_path / "data", port).refusal()
    assert printed == (
        f"up: port {port + 1} (sandbox) is in use by another program: give other ports, for example "
        f"--port {port + 100} (make run PORT={port + 100})\n"
    )


@pytest.mark.parametrize("data", ["/proc/data", "/dev/null/data"])
def test_a_folder_that_can_not_be_written_is_refused_in_one_line(tmp_path: Path, data: str) -> None:
    printed = Copy(copy_project(tmp_path / "project"), Path(data), four_ports()).refusal()
    assert printed.startswith(f"up: {data} can not be used for data: ")
    assert printed.count("\n") == 1


def test_killed_parts_are_started_again(copy: Copy) -> None:
    words = (
        "gunicorn",
        "celery --app=config.celery worker",
        "relay",
        "-m sandbox",
        "redis-server",
        "bin/postgres",
    )
    before = {word: copy.part(word) for word in words}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    wait_until("killed parts are noticed", lambda: copy.printed.count("starting it again") >= len(words))
    wait_until("everything answers again", lambda: _is_ready(copy))
    assert all(copy.part(word) != pid for word, pid in before.items())


def _is_ready(copy: Copy) -> bool:
    try:
        return get(copy, "/health/ready").status_code == 200
    except httpx.HTTPError:
        return False


def database_url(copy: Copy) -> str:
    found = re.search("^DATABASE_URL='(.+)'$", (copy.data / "environment").read_text(), re.MULTILINE)
    assert found
    return found[1]


def test_beat_leaves_in_the_middle_of_a_query(copy: Copy) -> None:
    beat = "celery --app=config.celery beat"
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with psycopg.connect(database_url(copy)) as connection:
        connection.execute("LOCK TABLE django_celery_beat_periodictask")
        os.kill(copy.part(beat), signal.SIGKILL)
        wait_until("beat reads its schedule", lambda: connection.execute(waiting).fetchone() != (0,))
        os.kill(copy.part(beat), signal.SIGTERM)
        wait_until("beat left", lambda: "beat ended (exit code 0)" in copy.printed)


def stop_moving(copy: Copy) -> None:
    """Make our own programs and the processes they forked infinitely slow."""
    assert copy.running
    for pid, words in copy.processes():
        if "bin/python" in words and pid != copy.running.pid:
            os.kill(pid, signal.SIGSTOP)


def test_a_killed_supervisor_leaves_nothing_and_the_next_start_finds_the_data(copy: Copy) -> None:
    kept = (copy.data / "environment").read_text()
    stop_moving(copy)
    copy.stop(signal.SIGKILL)
    wait_until("all parts left", lambda: not copy.processes())
    copy.start()
    assert (copy.data / "environment").read_text() == kept
    assert _is_ready(copy)


def test_ctrl_c_leaves_nothing_and_waits_for_nobody_long(copy: Copy) -> None:
    stop_moving(copy)
    assert copy.stop() == 0
    waited_for = ("web", "worker", "beat", "relay", "sandbox")
    left = "".join(f"{part} did not leave within 5 s and is killed\n" for part in waited_for)
    assert copy.printed.endswith(f"Stopping …\n{left}Stopped.\n")
    assert copy.processes() == []
    assert (copy.data / "lock").read_text() == ""


@pytest.mark.parametrize("moment", ["Preparing the database", "Starting the shop …"])
def test_ctrl_c_in_the_middle_of_a_start(copy: Copy, moment: str) -> None:
    copy.begin()
    wait_until(moment, lambda: moment in copy.printed)
    assert copy.stop() == 0
    assert "Stopping …\n" in copy.printed and copy.printed.endswith("Stopped.\n")
    assert copy.processes() == []


def test_a_closed_terminal_stops_everything(copy: Copy) -> None:
    reader, writer = os.pipe()
    copy.begin(writer)
    os.close(writer)
    with os.fdopen(reader) as terminal:
        assert terminal.readline() == "Starting redis and postgres …\n"
    assert copy.stop(signal.SIGHUP) == 0
    assert copy.processes() == []


def test_ctrl_c_before_anything_is_started(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    (project / "config" / "embedded" / "__init__.py").write_text(
        "import time\n\nprint('Reading …', flush=True)\ntime.sleep(600)\n"
    )
    copy = Copy(project, tmp_path / "data", four_ports())
    copy.begin()
    wait_until("it is read", lambda: copy.printed)
    assert copy.stop() == 0
    assert copy.printed == "Reading …\n"


def test_ctrl_c_while_the_cluster_is_made(tmp_path: Path) -> None:
    copy = Copy(copy_project(tmp_path / "project"), tmp_path / "data", four_ports())

    def making() -> list[int]:
        return [pid for pid, words in copy.processes() if "bin/initdb" in words]

    copy.begin()
    wait_until("initdb runs", making)
    os.kill(making()[0], signal.SIGSTOP)
    assert copy.stop() == 0
    assert copy.printed == "Stopped.\n"
    assert copy.processes() == []


def test_an_ordinary_user_beside_another_copy(tmp_path_factory: pytest.TempPathFactory) -> None:
    """As root, the program is started as somebody else; without root, we are somebody else already."""
    folder = tmp_path_factory.mktemp("ordinary")
    account = None
    if os.geteuid() == 0:
        entry = pwd.getpwnam("nobody")
        account = Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    ordinary = Copy(copy_project(folder / "project"), folder / "data", four_ports(), account)
    ordinary.start()
    try:
        assert get(ordinary, "/health/ready").status_code == 200
        owners = {path.owner() for path in ordinary.data.iterdir()}
        assert owners == {account.name if account else pwd.getpwuid(os.geteuid()).pw_name}
    finally:
        status = ordinary.stop()
    assert (status, ordinary.processes()) == (0, [])
