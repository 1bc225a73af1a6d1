"""Probes discriminate: who should fail one fails it, and who should not does not."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest

import toolkit as tk
from toolkit.errors import SpecError
from toolkit.evaluation.design import order
from toolkit.records import Example, Memory, Recall
from toolkit.streams.probe import Probe, tag, words
from toolkit.streams.said import AUTHORITY, OWN, Asked, Said, answer, read
from toolkit.traits.memory.stored import StoredMemory

PROBES = [
    tk.Abstention(tasks=26), tk.ClosedBook(tasks=26), tk.Contradiction(tasks=26), tk.ForgetOnRequest(tasks=36),
    tk.Interference(tasks=30), tk.KnowledgeUpdate(tasks=26), tk.MultiHop(tasks=26), tk.Personalisation(tasks=26),
    tk.RecallAtLag(tasks=36, lags=(1, 2, 6)), tk.RecallAtLag(tasks=36, lags=(1, 2, 6), across=False),
    tk.TemporalOrder(tasks=26),
]  # fmt: skip
IDS = [probe.label for probe in PROBES]
EVERYTHING = tk.FullContext(max_tokens=100_000)


class Obedient(StoredMemory):
    """Keeps one fact a subject and attribute, the latest or the registrar's; forgets a user who asks for it."""

    def write(self, experience):
        if "forget everything" in experience.task.inputs["told"]:
            self.forget(experience.task.user)
            return
        _, said = read(experience.task.inputs["told"]) or (0, None)
        name = f"{experience.task.user if said.subject == OWN else said.subject} {said.attribute}"
        held = self._store.get(name)
        if held is None or said.source == AUTHORITY or AUTHORITY not in held.text:
            self._store.put(Memory(name, experience.task.inputs["told"], "fact", user=experience.task.user))

    def read(self, task):
        return list(self._store)


ARMS = {
    "static": tk.Arm.static(),
    "none": tk.Arm.static_call("none"),
    "window": tk.Arm("window", memory=tk.SlidingWindow(k=2), transcript=False),
    "everything": tk.Arm("everything", memory=EVERYTHING, transcript=False),
    "nearest": tk.Arm("nearest", memory=tk.Retrieval(k=4), transcript=False),
    "own": tk.Arm("own", memory=tk.Retrieval(k=4, scope="user"), transcript=False),
    "obedient": tk.Arm("obedient", memory=Obedient(), transcript=False),
}


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Mean score by decider, arm, probe, kind and lag, of one run each; made once per decider."""
    root = tmp_path_factory.mktemp("probes")

    @functools.cache
    def run(lookup: bool):
        arms = [replace(arm, decider=tk.Lookup()) for arm in ARMS.values()] if lookup else list(ARMS.values())
        arms = [arm for arm in arms if not lookup or arm.name in ("none", "window", "everything", "obedient")]
        study = tk.Study(
            f"probes-{lookup}", streams=PROBES, arms=arms, lm=tk.Reader(), seeds=1, ledger=root, tracking="off"
        )
        assert {record.status for record in study.run()} == {"finished"}
        return tk.probe_scores(study, by="lag")

    def score(arm, kind, lag="", probe="", lookup=False):
        return run(lookup).row(arm, kind, str(lag), probe).score.value

    score.table = run
    return score


@pytest.mark.parametrize("probe", PROBES, ids=IDS)
def test_keys_follow_from_the_texts_alone(probe: Probe) -> None:
    assert [probe.oracle(task) for task, _ in probe.pairs()] == [key.answers[0] for _, key in probe.pairs()]


@pytest.mark.parametrize("probe", PROBES, ids=IDS)
def test_no_fact_is_asked_twice_so_no_correction_gives_away_a_later_answer(probe: Probe) -> None:
    asked = [(task.user, task.inputs["question"]) for task, _ in probe.pairs()]
    assert len(set(asked)) == len(asked) - len([kind for kind, _ in probe.tags() if kind == "update-new"])


@pytest.mark.parametrize("probe", PROBES, ids=IDS)
def test_whatever_the_order_nothing_is_asked_before_it_was_told(probe: Probe) -> None:
    pairs, orders = probe.pairs(), [order(probe, "shuffled", 0, seed) for seed in range(4)]
    assert len(set(orders)) > 1
    for places in orders:
        assert sorted(places) == list(range(len(pairs)))
        met = [read(pairs[place][0].inputs["told"])[0] for place in places]
        for at, place in enumerate(places):
            kind, lag = probe.tags()[place]
            assert lag == 0 or (kind in ("untold", "forgotten") or met[at - lag] == place - lag)


def test_a_window_recalls_as_far_as_it_reaches_and_no_further(scored) -> None:
    for lookup in (False, True):
        assert [scored("window", "recall", lag, "recall-at-lag", lookup) for lag in (1, 2, 6)] == [1, 1, 0]
        assert [scored("everything", "recall", lag, "recall-at-lag", lookup) for lag in (1, 2, 6)] == [1, 1, 1]


def test_a_transcript_is_short_term_memory(scored) -> None:
    assert [scored("static", "recall", lag, "recall-at-lag-within") for lag in (1, 2, 6)] == [1, 1, 1]
    assert [scored("static", "recall", lag, "recall-at-lag") for lag in (1, 2, 6)] == [0, 0, 0]


def test_similar_cases_fail_an_update_where_superseding_facts_pass(scored) -> None:
    assert scored("nearest", "update-old") >= 0.8
    assert scored("nearest", "update-new") <= 0.8
    assert scored("obedient", "update-new") == scored("obedient", "update-old") == 1


def test_who_believes_the_last_word_fails_a_contradiction_and_the_rule_of_sources_passes(scored) -> None:
    for lookup in (False, True):
        assert scored("everything", "authority-first", lookup=lookup) == 0
        assert scored("everything", "authority-last", lookup=lookup) == 1
        assert scored("obedient", "authority-first", lookup=lookup) == 1


def test_two_hops_need_both_memories(scored) -> None:
    assert scored("window", "multi-hop") == 0
    assert scored("nearest", "multi-hop") < scored("everything", "multi-hop") == 1


def test_order_needs_the_order(scored) -> None:
    assert scored("nearest", "order") < 1
    assert scored("everything", "order") == scored("everything", "order", lookup=True) == 1


def test_own_facts_need_an_own_memory(scored) -> None:
    assert scored("own", "own-first") == scored("own", "own-last") == 1
    assert scored("everything", "own-first") == scored("everything", "own-first", lookup=True) == 0


def test_who_cannot_forget_is_found_and_so_is_who_forgets_all(scored) -> None:
    assert scored("everything", "forgotten") == scored("everything", "forgotten", lookup=True) == 0
    assert scored("obedient", "forgotten") == scored("obedient", "kept") == 1
    assert (scored("none", "forgotten"), scored("none", "kept")) == (1, 0)


def test_without_memory_everything_told_is_unknown_and_the_controls_are_right(scored) -> None:
    for lookup in (False, True):
        table = scored.table(lookup)
        values = {(row.probe, row.kind): row.score.value for row in table.rows if row.arm == "none"}
        known = {"reading", "never", "untold", "forgotten"} | ({"knowledge"} if not lookup else set())
        assert {key: value for key, value in values.items() if value != (key[1] in known)} == {}


def test_alike_names_confuse_similarity_and_not_the_reader(scored) -> None:
    assert scored("everything", "recall", 4, "interference") == 1 > scored("nearest", "recall", 4, "interference")


def test_a_reader_of_half_the_skill_is_right_half_the_time(study, ledger) -> None:
    made = study(ARMS["everything"], stream=tk.RecallAtLag(tasks=60, lags=(1,)), lm=tk.Reader(skill=0.5), seeds=4)
    made.run()
    table = tk.probe_scores(made)
    assert abs(np.mean([row.score.value for row in table.rows]) - 0.5) < 0.12
    assert "two-way" in str(table)
    assert "<table>" in table._repr_html_()
    assert set(table.frame.asked) == {"recall", "never"}
    aged = tk.probe_scores(made, by="age", bins=3)
    assert [row.at for row in aged.rows if row.kind == "recall"] == ["0-19", "20-39", "40-59"]


def test_scores_of_what_is_no_probe_are_refused(study) -> None:
    made = study(tk.Arm.static())
    made.run()
    with pytest.raises(SpecError, match="asked nothing in a probe"):
        tk.probe_scores(made)
    with pytest.raises(SpecError, match="by must be"):
        tk.probe_scores(made, by="colour")


@pytest.mark.parametrize(
    ("probe", "told"),
    [
        (tk.RecallAtLag(tasks=5, lags=(4,)), "tasks must be a whole number from 6 to 6000 but is 5"),
        (tk.RecallAtLag(lags=(0, 2)), "lags must be"),
        (tk.KnowledgeUpdate(lag=0), "lag must be"),
        (tk.Interference(tasks=501), "from 6 to 500 but is 501"),
        (tk.MultiHop(draw=-1), "draw must be"),
    ],
)
def test_parameters_out_of_range_are_refused(probe: Probe, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        probe.pairs()


@pytest.mark.parametrize("cls", [tk.Interference, tk.MultiHop, tk.TemporalOrder])
def test_words_suffice_for_the_longest_stream(cls) -> None:
    assert len(cls(tasks=cls.most).pairs()) == cls.most


def test_a_long_life_is_thousands_of_tasks_with_lags_of_hundreds() -> None:
    tags = tk.LongLife().tags()
    assert len(tags) == 5000
    assert min(tags.count(("recall", lag)) for lag in (1, 8, 64, 512)) > 500


def test_a_long_life_harms_who_searches_in_all_of_it_and_not_who_forgets(study) -> None:
    every = tk.Retrieval(k=4, search="lexical")
    policies = {"window": tk.SlidingWindow(k=8), "all": every, "recent": tk.Bounded(every, size=100)}
    arms = [tk.Arm(name, memory=policy, transcript=False) for name, policy in policies.items()]
    made = study(*arms, stream=tk.LongLife(tasks=1000, lags=(1, 8, 64)), lm=tk.Reader(), seeds=1)
    made.run()
    aged, lagged = tk.probe_scores(made, by="age", bins=3), tk.probe_scores(made, by="lag")
    young, old = ({arm: aged.row(arm, "recall", at).score for arm in policies} for at in ("0-333", "668-1001"))
    assert young["all"].low > old["all"].high + 0.2
    assert old["window"].high > young["window"].value
    assert min(young["recent"].value, old["recent"].value) > 0.95
    assert [lagged.row("window", "recall", at).score.value for at in ("1", "8", "64")] == [1, 1, 0]


def test_no_word_means_two_things() -> None:
    held = words()
    lists = [*held["values"].values(), [one for name in ("firsts", "lasts") for one in held[name]], held["values"]]
    every = [word.lower() for one in lists for word in one]
    assert len(set(every)) == len(every)
    assert all(len(set(answers)) == 4 for answers in held["knowledge"].values())


def test_facts_in_other_words_are_read_and_questions_are_not() -> None:
    asked = Asked("value", "Mara Velk", "badge")
    assert answer(asked, ["- Mara Velk: badge = teal"], ("teal", "olive")) == "teal"
    assert answer(asked, ["Is Mara Velk's badge olive?"], ("teal", "olive")) == "unknown"
    assert answer(asked, ["Note 3: Mara Velkson's badge is olive."], ("teal", "olive")) == "unknown"


@pytest.mark.parametrize("said", [Said("Mara Velk", "badge", "teal", "porter"), Said("my", "tree", "oak"), Said()])
def test_what_is_said_can_be_read(said: Said) -> None:
    assert read(said.text(4)) == (4, said)


def test_a_lookup_reads_notes_and_transcripts_too() -> None:
    from toolkit.agents.decision import Context

    task = tk.Task("t", {"told": "x", "question": "What is my tree?"}, ("elm", "oak", "unknown"))
    look = tk.Lookup()
    look.reset(np.random.default_rng(0))
    note = Context(recall=Recall(notes="- Note 3: My tree is elm."))
    both = replace(note, transcript=(Example({"told": "Note 9: My tree is oak."}, "unknown"),))
    answers = [look.decide(tk.RecallAtLag.step, task, one, None).answer for one in (Context(), note, both)]
    assert answers == ["unknown", "elm", "oak"]
    assert tag("t0001") is None
