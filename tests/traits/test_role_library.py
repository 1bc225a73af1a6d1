"""The library of roles: each is in order, in six wordings, right for the stream that judges it, and on its page."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from itertools import combinations

import pages
import pytest
from errands import DATA

from toolkit.agents.arm import Arm
from toolkit.agents.decider import GroundTruth
from toolkit.evaluation.study import Study
from toolkit.moves import Move
from toolkit.streams import Desk, DeskCases, Stream, Tau2, TextWorldFiles, TwentyQuestions, WorldStream
from toolkit.streams.benchmarks import Banking77
from toolkit.streams.channel import NoFeedback
from toolkit.streams.conversations import Locomo
from toolkit.traits.goals import GoalPolicy
from toolkit.traits.role import Role, rule_text
from toolkit.traits.role_files import library, role, wordings
from toolkit.traits.rules import Said

JUDGES: dict[str, tuple[str, str, Callable[[str], Stream]]] = {
    "banking-triage": ("`Banking77`", "banking77", lambda path: Banking77(path, options=10, tasks=20)),
    "general-assistant": ("any stream", "", lambda _: Desk(tasks=4)),
    "incident-responder": ("`DeskCases(watch=1)`", "", lambda _: DeskCases(tasks=6, watch=1.0)),
    "research-assistant": (
        "`Locomo`, and whatever is told in sessions",
        "locomo/locomo10_dev6.json",
        lambda path: Locomo(path, questions=60),
    ),
    "retail-support": ('`Tau2(domain="retail")`', "tau2", lambda path: Tau2(path, tasks=8)),
    "service-desk": ("`Desk`", "", lambda _: Desk(tasks=12)),
    "service-desk-cases": ("`DeskCases(watch=0)`", "", lambda _: DeskCases(tasks=12, watch=0.0)),
    "text-adventure-player": (
        "`TextWorld`, `TextWorldFiles`",
        "textworld",
        lambda path: TextWorldFiles(path, games=2),
    ),
    "twenty-questions-interviewer": ("`TwentyQuestions`", "", lambda _: TwentyQuestions(tasks=6, things=16)),
}
NAMES = list(library())


class Free(GoalPolicy):
    """Acts on every turn, as far as it may."""

    autonomy = "notify"

    def wants(self, now) -> bool:
        return True


def judge_of(name: str) -> Stream:
    """The stream that can judge a role, small."""
    _, folder, made = JUDGES[name]
    if not (DATA / folder).exists():
        pytest.skip(f"needs the data of {folder}, which are not part of the project")
    return made(str(DATA / folder))


def test_every_role_has_its_judge() -> None:
    assert set(NAMES) == set(JUDGES)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_in_order(name: str) -> None:
    found = role(name)
    found.check()
    assert found.text().startswith(f"You are: {found.name}. {found.objective}")
    assert all(rule_text(rule) in found.text() for rule in found.rules)
    assert Role.from_config(found.config()) == found
    assert found.tokens <= 500 < found.budget
    assert [line.split(":")[0] for line in found.history] == [str(n + 1) for n in range(int(found.edition))]


@pytest.mark.parametrize("name", NAMES)
def test_it_has_five_other_wordings_and_no_sentence_in_two(name: str) -> None:
    original, others = role(name), wordings(name)
    assert len(others) == 5
    for one in others:
        one.check()
        assert (one.parts, one.examples, one.tools) == (original.parts, original.examples, original.tools)
        assert [type(rule) for rule in one.rules] == [type(rule) for rule in original.rules]
        assert 0.7 < len(one.text()) / len(original.text()) < 1.4
    for one, other in combinations([original, *others], 2):
        shared = set(_sentences(one)) & set(_sentences(other))
        assert not shared, shared


def _sentences(one: Role) -> list[str]:
    said = (one.name, one.objective, one.instructions, *map(rule_text, one.rules))
    return [text.casefold() for text in said if text]


@pytest.mark.parametrize("name", NAMES)
def test_its_tools_and_scorers_are_those_of_its_stream(name: str) -> None:
    stream, found = judge_of(name), role(name)
    assert set(found.success) <= set(stream.scorers)
    assert set(found.success) or name == "general-assistant"
    tools = stream.tools() if isinstance(stream, WorldStream) else ()
    assert not found.unknown_tools(tools)
    named = {getattr(rule, part, "") for rule in found.checked for part in ("tool", "first")} - {""}
    assert not tools or named <= {tool.name for tool in tools}


@pytest.mark.parametrize("name", [name for name in NAMES if role(name).checked])
def test_whoever_knows_the_answers_breaks_no_rule_of_it(name: str, study: Callable[..., Study]) -> None:
    stream, found = judge_of(name), role(name)
    if name == "text-adventure-player" and not importlib.util.find_spec("textworld"):
        pytest.skip("needs TextWorld")
    truth = Arm("truth", role=found, goals=Free(), decider=GroundTruth())
    made = study(truth, stream=stream, seeds=1, channel=NoFeedback())
    made.run()
    rows = made.episodes()
    assert (rows.status == "ok").all()
    assert (rows.score >= rows.oracle - 1e-9).all()
    for said in (one for row in rows.itertuples() for one in _occasions(stream, row)):
        assert not [rule_text(rule) for rule in found.checked if rule.kept(said) is False], said


def _occasions(stream: Stream, row) -> Iterator[Said]:
    task = next(task for task, _ in stream.pairs() if task.id == row.task)
    if not stream.plays:
        yield Said(task.inputs, row.answer, task.options)
        return
    moves = tuple(Move(**move) for move in row.moves)
    assert moves
    for place, move in enumerate(moves):
        yield Said(task.inputs, move.action, (), move.seen, move.cause, moves[:place])


def _after(*actions: str) -> tuple[Move, ...]:
    return tuple(Move("result", "", action) for action in actions)


_TOLD = {"task": "A part is missing. It is my tent for 30 euros. Please answer by phone."}
_UNTOLD = {"task": "A part is missing. I cannot find it. You know how to reach me."}
_ORDER, _CHANNEL = 'ask {"about": "order"}', 'ask {"about": "channel"}'
_HURRY = 'hurry {"ticket": "T-1"}'
_WOOD, _LEGS = 'ask {"about": "wood"}', 'ask {"about": "legs"}'
_CANCEL = 'cancel_pending_order {{"order_id": "#W1", "reason": "{}"}}'
OCCASIONS: dict[str, list[tuple[Said, Said]]] = {
    "banking-triage": [(Said({}, "lost card", ("lost card", "top up")), Said({}, "lost", ("lost card", "top up")))],
    "general-assistant": [],
    "incident-responder": [
        (
            Said({}, 'policy {"topic": "duty"}', before=_after("wait")),
            Said({}, 'policy {"topic": "duty"}', before=_after('policy {"topic": "duty"}')),
        ),
        (Said({}, _HURRY, before=_after("wait")), Said({}, _HURRY, before=_after(_HURRY, "wait"))),
    ],
    "research-assistant": [
        (Said({}, "7 May 2023"), Said({}, "word " * 41)),
        (Said({}, "the last week of May 2023"), Said({}, "She left yesterday.")),
        (Said({}, "not mentioned"), Said({}, "Based on the conversation, Lima")),
    ],
    "retail-support": [
        (
            Said({}, 'ask {"question": "Shall I cancel order #W0000001?"}'),
            Said({}, 'ask {"question": "Shall I proceed?"}'),
        ),
        (Said({}, 'ask {"question": "Which order?"}'), Said({}, _ORDER, before=_after(_ORDER))),
        (Said({}, _CANCEL.format("ordered by mistake")), Said({}, _CANCEL.format("too expensive"))),
        (Said({}, 'say {"text": "It costs 42.10."}'), Said({}, 'say {"text": "I would recommend the blue one."}')),
    ],
    "service-desk": [(Said({}, "amber", ("amber", "delta")), Said({}, "none", ("amber", "delta")))],
    "service-desk-cases": [
        (Said({}, 'policy {"topic": "lost parcel"}'), Said({}, "policy", before=_after("policy"))),
        (Said(_UNTOLD, _ORDER, before=_after("customer")), Said(_UNTOLD, _ORDER)),
        (Said(_UNTOLD, _ORDER, before=_after(_CHANNEL)), Said(_UNTOLD, _ORDER, before=_after(_ORDER))),
        (Said(_TOLD, _CHANNEL, before=_after("customer")), Said(_TOLD, _ORDER, before=_after("customer"))),
        (Said(_TOLD, _ORDER, before=_after("customer")), Said(_TOLD, _CHANNEL, before=_after("customer"))),
        (Said({}, "close", before=_after('order {"id": "A-1"}')), Said({}, "close", before=_after("customer"))),
    ],
    "text-adventure-player": [
        (Said({}, "go east", ("go east", "look")), Said({}, "go to the east", ("go east", "look"))),
        (Said({}, "inventory", before=_after("inventory")), Said({}, "inventory", before=_after(*["inventory"] * 2))),
        (Said({}, "examine key"), Said({}, "examine key", before=_after(*["examine box"] * 5))),
    ],
    "twenty-questions-interviewer": [
        (Said({}, _WOOD, before=_after(_LEGS)), Said({}, _WOOD, before=_after(_WOOD, _LEGS))),
        (Said({}, 'guess {"thing": "oak"}', before=_after(_WOOD)), Said({}, 'guess {"thing": "oak"}')),
        (Said({}, _WOOD, before=_after(*[_LEGS] * 19)), Said({}, _WOOD, before=_after(*[_LEGS] * 20))),
    ],
}


@pytest.mark.parametrize("name", NAMES)
def test_each_rule_that_can_be_checked_is_kept_once_and_broken_once(name: str) -> None:
    found = role(name)
    for one in (found, *wordings(name)):
        for rule, (right, wrong) in zip(one.checked, OCCASIONS[name], strict=True):
            assert rule.kept(right) is True, rule_text(rule)
            assert rule.kept(wrong) is False, rule_text(rule)


def test_the_page_holds_the_table_of_the_files() -> None:
    head = "| Role | Judged by | Parts | Rules, of them checked | Tokens, of them examples | Prefers |"
    assert "\n".join([head, f"|{'---|' * 6}", *map(_line, NAMES)]) in pages.text_of("role-library")


def _line(name: str) -> str:
    found = role(name)
    bare = found.but(examples=())
    prefers = ", ".join(f"`{type(one).__name__}`" for one in (found.memory, found.goals) if one is not None)
    rules = f"{len(found.rules)}, {len(found.checked)}" if found.rules else ""
    cases = f"{found.tokens}, {found.tokens - bare.tokens}" if found.examples else f"{found.tokens}"
    return f"| `{name}` | {JUDGES[name][0]} | {', '.join(found.parts)} | {rules} | {cases} | {prefers} |"


def test_the_code_of_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    names = pages.run("role-library", monkeypatch)
    lengths = {len(one.text()) for one in names["shams"]}
    assert max(lengths) - min(lengths) <= 0.04 * len(names["triage"].text())
