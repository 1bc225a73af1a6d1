"""A live agent killed at any moment, in mid-write too: reopened with all it acknowledged, and nothing half-written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from parrot import Parrot, Pondering
from undying import Undying

from toolkit.agents.agent import Agent
from toolkit.agents.arm import Arm
from toolkit.agents.identity import Identity
from toolkit.agents.live import LiveAgent
from toolkit.agents.opening import made
from toolkit.ledger.events import Event
from toolkit.ledger.store import Ledger
from toolkit.records import Experience, Task
from toolkit.traits.learning import DemoBuffer
from toolkit.traits.memory import Retrieval


@pytest.fixture(scope="module")
def undying() -> Iterator[Undying]:
    process = Undying()
    yield process
    process.end()


def moment(rng: np.random.Generator, kind: str, calls: int) -> dict[str, object]:
    """At a function's call, from outside at any time, or within the write that makes the file too long."""
    if kind == "call":
        return {"number": int(rng.integers(1, calls))}
    if kind == "outside":
        return {"hunted": int(rng.integers(1, 300))}
    return {"size": int(rng.integers(1, 60_000)), "long": 2_000}


def kept(agent: LiveAgent, told: Path, before: int = 0, kills: int = 1) -> int:
    """Insist that all that was acknowledged is there, at most one thing more for each kill, and each thing whole."""
    lines = told.read_text().split("\n")[:-1] if told.exists() else []
    found = {one.id: one for one in agent.history()}
    answers = [line.split()[1] for line in lines if line.startswith("answer")]
    corrected = [line.split()[1] for line in lines if line.startswith("feedback")]
    assert set(answers) <= set(found)
    assert len(found) - before <= len(answers) + kills
    assert all(found[one].feedback.correction == f"right {one}" for one in corrected)
    assert sum(one.feedback is not None for one in found.values()) <= len(corrected) + kills
    calls = {seq for seq, _, _ in agent._file.calls()}
    assert all(event.seq in calls for event in agent._file.events() if event.kind == "answer" and event.t >= before)
    return len(found)


def killed(undying: Undying, ledger: Path, policy: str, moments: list[dict[str, object]]) -> int:
    """One agent, killed at each of these moments and gone on with; how often it was killed."""
    kills, told = 0, ledger / "told"
    ledger.mkdir(exist_ok=True)
    for one in moments:
        done = undying.work(ledger, told, policy=policy, tasks=12, **one)
        assert done["signal"] in (0, 9, 25), done
        kills += done["signal"] != 0
        assert "error" not in done, done
        if (ledger / "agents").exists():
            arm = Arm(
                "a", memory={"retrieval": Retrieval(k=2), "pondering": Pondering()}[policy], learning=DemoBuffer(2)
            )
            with Agent.open("undying", arm=arm, lm=Parrot(), ledger=ledger) as agent:
                kept(agent, told, kills=kills)
                state = agent.state()
            with Agent.open("undying", ledger=ledger) as again:
                assert again.state() == state
    return kills


@pytest.mark.parametrize("policy", ["retrieval", "pondering"])
@pytest.mark.parametrize("kind", ["call", "outside", "size"])
def test_everything_acknowledged_is_there(undying: Undying, tmp_path: Path, kind: str, policy: str) -> None:
    calls = undying.work(tmp_path / "whole", tmp_path / "all", policy=policy, tasks=12, number=-1)["calls"]
    rng = np.random.default_rng([7, kind == "call", kind == "size"])
    assert killed(undying, tmp_path / "ledger", policy, [moment(rng, kind, calls) for _ in range(4)]) >= 2


def test_a_torn_log_of_writes_costs_what_was_not_on_the_disk_and_no_more(undying: Undying, tmp_path: Path) -> None:
    """A power failure may take the end of what the system had not written yet: the rest opens, whole."""
    rng, rest = np.random.default_rng(5), []
    undying.work(tmp_path / "l", tmp_path / "told", policy="pondering", tasks=12, hunted=250)
    wal = tmp_path / "l" / "agents" / "undying.duckdb.wal"
    assert wal.stat().st_size > 10_000
    for number in range(6):
        shutil.copytree(tmp_path / "l", tmp_path / f"l{number}")
        with open(tmp_path / f"l{number}" / "agents" / wal.name, "rb+") as file:
            file.truncate(int(rng.integers(wal.stat().st_size // 2, wal.stat().st_size)))
        with Agent.open("undying", ledger=tmp_path / f"l{number}") as agent:
            rest.append(len(agent.history()))
            for one in agent.history()[:-1]:
                assert one.feedback is not None
            agent.answer("and on")
    assert 0 < min(rest) < max(rest)


@pytest.mark.validate
@pytest.mark.parametrize("kind", ["call", "outside", "size"])
def test_many_kills(undying: Undying, tmp_path: Path, kind: str) -> None:
    kills = 0
    for seed in range(12):
        policy, rng = ("retrieval", "pondering")[seed % 2], np.random.default_rng([8, seed])
        place = tmp_path / f"{kind}{seed}"
        place.mkdir()
        calls = undying.work(place / "whole", place / "all", policy=policy, tasks=12, number=-1)["calls"]
        kills += killed(undying, place / "ledger", policy, [moment(rng, kind, calls) for _ in range(6)])
    assert kills > 40


@pytest.mark.validate
def test_a_hundred_thousand_memories_and_a_kill(undying: Undying, tmp_path: Path) -> None:
    size, ledger = 100_000, tmp_path / "ledger"
    arm = Arm("a", memory=Retrieval(k=2), learning=DemoBuffer(2))
    past = [
        Event(
            "answer", "stream", t, Experience(f"stream/{t}", Task(f"t{t}", {"message": f"parcel {t} of {t % 97}"}), "a")
        )
        for t in range(size)
    ]
    made("undying", Identity(arm, Parrot(), deciding="generation"), past, Ledger(ledger)).close()
    told = tmp_path / "told"
    for number, one in enumerate([{"hunted": 100}, {"size": 20_000, "long": 2_000}, {"hunted": 800}]):
        assert undying.work(ledger, told, policy="retrieval", tasks=12, **one)["signal"]
        with Agent.open("undying", ledger=ledger) as agent:
            assert len(agent.memories()) == kept(agent, told, size, kills=number + 1)
