"""A study as plain values: what stands in its file, and what `Study.config` gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.component import Config
from toolkit.streams.scoring import as_named

if TYPE_CHECKING:
    from toolkit.evaluation.study import Study


def written(study: Study) -> Config:
    """The study as plain values, as they stand in ``study.toml``: what is as by default and long is left out."""
    found: Config = {
        "name": study.name,
        "lm": study.lm.config(),
        "seeds": list(study.seeds),
        "study_seed": study.study_seed,
        "order": study.order if isinstance(study.order, str) else list(study.order),
        "deciding": study.deciding,
        "baseline": study.baseline,
        "scorers": [one if isinstance(one, str) else one.config() for one in map(as_named, study.scorers)],
    }
    if study.stop_when:
        found["stop_when"] = list(study.stop_when)
    if study.second_pass:
        second = study.second_pass
        found["second_pass"] = second if isinstance(second, str) else second.config()
    if study.counterfactuals:
        found["counterfactuals"] = study.counterfactuals
    if study.exams:
        found["exams"] = study.exams.config()
    if study.code:
        found["code"] = [str(path) for path in study.code]
    arms = [arm.config() for arm in study.arms]
    one = len(study.streams) == 1
    told = {"stream": study.stream.config()} if one else {"streams": [s.config() for s in study.streams]}
    budget = {"budget": study.budget.config()} if study.budget else {}
    claims = {"hypotheses": [one.config() for one in study.hypotheses]} if study.hypotheses else {}
    return {"study": found, **told, "channel": study.channel.config(), **budget, "arms": arms, **claims}
