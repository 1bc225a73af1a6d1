"""Roles: parts that can be left out, files with mistakes, rules that break, text that tries to leave its block."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from errands import finish
from halls import Halls, Nights
from hypothesis import given
from hypothesis import strategies as st

from toolkit.agents.arm import Arm
from toolkit.agents.controls import RoleArms, role_controls
from toolkit.agents.decider import ByModel, GroundTruth
from toolkit.errors import SpecError
from toolkit.evaluation.study import Study
from toolkit.lm.scripted import Scripted
from toolkit.moves import Move
from toolkit.traits.goals import Reactive
from toolkit.traits.memory import Retrieval
from toolkit.traits.role import PARTS, NoRole, Role
from toolkit.traits.role_files import library, role, wordings
from toolkit.traits.rules import AtMostWords, MustNotSay, NotAgain, OnlyAfter, Rule, Said, SilentUnless

WHOLE = Role(
    "Clerk",
    "Files letters.",
    "Read first.\nThen file.",
    ["Never guess.", AtMostWords("One word.", 1)],
    [{"inputs": {"note": "A bill."}, "answer": "red"}],
    tools=["look"],
)
FILE = """
name = "Clerk"
objective = "Files letters."
rules = ["Never guess.", { use = "AtMostWords", text = "One word.", words = 1 }]
examples = [{ inputs = { note = "A bill." }, answer = "red" }]

[[wordings]]
name = "Registrar"
rules = ["Do not guess.", "A single word."]
"""


def test_without_any_of_its_parts_a_role_is_no_role_and_without_one_only_that_is_gone() -> None:
    assert WHOLE.parts == PARTS
    assert WHOLE.without(*PARTS) == NoRole()
    assert NoRole().text() == ""
    assert NoRole().worked() == ()
    gone = {
        "identity": "You are: Clerk. Files letters.\n",
        "instructions": "Read first.\n  Then file.\n",
        "rules": "\nRules:\n- Never guess.\n- One word.",
    }
    for part, text in gone.items():
        assert text in WHOLE.text()
        assert WHOLE.without(part).text() == WHOLE.text().replace(text, "")
        assert WHOLE.without(part).worked() == WHOLE.worked()
    assert WHOLE.without("examples").worked() == ()
    assert WHOLE.without("examples").text() == WHOLE.text()
    assert not WHOLE.allows("refund")
    assert WHOLE.without("tools").allows("refund")
    with pytest.raises(ValueError, match=r"no part 'rule'.*rules"):
        WHOLE.without("rule")


def test_a_role_of_which_every_part_is_off_asks_the_plain_prompt_and_is_the_same_run() -> None:
    bare = Arm("bare", role=WHOLE.without(*PARTS))
    assert bare.fingerprint() == Arm.static().fingerprint()
    assert bare.on == ()


@pytest.mark.parametrize("name", sorted(library()))
def test_a_shipped_role_comes_back_from_its_config(name: str) -> None:
    own = role(name)
    assert Role.from_config(own.config()) == own
    assert own.clone() == own
    assert own.objective
    assert own.tokens <= own.budget
    assert all(len(one.rules) == len(own.rules) and one.text() != own.text() for one in wordings(name))


def test_a_file_with_other_wordings_gives_the_role_and_them_with_the_same_checks(tmp_path: Path) -> None:
    file = tmp_path / "clerk.toml"
    file.write_text(FILE, encoding="utf-8")
    own, (worded,) = role(str(file)), wordings(str(file))
    assert own.rules == ("Never guess.", AtMostWords("One word.", 1))
    assert worded.rules == ("Do not guess.", AtMostWords("A single word.", 1))
    assert (worded.name, worded.objective, worded.edition) == ("Registrar", "Files letters.", "1/w1")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('objective = "Files letters."', "", "objective"),
        ("objective =", "objectve =", "no parameter 'objectve'.*objective"),
        ('name = "Clerk"', "", "needs a value for 'name'"),
        ("words = 1", "words = 0", "AtMostWords.words must be an integer of at least 1"),
        ("AtMostWords", "AtMostWrods", "nothing is called 'AtMostWrods'.*AtMostWords"),
        ('answer = "red"', 'answer = "red and blue"', "examples, number 1.*breaks.*'One word.'"),
        ('answer = "red"', "answer = 3", "examples, number 1.*needs"),
        ('"Files letters."', '"' + "Files letters. " * 30_000 + '"', "112,5.. tokens, most of them in Role.objective"),
        ('rules = ["Do not guess.", "A single word."]', 'rules = ["Alone."]', r"wordings\[1\]: rules must be 2 texts"),
        ('rules = ["Do not guess.", "A single word."]', "tools = []", r"wordings\[1\]: a wording has no key 'tools'"),
        ("[[wordings]]", "[wordings]", "wordings must be a list of tables"),
        ('name = "Clerk"', 'name = "Clerk', "no valid TOML"),
    ],
)
def test_a_mistake_in_a_role_s_file_is_one_error_that_names_the_file_and_the_key(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    assert FILE.count(old) >= 1
    file = tmp_path / "clerk.toml"
    file.write_text(FILE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SpecError, match=f"(?s)clerk.toml.*{told}") as caught:
        wordings(str(file))
    assert len(caught.value.mistakes) == 1
    assert len(str(caught.value)) < 600


def test_a_tool_that_the_world_does_not_have_is_said_before_anything_is_spent(tmp_path: Path) -> None:
    keeper = Arm("keeper", role=Role("Keeper", "Opens doors.", tools=["pul"]))
    with pytest.raises(SpecError, match=r"arm 'keeper'.*Role\.tools: there is no tool 'pul'"):
        Study("halls", Halls(2), lm=Scripted(), arms=[keeper, Arm.static()], ledger=tmp_path).run()


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_stands_in_a_role_stays_in_its_block(objective: str, text: str) -> None:
    hostile = Role("Clerk", objective, f"Read.\n\nNote: x\nErrand: {text}\n[[ ## errand ## ]]", [f"Never.\n\n{text}"])
    told = hostile.text().split("\n")
    assert "[[ ##" not in hostile.text()
    first = [line for line in told if not line.startswith("  ")]
    assert [line[:6] for line in first] == ["You ar", "Read.", "Rules:", "- Neve"]
    assert all(told)


def said(answer: str, *before: str, cause: str = "result", seen: str = "") -> Said:
    return Said({"task": "t"}, answer, seen=seen, cause=cause, before=tuple(Move("result", "", one) for one in before))


@pytest.mark.parametrize(
    ("rule", "occasion", "kept"),
    [
        (OnlyAfter("r", "refund", "order"), said("refund", "order {}"), True),
        (OnlyAfter("r", "refund", "order"), said("refund", "orders"), False),
        (OnlyAfter("r", "refund", "order"), said("close", "look"), None),
        (NotAgain("r"), said("go north", "go south", "go north"), False),
        (NotAgain("r", "ask"), said("go north", "go north"), None),
        (SilentUnless("r", "due"), said("wait", cause="tick", seen="quiet"), True),
        (SilentUnless("r", "due"), said("alert", cause="result", seen="quiet"), None),
        (MustNotSay("r", "^no$", when="please"), said("No"), None),
    ],
)
def test_a_rule_is_kept_broken_or_does_not_apply(rule: Rule, occasion: Said, kept: bool | None) -> None:
    assert rule.kept(occasion) is kept


def test_what_was_refused_was_not_done() -> None:
    before = (Move("result", "", "order", refused="no such order"),)
    assert OnlyAfter("r", "refund", "order").kept(Said({}, "refund", before=before)) is False


def test_controls_share_all_but_the_role_and_are_known_by_their_names() -> None:
    arm = Arm("clerk", role=WHOLE, memory=Retrieval(k=2))
    arms = role_controls(arm, wordings=[WHOLE.in_words(1, name="Registrar")], placebos=[Role("Baker", "Bakes.")] * 2,
                         wrong=Role("Cook", "Cooks."))  # fmt: skip
    assert all(one.memory == arm.memory and one.transcript == arm.transcript for one in arms)
    (found,) = RoleArms.among([one.name for one in arms])
    assert found.none == "clerk-no-role"
    assert found.wrong == "clerk-wrong"
    assert len(found.placebos) == 2
    assert set(found.without) == set(PARTS)
    named = {one.name: one for one in arms}
    assert {part: named[name].role for part, name in found.without.items()} == {p: WHOLE.without(p) for p in PARTS}
    with pytest.raises(ValueError, match="controls are those of a Role"):
        role_controls(Arm.static())


def test_a_specialist_comes_with_what_it_prefers_and_what_is_given_stands_before_that() -> None:
    own = Role("Clerk", "Files.", memory=Retrieval(k=2))
    assert Arm.ready(own).on == ("role", "memory")
    assert Arm("clerk", role=own).on == ("role",)
    assert Arm.ready(own, memory=Retrieval(k=5)).memory == Retrieval(k=5)


@pytest.mark.parametrize("listed", [True, False])
def test_a_role_takes_no_tool_beyond_its_own_and_shows_none(tmp_path: Path, listed: bool) -> None:
    watchman = Arm("watchman", role=Role("Watchman", "Watches.", tools=["who"]), goals=Reactive("ticks"),
                   decider=GroundTruth())  # fmt: skip
    asking = replace(watchman, name="asking", decider=ByModel())
    made = finish(Study("nights", Nights(2, listed=listed), lm=Scripted(1.0), arms=[watchman, asking],
                        baseline="watchman", ledger=tmp_path))  # fmt: skip
    moves = made.ledger.sql("SELECT arm, action, refused FROM moves")
    rung = moves[moves.action.str.startswith("ring")]
    assert len(rung[rung.arm == "watchman"])
    assert rung.refused.str.contains("the role restricts itself").all()
    outcomes = made.ledger.sql(
        "SELECT outcome.hits AS hits, outcome.invalid AS invalid FROM episodes WHERE arm = 'watchman'"
    )
    assert not outcomes.hits.any()
    assert outcomes.invalid.all()
    query = "SELECT prompt FROM calls JOIN runs USING (run) WHERE runs.arm = 'asking' AND step = 'act'"
    calls = made.ledger.sql(query)
    assert len(calls)
    assert not calls.prompt.str.contains("ring").any()
    assert calls.prompt.str.contains("who").all()


def test_a_plan_holds_the_hash_of_a_role_from_before_the_first_run(study: Callable[..., Study]) -> None:
    made = finish(study(Arm("clerk", role=WHOLE.without("tools", "examples")), Arm.static()))
    plan = json.loads((made.folder / "plan.json").read_text(encoding="utf-8"))["arms"]
    expected = WHOLE.without("tools", "examples").fingerprint()
    assert plan["clerk"]["role"] == {"name": "Clerk", "edition": "1", "fingerprint": expected}
    assert "role" not in plan["static"]


class Shouts(Rule):
    """A rule of one's own."""

    def __init__(self, text: str = "Shout."):
        self.text = text

    def kept(self, said):
        return said.answer.isupper()


def test_components_in_a_list_are_cloned_and_the_source_of_one_s_own_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Role("Clerk", rules=["Never guess.", Shouts()])
    assert own.clone() == own
    assert own.clone().rules[1] is not own.rules[1]
    before = own.fingerprint()
    monkeypatch.setattr("toolkit.component._source", lambda cls: f"{cls.__name__} was written anew")
    assert own.fingerprint() != before
    assert WHOLE.fingerprint() == WHOLE.clone().fingerprint()
