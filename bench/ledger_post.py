"""`ledger_post`: postings one by one and in batches, spread over accounts and into a hot one; and reading a balance."""

import json
import subprocess
import tomllib
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.frame import ROUNDS, finish, median, median_of, say
from bench.own_database import own_database
from config.embedded.postgres import Cluster
from config.garbage import collect_rarely

HORDAK = Path("var/bench/hordak")


@contextmanager
def hordak(cluster: Cluster) -> Iterator["Hordak | None"]:
    """django-hordak from PyPI, in an environment of its own. None where it can not be had."""
    python = HORDAK / "bin" / "python"
    try:
        if not (HORDAK / "installed").exists():
            venv.create(HORDAK, with_pip=True, clear=True)
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", *_wanted()], check=True)
            (HORDAK / "installed").touch()
    except subprocess.CalledProcessError as error:
        say(f"without django-hordak: {error}")
        yield None
        return
    command = [str(python), "bench/beside_hordak.py", cluster.url("hordak", "bench", "hordak")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield Hordak(child)
        finally:
            child.kill()


class Hordak:
    """A process that transfers when it is told to, so that both can take turns."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        assert child.stdin
        assert child.stdout
        self._told, self._answers = child.stdin, child.stdout
        self._answers.readline()  # it is warm

    def transfer(self, many: int) -> float:
        """Seconds that so many took, each committed."""
        return self._ask(many)["seconds"]

    def costs(self) -> dict[str, float]:
        """CPU of a transfer, and milliseconds of reading a balance."""
        return self._ask(0)

    def _ask(self, many: int) -> dict[str, float]:
        self._told.write(f"{many}\n")
        self._told.flush()
        told: dict[str, float] = json.loads(self._answers.readline())
        return told


def _wanted() -> list[str]:
    """The dependency group `bench`."""
    groups = tomllib.loads(Path("pyproject.toml").read_text())["dependency-groups"]
    return list(groups["bench"])


def main() -> None:
    with own_database() as cluster, hordak(cluster) as other:
        from bench import posting  # noqa: PLC0415 - needs settings

        posting.prepare()
        collect_rarely()  # as every process does that serves
        rounds = []
        for number in range(ROUNDS):
            figures = posting.one_round()
            if other:
                figures |= posting.beside(other.transfer) | other.costs()
            rounds.append(figures)
            say(f"round {number + 1}: {rounds[-1]}")
        figures = median_of(rounds)
        figures |= posting.balance_reads()
        figures |= posting.statement_reads()
        posting.prove()
    ratio = median([figures[f"post_many_{size}_of_raw"] for size in posting.BATCHES])
    finish(
        "ledger_post",
        ratio=ratio,
        reference="two multi-row INSERTs a commit into the same tables with the same triggers, their text made before",
        figures={**figures, "accounts": posting.ACCOUNTS, "entries": posting.MANY_ENTRIES},
        reached=_reached(ratio, figures),
    )


def _reached(ratio: float, figures: dict[str, Any]) -> bool:
    """Without django-hordak, nobody knows."""
    hot = {name: value for name, value in figures.items() if name.endswith("_hot_of_spread")}
    return (
        ratio >= 0.8
        and figures.get("post_of_hordak", 0) >= 3
        and figures.get("post_many_of_hordak", 0) >= 60
        and all(value >= (0.9 if "many" in name else 0.3) for name, value in hot.items())
        and figures["balance_many_of_few"] <= 1.1
    )


if __name__ == "__main__":
    main()
