"""The data folder: its lock, its private files, and disks that are full or closed."""

import errno
import os
import shutil
import stat
from collections import namedtuple
from pathlib import Path

import pytest

from config.embedded import onboarding, secrets
from config.embedded.errors import CannotStart
from config.embedded.folder import DataFolder, Lock, describe


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.open()
    return folder


def test_a_lock_is_held_once_and_a_stale_number_does_not_matter(folder: DataFolder) -> None:
    (folder.path / "lock").write_text("1\n")  # of a run that was killed; process 1 lives
    first = Lock(folder)
    first.take()
    assert first.last_run_was_killed
    with pytest.raises(CannotStart, match=f"another copy is running .* \\(process {os.getpid()}\\)"):
        Lock(folder).take()
    first.give_back()
    again = Lock(folder)
    again.take()
    assert not again.last_run_was_killed
    again.give_back()


def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 3_000_000))
    with pytest.raises(CannotStart, match="has 3 MB free and 400 MB are needed: make room"):
        DataFolder(tmp_path / "data").open()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EACCES, "permission denied"),
        (errno.EIO, "input/output error"),
    ],
)
def test_errors_of_the_disk_are_told_in_words(number: int, words: str) -> None:
    assert describe(OSError(number, os.strerror(number))).startswith(words)


def test_secrets_are_made_once_and_kept(folder: DataFolder) -> None:
    made = secrets.ensure(folder)
    folder.write_private(folder.environment, secrets.render(made))
    assert secrets.ensure(folder) == made
    assert len(set(made.values())) == len(made)
    assert stat.S_IMODE(folder.environment.stat().st_mode) == 0o600
    assert secrets.ensure_sign_ins(folder) == secrets.ensure_sign_ins(folder)


def test_an_environment_file_that_somebody_damaged_is_refused(folder: DataFolder) -> None:
    folder.environment.write_text("SECRET_KEY='a'\nwhat is this\n")
    with pytest.raises(CannotStart, match="line 2"):
        secrets.ensure(folder)


def test_a_live_credential_takes_the_sandbox_away(folder: DataFolder) -> None:
    folder.write_private(folder.sandbox_environment, "STRIPE_API_BASE='http://127.0.0.1:1'\n")
    assert onboarding.live_credentials({"STRIPE_SECRET_KEY": ""}) == []
    assert onboarding.live_credentials({"WECHAT_MCHID": "1"}) == ["WECHAT_MCHID"]
    onboarding.forget(folder)
    assert not folder.sandbox_environment.exists()
