"""Channels in studies: late ones are late, on resume, in a second pass and in replay; as a factor they compare."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from errands import Errands, finish

import toolkit as tk
from toolkit.agents.arm import Arm
from toolkit.errors import SpecError
from toolkit.evaluation.replay import replay
from toolkit.evaluation.spec import load, save
from toolkit.evaluation.study import Study
from toolkit.records import Experience, Learned
from toolkit.streams.channel import FullLabel, OneBit, Scalar
from toolkit.streams.channels import Adversarial, Delayed, Missing, Noisy, ShuffledFeedback
from toolkit.traits.learning import Learner
from toolkit.traits.memory import Retrieval

Make = Callable[..., Study]


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
