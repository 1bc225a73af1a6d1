"""Placebo personas: of a role's shape and length, whatever role it is, and with nothing of any task in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from math import gcd

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from toolkit.streams.case_world import case_texts
from toolkit.streams.company import wordings as desk_words
from toolkit.streams.questions import things
from toolkit.traits.placebo import TOLERANCE, personas, placebos
from toolkit.traits.role import NoRole, Role, rule_text
from toolkit.traits.role_files import library, role, wordings
from toolkit.traits.rules import MustSay

_STOP = {"a", "above", "after", "an", "at", "behind", "by", "in", "near", "of", "on", "over", "the", "through", "under"}
_STOP |= {"beneath", "beside", "during", "until", "while", "with"}
CRAFTS = len(personas())


def _words(*texts: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", " ".join(texts).casefold()))


def _near(one: Role, other: Role, measure: Callable[[str], int] = len) -> bool:
    wanted = measure(one.text())
    return abs(measure(other.text()) - wanted) <= TOLERANCE * wanted


@pytest.mark.parametrize("name", library())
def test_a_placebo_has_the_shape_and_the_length_of_its_role(name: str) -> None:
    original = role(name)
    made = placebos(original, CRAFTS)
    assert made == placebos(original, CRAFTS)
    assert len({one.text() for one in made}) == CRAFTS == len({one.fingerprint() for one in made})
    for one in made:
        one.check()
        assert _near(original, one)
        assert (one.parts, len(one.rules)) == (original.parts, len(original.rules))
        assert (one.examples, one.tools, one.memory) == (original.examples, original.tools, original.memory)
        assert not one.checked
        for rule, own in zip(one.rules, original.rules, strict=True):
            assert abs(len(rule_text(rule)) - len(rule_text(own))) < 25
    handbook = original.without("identity")
    if handbook != NoRole():
        assert all(_near(handbook, one) and not one.name for one in placebos(handbook))


@pytest.fixture(scope="module")
def tokens() -> Iterator[Callable[[str], int]]:
    """The embedded model's own count."""
    from toolkit.lm import weights
    from toolkit.lm.embedded import LlamaEngine

    try:
        engine = LlamaEngine(weights.fetch("smollm2-135m"), context=256)
    except (OSError, RuntimeError) as error:
        pytest.skip(f"the embedded weights cannot be had: {error}")
    yield engine.count
    engine.close()


def test_so_it_has_by_the_embedded_models_tokens(tokens: Callable[[str], int]) -> None:
    for original in map(role, library()):
        assert all(_near(original, one, tokens) for one in placebos(original, 2, tokens)), original.name


def test_no_word_of_content_is_one_of_a_role_or_of_a_task() -> None:
    said = {
        word for one in personas() for part in (one.names, one.verbs, one.things, one.whens) for word in _words(*part)
    }
    roles = [one for name in library() for one in (role(name), *wordings(name))]
    of_roles = _words(*(one.prompt() for one in roles))
    table, desk = things(), desk_words()
    of_tasks = _words(*table.yes, *table.attributes, *table.attributes.values(), *desk.queues, *desk.topics)
    of_tasks |= _words(*desk.slots["product"], str(case_texts()))
    assert said & (of_roles | of_tasks) <= _STOP
    assert len(said - _STOP) > 200


def test_every_craft_says_much_before_it_says_anything_twice() -> None:
    for one in personas():
        sizes = [len(one.verbs), len(one.things), len(one.whens)]
        assert all(gcd(a, b) == 1 for a, b in zip(sizes, [*sizes[1:], sizes[0]], strict=True))
        assert len(set(one.clauses(0))) == 360 == len(set(one.clauses(41)))
        assert len({len(name) for name in one.names}) == 4


_texts = st.builds(lambda text, times: text * times, st.text(max_size=40), st.integers(0, 300))


@settings(max_examples=25)
@given(
    name=st.text(max_size=60),
    objective=_texts,
    instructions=_texts,
    rules=st.lists(st.text(min_size=1, max_size=200).filter(str.strip), max_size=12),
)
@example(name="", objective="", instructions="", rules=[])
@example(name="Clerk", objective="", instructions="", rules=[])
@example(
    name="Clerk", objective="Files.\n\nAnswer: spam\r\u2028Rules:\n- none" * 9, instructions="", rules=["Ask."] * 9
)
def test_any_role_is_matched_or_refused_in_a_sentence(
    name: str, objective: str, instructions: str, rules: list[str]
) -> None:
    original = Role(name, objective, instructions, rules, budget=10**6)
    made, why = (), ""
    try:
        made = placebos(original, 2)
    except ValueError as error:
        why = str(error)
    if why:
        size = len(original.text())
        assert "there is nothing to put in its place" in why or "comes within 2% of its length" in why
        assert size < 200 or size > 8000 or len(name) > 50 or len(rules) > 3, "it could have been matched"
    for one in made:
        assert _near(original, one)
        assert one.parts == original.parts
        one.check()


def test_a_text_of_some_sentences_can_be_matched_up_to_thousands_of_characters() -> None:
    for size in (60, 100, 200, 1000, 9000):
        assert all(
            _near(one, sham) for one in [Role("Clerk", "x" * size, budget=9999)] for sham in placebos(one, CRAFTS)
        )


def test_a_budget_that_is_spent_to_the_last_token_holds_no_placebo_back() -> None:
    spent = Role("Clerk", "ab " * 200, budget=154)
    assert spent.tokens == 154
    for one in placebos(spent, 2, measure=lambda text: len(text.split())):
        assert one.tokens > 200
        one.check()


def test_what_cannot_be_is_refused() -> None:
    clerk = Role("Clerk", "Files letters that come in.", rules=[MustSay("Say please.", "please")])
    assert placebos(clerk)[0].rules[0] != "Say please."
    with pytest.raises(ValueError, match="number must be from 1 to 8, one for each craft, but is 9"):
        placebos(clerk, 9)
    with pytest.raises(ValueError, match="measure must give a length of at least 1 but gives 0 for role 'Clerk'"):
        placebos(clerk, measure=lambda text: 0)
    with pytest.raises(ValueError, match="has no text, only \\('tools',\\)"):
        placebos(Role("", tools=["ask"]))
    with pytest.raises(ValueError, match="within 2% of its length of 13"):
        placebos(Role("Dog"))
