"""Channels in studies: late ones are late, on resume, in a second pass and in replay; as a factor they compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from errands import Errands, finish, prompts

import toolkit as tk
from toolkit.agents.arm import Arm
from toolkit.errors import SpecError
from toolkit.evaluation.replay import replay
from toolkit.evaluation.spec import load, save
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted
from toolkit.records import Experience, Learned, Recall, Task
from toolkit.streams.channel import FullLabel, OneBit, Scalar
from toolkit.streams.channels import (
    Adversarial,
    Critique,
    Delayed,
    Implicit,
    Missing,
    Noisy,
    Preference,
    ShuffledFeedback,
)
from toolkit.streams.stream import Pair
from toolkit.traits.learning import Learner
from toolkit.traits.memory import Layered, MemoryPolicy, Retrieval

Make = Callable[..., Study]


class Secrets(Errands):
    """Free answers, each right one a secret of its own."""

    def _pair(self, number: int) -> Pair:
        task, key = super()._pair(number)
        return replace(task, options=()), replace(key, answers=(f"CANARY {number}",))

    def pool(self) -> list[Pair]:
        return []


class Repeats(MemoryPolicy):
    """Recalls every word it was told."""

    def reset(self, rng, think):
        self.told: list[str] = []

    def observe(self, experience: Experience) -> None:
        if experience.feedback is not None:
            self.told.append(f"{experience.feedback.text} {experience.feedback.correction or ''}")

    def recall(self, task: Task) -> Recall:
        return Recall(notes="\n".join(f"- {one}" for one in self.told))


class Ears(Learner):
    """Says in every prompt how much it has heard."""

    def reset(self, rng, think):
        self.heard: list[str] = []

    def observe(self, experience: Experience) -> None:
        self.heard.append(experience.id)

    def learned(self) -> Learned:
        return Learned(instruction=f"heard {len(self.heard)}")


def test_delayed_feedback_comes_so_much_later_than_the_key_says(study: Make) -> None:
    made = finish(study(Arm("ears", learning=Ears()), stream=Errands(delay=2), channel=Delayed(OneBit(), 3), seeds=1))
    rows = made.episodes().sort_values("t")
    assert list(rows.due - rows.t) == [6] * 24
    prompts = made.ledger.sql("SELECT prompt FROM calls ORDER BY t").prompt
    heard = [int(prompt[0]["text"].split("heard ")[1].split()[0]) for prompt in prompts]
    assert heard == [max(0, t - 5) for t in range(24)]


WILD = Delayed(Missing(Noisy(ShuffledFeedback(FullLabel()), 0.4), 0.2), 4)


def test_stopped_and_resumed_it_comes_to_the_same_and_replays(study: Make) -> None:
    arm = Arm("m", memory=Retrieval())
    whole = finish(study(arm, channel=WILD, seeds=1, second_pass="same"))
    cut = study(arm, channel=WILD, seeds=1, second_pass="same", name="cut")
    cut.run(watch=lambda run, episode: cut.stop() if episode.t == 7 else None)
    assert cut.records()[0].status == "stopped"
    assert finish(cut).records()[0].hash == whole.records()[0].hash
    assert cut.records()[0].replayed == 8
    assert replay(cut.ledger, "cut").identical
    assert len(cut.agent("m").history()) == 24  # lived through once more, to the same end


def test_channels_are_a_factor_and_survive_a_file(study: Make, tmp_path) -> None:
    channels = {"label": FullLabel(), "noisy": Noisy(FullLabel(), 0.5), "late": Delayed(FullLabel(), 30),
                "lied": Adversarial(FullLabel()), "bit": Missing(OneBit(), 0.5)}  # fmt: skip
    arms = tk.by_channel(Arm("m", memory=Retrieval(store="correct")), channels)
    made = study(Arm.static(), *arms, channel=Scalar(), seeds=2)
    save(made, tmp_path / "study.toml")
    again = load(tmp_path / "study.toml", ledger=made.ledger.root)
    assert again.arms == made.arms
    assert [run.id for run in again.runs] == [run.id for run in made.runs]
    score = {row.arm: row.score.value for row in finish(made).compare().rows}
    assert score["m-label"] > score["static"] + 0.2  # of a scripted model that profits from right examples
    assert score["m-late"] == pytest.approx(score["static"], abs=0.25)  # nothing ever came
    rows = made.episodes()
    assert rows[rows.arm == "m-bit"].labels.mean() == pytest.approx(0.5, abs=0.2)
    assert rows[rows.arm == "m-late"].due.min() == 31


def test_a_channel_that_is_out_of_range_is_refused_before_anything_is_spent(study: Make) -> None:
    with pytest.raises(SpecError, match=r"channel: Noisy.rate must be between 0 and 1 but is 3"):
        study(Arm("m", memory=Retrieval()), channel=Missing(Noisy(OneBit(), 3)))


SILENT = {"bit": OneBit(), "noisy-bit": Noisy(OneBit(), 0.5), "lied-critique": Adversarial(Critique(), 0.5),
          "critique": Critique(), "shuffled-critique": ShuffledFeedback(Critique()), "retry": Implicit(0.8, 0.0),
          "late-critique": Delayed(Missing(Critique(scored=False), 0.1), 2)}  # fmt: skip
TELLING = {"label": FullLabel(), "told": Critique(reveals=True), "corrected": Implicit(0.0, 0.9),
           "pair": Preference("right"), "shuffled": ShuffledFeedback(FullLabel())}  # fmt: skip


def test_law_2_no_channel_that_reveals_no_label_lets_one_into_a_prompt(study: Make) -> None:
    """The right answer of a free task is a secret, the model never guesses it, and memory recalls what it was told."""
    memory = Layered(Retrieval(k=3), Repeats())
    arms = tk.by_channel(Arm("m", memory=memory), SILENT | TELLING)
    made = finish(study(*arms, stream=Secrets(tasks=9), lm=Scripted(p=0, p_example=0), seeds=1))
    said = (
        made.episodes()
        .groupby("arm")
        .critique.apply(lambda words: " ".join(one for one in words if isinstance(one, str)))
    )
    for name in SILENT:
        assert not any("CANARY" in prompt for prompt in prompts(made, f"m-{name}")), name
        assert ("not right" in said[f"m-{name}"]) == ("critique" in name), name  # it did say something
        assert "CANARY" not in said[f"m-{name}"]
    for name in TELLING:
        assert any("CANARY" in prompt for prompt in prompts(made, f"m-{name}")), name


def test_a_preference_is_in_the_ledger_and_replays(study: Make) -> None:
    made = finish(study(Arm("m", memory=Repeats()), channel=Noisy(Preference(), 0.3), seeds=1))
    rows = made.episodes()
    told = rows[rows.preferred.notna()]
    assert 5 < len(told) < 24
    assert all(row.answer in row.preferred and row.preferred[0] != row.preferred[1] for row in told.itertuples())
    assert list(told.critique) == [f"Better: {better}. Worse: {worse}." for better, worse in told.preferred]
    assert replay(made.ledger, made.name).identical
    assert len(made.agent("m").history()) == 24
