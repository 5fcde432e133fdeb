"""What PostgreSQL is started with."""

import os
from pathlib import Path

import pytest

from config.embedded.postgres import Cluster


@pytest.mark.parametrize(("memory", "pages"), [(1 << 28, "128MB"), (1 << 32, "512MB"), (1 << 38, "1024MB")])
def test_a_lasting_cluster_takes_its_share_of_the_memory(
    monkeypatch: pytest.MonkeyPatch, memory: int, pages: str
) -> None:
    counted = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": memory // 4096}
    monkeypatch.setattr(os, "sysconf", counted.__getitem__)
    command = Cluster(Path("/data"), 5432, "secret").command()
    assert f"shared_buffers={pages}" in command
    assert "fsync=off" not in command


def test_what_only_tests_use_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sysconf")
    command = Cluster(Path("/data"), 5432, "secret", durable=False).command()
    assert "fsync=off" in command
    assert not any("shared_buffers" in part for part in command)
