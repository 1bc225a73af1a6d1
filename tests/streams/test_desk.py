"""The shipped service desk: drawn rules, words that do not give them away, sessions, an oracle that reads tickets."""

import itertools
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from string import Formatter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.component import digest
from toolkit.records import Task
from toolkit.streams.desk import Company, Desk, wordings
from toolkit.streams.stream import Pair, sessions, shuffled
from toolkit.traits.role import NoRole
from toolkit.traits.role_files import role

desks = st.builds(
    Desk,
    tasks=st.integers(1, 150),
    queues=st.integers(2, 24),
    draw=st.integers(0, 2**70),
    returning=st.floats(0, 1),
    delay=st.integers(0, 5),
)


def texts(pairs: Sequence[Pair]) -> list[str]:
    return [task.inputs["ticket"] for task, _ in pairs]


def answers(pairs: Sequence[Pair]) -> list[str]:
    return [key.answers[0] for _, key in pairs]


def is_regular(task: Task) -> bool:
    return not task.user.startswith("visitor-")


# What is drawn


def test_equal_parameters_give_equal_pairs_in_another_process():
    code = "from toolkit.streams.desk import Desk; print(Desk(tasks=80, draw=3).fingerprint())"
    found = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert found == {Desk(tasks=80, draw=3).fingerprint()}


def test_another_draw_is_another_company():
    for queues in (2, 20, 24):
        companies = [Company.drawn(draw, queues) for draw in range(12)]
        assert len({digest(dict(company.rules)) for company in companies}) == 12
        assert len({company.regulars for company in companies}) == 12
    twelve = [Company.drawn(draw, 24).rules for draw in range(12)]
    agreement = [np.mean([a[topic] == b[topic] for topic in a]) for a in twelve for b in twelve if a is not b]
    assert np.mean(agreement) < 0.1


def test_which_topics_share_a_queue_is_drawn_too():
    def shared(company: Company) -> frozenset[frozenset[str]]:
        return frozenset(frozenset(t for t, q in company.rules.items() if q == queue) for queue in company.queues)

    assert len({shared(Company.drawn(draw, 3)) for draw in range(12)}) == 12


def test_the_randomness_is_the_documented_one():
    rng = np.random.default_rng(np.random.SeedSequence(3, spawn_key=(1,)))
    expected = rng.permutation(list(wordings().topics) * 3).tolist()
    assert [wordings().topic(text) for text in texts(Desk(draw=3).pool())] == expected


def test_no_queue_says_anything_about_a_topic():
    rules = [Company.drawn(draw, 24).rules for draw in range(400)]
    for topic in wordings().topics:
        most = Counter(found[topic] for found in rules).most_common(1)[0][1]
        assert most < 40, f"{topic} goes to one queue in {most} of 400 draws, expected about 14"


@given(draw=st.integers(0, 10_000), queues=st.integers(2, 24))
def test_every_queue_has_work_evenly(draw, queues):
    company = Company.drawn(draw, queues)
    load = Counter(company.rules.values())
    assert set(load) == set(company.queues)
    assert len(company.queues) == queues
    assert set(company.rules) == set(wordings().topics)
    assert max(load.values()) - min(load.values()) <= 1


def test_the_place_among_the_options_tells_nothing():
    first = [
        answer == task.options[0]
        for draw in range(60)
        for task, key in Desk(draw=draw).pairs()
        for answer in key.answers
    ]
    assert np.mean(first) == pytest.approx(1 / 20, abs=0.02)


def test_one_in_three_regulars_has_a_handler_who_overrides_the_rules():
    company = Company.drawn(5, 20)
    assert sum(bool(customer.handler) for customer in company.regulars) == len(company.regulars) // 3
    for start in range(0, 39, 3):
        assert sum(bool(customer.handler) for customer in company.regulars[start : start + 3]) == 1
    desk = Desk(tasks=300, draw=5)
    handlers = {customer.user: customer.handler for customer in desk.company().regulars}
    overridden = 0
    for task, key in desk.pairs():
        rule = company.rules[wordings().topic(task.inputs["ticket"])]
        expected = handlers.get(task.user) or rule
        assert key.answers == (expected,)
        overridden += expected != rule
    assert 0.08 < overridden / 300 < 0.25


def test_another_number_of_queues_changes_the_answers_but_not_the_tickets():
    few, many = Desk(tasks=100, queues=3).pairs(), Desk(tasks=100, queues=24).pairs()
    assert texts(few) == texts(many)
    assert [task.session for task, _ in few] == [task.session for task, _ in many]
    assert answers(few) != answers(many)


# Tasks and keys


@settings(deadline=None, max_examples=60)
@given(desk=desks)
def test_any_desk_is_sound(desk):
    pairs, options = desk.pairs(), desk.company().queues
    assert len(pairs) == desk.tasks
    assert [task.id for task, _ in pairs][:1] == ["t0000"]
    assert sum(is_regular(task) for task, _ in pairs) == round(desk.tasks * desk.returning)
    for place, (task, key) in enumerate(pairs):
        assert set(task.inputs) == {"ticket"}
        assert task.options == options
        assert task.time == place
        assert key.answers == (desk.oracle(task),)
        assert (key.delay, key.oracle) == (desk.delay, 1.0)
    check_sessions(pairs)
    assert Desk.from_config(desk.config()).pairs() == pairs


def check_sessions(pairs: Sequence[Pair]) -> None:
    for places in sessions(pairs):
        assert places == list(range(places[0], places[0] + len(places))), "a session is interrupted"
        task = pairs[places[0]][0]
        assert {pairs[place][0].user for place in places} == {task.user}
        assert len(places) <= (3 if is_regular(task) else 1)


def test_sessions_of_all_lengths_occur_and_survive_another_order():
    pairs = Desk(tasks=200).pairs()
    assert {len(places) for places in sessions(pairs)} == {1, 2, 3}
    order = shuffled(Desk(tasks=200), np.random.default_rng(0))
    check_sessions([pairs[place] for place in order])


@pytest.mark.parametrize("tasks", [60, 300])
def test_regulars_come_back_over_the_whole_stream(tasks):
    for draw in range(8):
        pairs = Desk(tasks=tasks, draw=draw).pairs()
        starts: dict[str, list[int]] = {}
        for places in sessions(pairs):
            starts.setdefault(pairs[places[0]][0].user, []).append(places[0])
        regulars = {user: found for user, found in starts.items() if not user.startswith("visitor-")}
        assert all(len(found) == 1 for user, found in starts.items() if user not in regulars)
        assert min(map(len, regulars.values())) >= 2
        assert np.mean([found[-1] - found[0] for found in regulars.values()]) > tasks / 3
        visits = [user for _, user in sorted((start, user) for user, found in regulars.items() for start in found)]
        assert all(one != following for one, following in itertools.pairwise(visits))
        gaps = [later - earlier for found in regulars.values() for earlier, later in itertools.pairwise(found)]
        assert np.median(gaps) > 5


@pytest.mark.parametrize(("tasks", "limit"), [(60, 0.3), (300, 0.17)])
def test_always_the_commonest_queue_is_hardly_ever_right(tasks, limit):
    shares = [Counter(answers(Desk(tasks=tasks, draw=draw).pairs())).most_common(1)[0][1] / tasks for draw in range(20)]
    assert max(shares) < limit
    assert np.mean(shares) < 2 / 3 * limit


def test_the_oracle_reads_the_ticket_and_not_the_key():
    desk = Desk(tasks=100)
    visitors = [pair for pair in desk.pairs() if not is_regular(pair[0])]
    (one, its), (other, their) = next((a, b) for a in visitors for b in visitors if a[1] != b[1])
    assert desk.oracle(replace(one, inputs=other.inputs)) == their.answers[0] != its.answers[0]
    with pytest.raises(ValueError, match=r"is about one topic.*What is the weather"):
        desk.oracle(replace(one, inputs={"ticket": "What is the weather?"}))


def test_the_pool_is_apart_and_covers_every_topic():
    for draw in range(4):
        desk = Desk(tasks=300, draw=draw)
        pool, pairs = desk.pool(), desk.pairs()
        assert len(pool) == 3 * len(wordings().topics) >= 60
        assert set(Counter(wordings().topic(text) for text in texts(pool)).values()) == {3}
        assert not set(texts(pool)) & set(texts(pairs))
        for part in ("id", "user", "session"):
            assert not {getattr(task, part) for task, _ in pool} & {getattr(task, part) for task, _ in pairs}
        assert answers(pool) == [desk.oracle(task) for task, _ in pool]
        assert pool == Desk(tasks=5, draw=draw).pool()


# Words


def test_texts_differ():
    assert len(set(texts(Desk(tasks=300).pairs()))) == 300
    words, rng = wordings(), np.random.default_rng(1)
    topics = list(words.topics)
    names = ("", *words.visitors)
    drawn = [words.write(rng, topics[rng.integers(24)], names[rng.integers(len(names))]) for _ in range(2000)]
    assert len(drawn) - len(set(drawn)) < 0.02 * 2000


def test_tickets_are_short():
    for draw in range(4):
        lengths = [len(text.split()) for text in texts(Desk(tasks=1000, draw=draw).pairs())]
        assert min(lengths) >= 8
        assert max(lengths) <= 22
        assert 13 < np.mean(lengths) < 15


def test_the_words_of_queues_occur_in_no_ticket():
    words = wordings()
    forbidden = re.compile(rf"\b({'|'.join({part for queue in words.queues for part in queue.split()})})\b", re.I)
    material = [*words.regulars, *words.visitors, *words.topics]
    for table in (words.openings, words.closings, words.slots, words.topics):
        material += [text for listed in table.values() for text in listed]
    assert [text for text in material if forbidden.search(text)] == []
    for draw in range(3):
        pairs = Desk(tasks=300, queues=24, draw=draw).pairs()
        assert not [text for text in texts(pairs) for queue in pairs[0][0].options if queue in text.lower()]


def test_a_regulars_name_stands_in_every_ticket_and_in_no_strangers():
    pairs = Desk(tasks=300).pairs()
    names = {name.lower() for name in wordings().regulars}
    assert names.isdisjoint(name.lower() for name in wordings().visitors)
    for task, _ in pairs:
        found = names & set(re.findall(r"\w+", task.inputs["ticket"].lower()))
        assert found == ({task.user} if is_regular(task) else set())


def test_there_is_enough_material_and_every_wording_belongs_to_one_topic():
    words, rng = wordings(), np.random.default_rng(0)
    assert len(words.queues) == len(set(words.queues)) >= 24
    assert len(words.topics) >= 24
    assert {len(queue.split()) for queue in words.queues} == {1, 2, 3}
    for topic, frames in words.topics.items():
        assert len(set(frames)) == len(frames) >= 10
        for frame in frames:
            assert {slot for _, slot, _, _ in Formatter().parse(frame) if slot} <= set(words.slots)
        for _ in range(200):
            assert words.topic(words.write(rng, topic, "Mara")) == topic


def test_similar_tickets_help_and_do_not_solve_it():
    wordllama = pytest.importorskip("wordllama")
    model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
    curves, sham = [], []
    for draw in range(6):
        pairs = Desk(tasks=200, draw=draw).pairs()
        vectors, found = model.embed(texts(pairs), norm=True), answers(pairs)
        nearest = [int(np.argmax(vectors[:place] @ vectors[place])) for place in range(1, 200)]
        curves.append([found[near] == found[place] for place, near in enumerate(nearest, start=1)])
        permuted = np.random.default_rng(draw).permutation(found)
        sham.append(np.mean([permuted[near] == found[place] for place, near in enumerate(nearest, start=1)]))
        assert 0.4 < np.mean(curves[-1][100:]) < 0.9
    curve = np.mean(curves, axis=0)
    assert curve[:40].mean() + 0.1 < curve[100:].mean()
    assert np.mean(sham) < 0.12


# Parameters


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"tasks": 0}, "tasks must be a whole number from 1 to 10000 but is 0"),
        ({"tasks": 10_001}, "from 1 to 10000 but is 10001"),
        ({"tasks": 60.0}, "tasks must be a whole number from 1 to 10000 but is 60.0"),
        ({"queues": 1}, "queues must be a whole number from 2 to 24 but is 1"),
        ({"queues": 25}, "from 2 to 24 but is 25"),
        ({"tasks": True}, "tasks must be a whole number"),
        ({"draw": -1}, "draw must be a whole number at least 0 but is -1"),
        ({"delay": -2}, "delay must be a whole number at least 0 but is -2"),
        ({"returning": 1.1}, r"returning must be a share in \[0, 1\] but is 1.1"),
        ({"returning": float("nan")}, "but is nan"),
        ({"returning": "half"}, "but is 'half'"),
    ],
)
def test_a_parameter_out_of_range_is_refused_when_loaded(parameters, message):
    desk = Desk(**parameters)
    for use in (desk.load, desk.pool, desk.company):
        with pytest.raises(ValueError, match=message):
            use()


def test_all_mistakes_are_listed_at_once():
    with pytest.raises(ValueError, match=r"(?s)2 mistakes.*tasks.*queues"):
        Desk(tasks=-1, queues=99).load()


# The role that goes with it


@pytest.mark.parametrize("name", ["service-desk", "banking-triage"])
def test_the_shipped_roles_load_and_give_no_rule_away(name):
    text = role(name).text().lower()
    assert NoRole().text() == "" != text
    assert not [queue for queue in wordings().queues if re.search(rf"\b{queue}\b", text)]
    assert not role("service-desk").worked()
