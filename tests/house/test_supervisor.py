"""Keeping programs alive, with small ones of our own."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.embedded import process, supervisor
from config.embedded.errors import CannotStart
from config.embedded.supervisor import Part, Supervisor
from tests.patience import PATIENCE

STEADY = "import time; time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


class Told(list[str]):
    """What the person at the terminal was told."""


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def watcher(tmp_path: Path, told: Told) -> Iterator[Supervisor]:
    watcher = Supervisor(tmp_path, told.append)
    yield watcher
    watcher.stop()


def part(name: str, code: str, *, foundation: bool = False, grace: float = PATIENCE) -> Part:
    def start(log: int) -> "subprocess.Popen[bytes]":
        return process.spawn(
            [sys.executable, "-S", "-c", code], cwd=Path("/"), env={"PATH": "/usr/bin:/bin"}, output=log
        )

    return Part(name, start, lambda: True, foundation=foundation, grace=grace)


def watch(watcher: Supervisor, until: Callable[[], bool]) -> None:
    """Until it has happened."""

    def wait() -> None:
        try:
            _wait_until(until)
        finally:
            os.kill(os.getpid(), signal.SIGUSR1)

    threading.Thread(target=wait).start()
    before = signal.signal(signal.SIGUSR1, watcher._on_signal)
    try:
        watcher.watch()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_part_that_dies_while_starting_is_named_with_its_last_words(
    watcher: Supervisor, tmp_path: Path
) -> None:
    watcher.start(part("web", "import sys; sys.exit('the port is taken')"))
    watcher.start(part("worker", STEADY))
    watcher._lives[0].process.wait(PATIENCE)
    with pytest.raises(CannotStart) as refusal:
        watcher.wait_for("worker")
    assert str(refusal.value) == f"web ended: the port is taken (see {tmp_path / 'web.log'})"


def test_a_part_that_keeps_dying_gets_one_clear_line(
    watcher: Supervisor, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_DELAYS", (0.05,))
    watcher.start(part("worker", "import sys; sys.exit('no such queue')"))
    watch(watcher, lambda: (tmp_path / "worker.log").read_text().count("no such queue") >= 7)
    assert [line for line in told if "starting it again" in line] == [
        "worker ended (exit code 1); starting it again"
    ] * 3
    assert len([line for line in told if "no such queue" in line]) == 1
    assert len(told) == 4


def test_what_a_part_left_in_its_group_ends_with_it(watcher: Supervisor, told: Told, tmp_path: Path) -> None:
    child_of_part = (
        "import subprocess, sys, os, signal\n"
        f"child = subprocess.Popen([sys.executable, '-S', '-c', {STEADY!r}])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    watcher.start(part("web", child_of_part))
    watch(watcher, lambda: bool(told))
    orphan = int((tmp_path / "pid").read_text())
    watcher.stop()
    _wait_until(lambda: not _lives(orphan))


def test_stopping_ends_the_stubborn_too_and_foundations_last(
    watcher: Supervisor, told: Told, tmp_path: Path
) -> None:
    note = str(tmp_path / "order")
    noting = (
        "import signal, sys, time\n"
        "def leave(*_):\n"
        f"    open({note!r}, 'a').write(NAME + ' ')\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, leave)\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    watcher.start(part("postgres", noting.replace("NAME", "'postgres'"), foundation=True))
    watcher.start(part("web", noting.replace("NAME", "'web'")))
    watcher.start(part("worker", STUBBORN, grace=1))
    children = [life.process for life in watcher._lives]
    _wait_for_up(tmp_path, "postgres", "web", "worker")
    watcher.stop()
    assert [child.returncode for child in children] == [0, 0, -signal.SIGKILL]
    assert Path(note).read_text() == "web postgres "
    assert told == ["worker did not leave within 1 s and is killed"]


def test_a_failing_step_is_told_with_its_last_words(watcher: Supervisor, tmp_path: Path) -> None:
    step = part("prepare", "import sys; sys.exit('relation does not exist')")
    with pytest.raises(CannotStart, match="prepare ended: relation does not exist"):
        watcher.run_once("prepare", step.start)


def _wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def _wait_for_up(logs: Path, *names: str) -> None:
    _wait_until(lambda: all("up" in (logs / f"{name}.log").read_text() for name in names))


def _lives(pid: int) -> bool:
    try:
        state = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
