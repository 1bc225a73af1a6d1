"""Versions of prompts are what the ledger says: made when, in force when, with which score, and what they changed."""

from __future__ import annotations

import math
from collections.abc import Callable
from unittest.mock import patch

import pytest
from errands import Errands, finish, prompts
from hypothesis import given
from hypothesis import strategies as st
from switching import ATTACK, BLOCKS, SPANS, Switching

import toolkit as tk
from toolkit.analysis import differing
from toolkit.analysis.differing import Difference, block_lines
from toolkit.analysis.shown import visible
from toolkit.evaluation.exams import Exams
from toolkit.evaluation.study import Study
from toolkit.records import Example, Learned
from toolkit.report import html

Make = Callable[..., Study]
SWITCHING = tk.Arm("switching", learning=Switching())


def test_versions_are_what_happened_and_what_stood_in_the_prompts(study: Make) -> None:
    made = finish(study(tk.Arm.static(), SWITCHING))
    found = tk.versions(made)
    assert [(one.seed, one.number) for one in found.rows] == [(seed, number) for seed in (0, 1) for number in range(4)]
    frame = made.episodes()
    for one in found.rows:
        assert (one.arm, one.learned.instruction, one.learned.notes) == (
            "switching",
            BLOCKS[one.number].instruction,
            BLOCKS[one.number].notes,
        )
        assert [(e.inputs, e.answer) for e in one.learned.examples] == [
            (e.inputs, e.answer) for e in BLOCKS[one.number].examples
        ]
        assert (one.made, one.spans) == ((0, 6, 12, 18)[one.number], SPANS[one.number])
        inside = [t for t in range(24) if any(a <= t < (b or 24) for a, b in one.spans)]
        own = frame[(frame.arm == "switching") & (frame.seed == one.seed) & frame.t.isin(inside)]
        assert one.score.n == len(inside)
        assert math.isnan(one.score.value) if not inside else one.score.value == pytest.approx(own.score.mean())
        asked = prompts(made, "switching", seed=one.seed)
        if one.learned.instruction:
            words = one.learned.instruction[:24]
            assert [t for t in range(24) if words in asked[t]] == inside
    assert [(one.fate, one.why) for one in found.rows[:3]] == [
        ("replaced", "3 was better"),
        ("rolled back", "it gave no answers"),
        ("rejected", "no better"),
    ]
    assert [(one.seed, one.t, one.done) for one in found.alarms] == [(0, 10, "tuned anew"), (1, 10, "tuned anew")]
    assert tk.versions(made, arm="switching", seed=1).in_force.number == 3
    assert (len(found.frame), len(tk.versions(made, arm="static"))) == (8, 0)
    assert "No version" in str(tk.versions(made, arm="static"))


def test_a_running_study_shows_what_there_is_so_far(study: Make) -> None:
    made, seen = study(SWITCHING, seeds=1), []

    def watch(run: object, episode: tk.Episode) -> None:
        if episode.t in (3, 9):
            seen.append([(one.number, one.spans) for one in tk.versions(made).rows])

    made.run(watch=watch)
    assert seen == [[], [(0, ((0, 8),)), (1, ((8, None),))]]


def test_an_exam_of_a_copy_tells_of_nothing_twice(study: Make) -> None:
    alone = finish(study(SWITCHING, seeds=1, name="alone"))
    examined = finish(study(SWITCHING, seeds=1, exams=Exams(False, 6, 2)))
    query = "SELECT phase, t, kind, number, fate FROM changes WHERE study = $1 ORDER BY ALL"
    told = [made.ledger.sql(query, made.name).values.tolist() for made in (alone, examined)]
    assert told[0] == told[1] != []


def test_what_late_feedback_changes_after_the_stream_is_made_at_its_end(study: Make) -> None:
    made = finish(study(SWITCHING, seeds=1, stream=Errands(tasks=18, delay=3), second_pass="same"))
    last = tk.versions(made).in_force
    assert (last.number, last.made, last.spans, last.score.n) == (3, 18, ((18, None),), 0)
    assert "no values" in last.score.reason


def test_a_difference_marks_words_and_whatever_texts_hold_stays_text(study: Make) -> None:
    found = tk.versions(finish(study(SWITCHING, seeds=1)))
    assert str(found.diff(1, 2)) == (
        "--- version 1\n+++ version 2\n  instruction:\n~   Name the errand at [-once.-]{+last.+}\n"
        "+ notes:\n+   Be brief.\n+ example:\n+   note: about the knab\n+   -> bank"
    )
    assert "<del" in found.diff(1, 2)._repr_html_()
    assert not found.diff(2, 2)
    last = found.diff()
    assert last.b == "version 3"
    for text in (str(found), found._repr_html_(), str(last), last._repr_html_()):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\\x1b[31m" in text
    assert "<script" not in last._repr_html_() + found._repr_html_()


def test_what_is_not_there_is_said_with_what_is(study: Make) -> None:
    made = finish(study(SWITCHING))
    with pytest.raises(tk.SpecError, match="did you mean 'switching'"):
        tk.versions(made, arm="switchin")
    with pytest.raises(tk.SpecError, match="seeds: 0, 1"):
        tk.versions(made, seed=7)
    with pytest.raises(tk.SpecError, match=r"one run is wanted.*seed 0; arm 'switching', seed 1"):
        tk.versions(made).diff()
    with pytest.raises(tk.SpecError, match="has 0 to 3"):
        tk.versions(made, seed=0).row(9)


texts = st.text(st.sampled_from("ab \n\t<\x1b\u202e&"), max_size=30)
blocks = st.builds(
    Learned, texts, st.lists(st.builds(Example, st.dictionaries(texts, texts, max_size=2), texts), max_size=3), texts
)


@given(blocks, blocks)
def test_both_blocks_can_be_read_off_their_difference(one: Learned, other: Learned) -> None:
    with patch.object(differing, "_AROUND", 1000):
        found = Difference.of("a", one, "b", other)
    if not found:
        assert block_lines(one) == block_lines(other)
        return

    def side(signs: str, gone: str) -> list[str]:
        return ["".join(text for kind, text in parts if kind != gone) for sign, parts in found.lines if sign in signs]

    assert side(" -~", "new") == list(map(visible, block_lines(one)))
    assert side(" +~", "gone") == list(map(visible, block_lines(other)))


def test_large_texts_are_compared_in_little_time() -> None:
    one, other = (Learned(" ".join(f"{word}{n}" for n in range(50_000))) for word in "ab")
    assert [sign for sign, _ in Difference.of("a", one, "b", other).lines] == [" ", "-", "+"]


def test_a_report_tells_of_versions_and_alarms_and_only_where_there_are_any(study: Make) -> None:
    made = finish(study(tk.Arm.static(), SWITCHING, learning_free()))
    page = html(made.ledger, made.name)
    assert "What learners made of their prompts" in page
    row = page[page.index("put in force") :]
    assert row[: row.index("</table>")].count("switching") == 1
    assert '>6</td><td class="n">4</td><td class="n">2</td><td class="n">2</td>' in row
    assert "Drifts that agents noticed" in page
    assert "tuned anew" in page
    assert "<script>alert" not in page
    assert "\x1b" not in page
    assert ATTACK[:8] not in page
    quiet = finish(study(tk.Arm.static(), learning_free(), name="quiet"))
    assert "What learners made" not in html(quiet.ledger, quiet.name)


def learning_free() -> tk.Arm:
    return tk.Arm("memory", memory=tk.Retrieval(k=2))
