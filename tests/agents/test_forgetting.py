"""Forgetting a user: every trace goes, from what the model wrote of several and from the disk too, or it is told."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from errands import Errands, finish
from parrot import Advised, LastWords, Letters, Outside, Parrot, Pondering

import toolkit as tk
from toolkit.agents.arm import Arm
from toolkit.agents.diary import Thinking, mark
from toolkit.agents.live import LiveAgent
from toolkit.errors import Outage
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.lm.scripted import Scripted
from toolkit.traits.learning import Learner
from toolkit.traits.memory import PermutedLabels, Retrieval, Shuffled, SlidingWindow
from toolkit.traits.memory.policy import MemoryPolicy

SECRET = "the vault is behind the heron painting"
RIGHT = "seven turns to the left"
POLICIES = [
    Retrieval(k=3),
    SlidingWindow(k=9),
    Pondering(),
    LastWords(),
    Advised(),
    Shuffled(PermutedLabels(Pondering())),
]


def lived(ledger: Ledger, policy: MemoryPolicy | Learner) -> LiveAgent:
    """Mara tells her secret between two questions of Tobias, and is corrected."""
    trait = "learning" if isinstance(policy, Learner) else "memory"
    agent = tk.Agent.open("pet", arm=Arm("a", **{trait: policy}), lm=Parrot(), ledger=ledger)
    agent.answer("where is my parcel?", user="tobias", session="s")
    told = agent.answer(SECRET, user="mara", session="s")
    agent.feedback(agent.answer("and the lamp?", user="tobias"), correction="in the cellar")
    agent.feedback(told, correction=RIGHT)
    agent.answer("what is behind the painting?", user="tobias")
    return agent


def on_disk(ledger: Ledger, words: str) -> bool:
    """Whether words stand anywhere in the files of agents, as they are or as JSON has them."""
    return any(words.encode() in file.read_bytes() for file in (ledger.root / "agents").iterdir())


def remembered(agent: LiveAgent) -> str:
    """Everything that the agent could put into a prompt, and its file, as text."""
    inside = agent._living()
    kept = [vars(inside.memory), vars(inside.learning), inside._transcripts, agent.history(), agent.memories()]
    return json.dumps([repr(kept), [repr(call) for call in agent._file.calls()], repr(list(agent._file.events()))])


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_no_trace_is_left(policy: MemoryPolicy | Learner, ledger: Ledger) -> None:
    agent = lived(ledger, policy)
    before = agent.spent()
    assert SECRET in remembered(agent)
    assert on_disk(ledger, SECRET)
    asked = len(Parrot.asked)
    done = agent.forget("mara")
    assert done.removed == ("stream/1",)
    anew = Parrot.asked[asked:]
    assert not any(SECRET in prompt or RIGHT in prompt for prompt in anew)
    assert bool(anew) == ("Pondering" in repr(policy))  # a note that was made of hers is made again, without her
    for words in (SECRET, RIGHT, "mara"):
        assert words not in remembered(agent)
        assert not on_disk(ledger, words)
    assert [one.task.user for one in agent.history()] == ["tobias"] * 3
    assert agent.spent().tokens == before.tokens + sum(len(prompt) + 2 for prompt in anew)  # what was spent was spent
    state, asked = agent.state(), len(Parrot.asked)
    agent.close()
    with tk.Agent.open("pet", ledger=ledger) as again:
        assert again.state() == state
        assert len(Parrot.asked) == asked
        assert again.forget("mara").removed == ()
        assert again.forget("nobody") == again.forget("mara")
        again.answer("still there?", user="tobias")


def test_what_others_were_told_is_named(ledger: Ledger) -> None:
    agent = lived(ledger, Retrieval(k=3))
    agent.answer(f"somebody said: {SECRET}", user="tobias")
    agent.answer("do you know Mara, or mara?", user="tobias")
    quoted, recalled = agent.forget("mara").could_not
    assert "stream/6, stream/7" in quoted
    assert "were answered with memories of this user in the prompt (stream/2, stream/5)" in recalled
    agent.close()
    study = finish(Study("s", Errands(6), arms=[Arm("m", memory=Retrieval())], lm=Scripted(), seeds=1, ledger=ledger))
    with study.agent("m") as desk:
        assert len(desk.memories()) == 6
        (told,) = desk.forget("ann").could_not
        assert told.startswith("the study 's', which the agent comes from, keeps")
        assert desk.memories() == ()


def test_no_text_is_embedded_twice_and_no_vector_outlives_its_text(ledger: Ledger) -> None:
    Letters.asked.clear()
    agent = lived(ledger, Outside())
    assert sorted(Letters.asked) == sorted(set(Letters.asked))
    asked = len(Letters.asked)
    agent.close()
    with tk.Agent.open("pet", ledger=ledger) as again:
        again.answer("where is my parcel?", user="tobias")
        assert len(Letters.asked) == asked  # known from before the restart
        assert (Letters().fingerprint(), mark(SECRET)) in again._file.vectors()
        again.forget("mara")
        kept = {text for _, text in again._file.vectors()}
        assert mark(SECRET) not in kept
        assert mark("where is my parcel?") in kept
        again.answer("and the lamp?", user="tobias")
        assert len(Letters.asked) == asked


def test_on_a_studys_tape_every_request_is_made_as_it_was(ledger: Ledger) -> None:
    """There the same text may have been embedded twice, and the tape answers what is asked as it was asked."""
    Letters.asked.clear()
    through = Thinking(SimpleNamespace(think=None), None)
    for _ in range(2):
        assert through.embed(Letters(), ["one", "two", "one"]).shape == (3, 5)
    assert Letters.asked == ["one", "two", "one"] * 2
    assert {text for _, text in through.take()} == {mark("one"), mark("two")}
    assert through.take() == {}


def test_an_outage_forgets_nothing(ledger: Ledger) -> None:
    agent = lived(ledger, Pondering())
    state, known = agent.state(), agent.history()
    Parrot.away = True
    with pytest.raises(Outage):
        agent.forget("mara")
    assert (agent.state(), agent.history()) == (state, known)
    Parrot.away = False
    assert agent.forget("mara").removed
    agent.close()


def test_a_kill_between_forgetting_and_cleaning_is_made_good(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = lived(ledger, Retrieval())

    def killed(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("toolkit.ledger.agents.os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        agent.forget("mara")
    agent.close()
    monkeypatch.undo()
    assert on_disk(ledger, SECRET)  # in free blocks: nobody would find it by asking
    with tk.Agent.open("pet", ledger=ledger) as again:
        assert [one.task.user for one in again.history()] == ["tobias"] * 3
        assert not on_disk(ledger, SECRET)
