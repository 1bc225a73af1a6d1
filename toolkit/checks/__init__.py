"""Contract checks for components, the toolkit's own and anyone's: what the bench relies on, tried out.

>>> from toolkit.traits.memory import SlidingWindow
>>> check(SlidingWindow(k=2))
['config_round_trip', 'clone_is_equal_and_apart', 'survives_pickling', 'new_life', 'same_seed_same_behaviour', \
'inputs_are_left_alone', 'nothing_at_first', 'asking_changes_nothing', 'feedback_revises', 'lives_again', \
'keeps_to_its_limit', 'forgets_a_user_or_says_so', 'hostile_texts_are_data', 'state_is_plain']
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from toolkit.agents.diary import draws
from toolkit.checks import lives, worlds
from toolkit.checks.lives import HOSTILE, NOTES, SECRET
from toolkit.component import Component, build, digest
from toolkit.moves import AUTONOMY, Act, Move
from toolkit.records import Experience, Feedback, Learned, Recall, Task
from toolkit.streams.channel import Channel
from toolkit.traits.goals import GoalPolicy
from toolkit.traits.learning import Learner
from toolkit.traits.memory.policy import MemoryPolicy
from toolkit.traits.rules import Rule, Said
from toolkit.traits.trait import Trait
from toolkit.traits.wording import READ

Check = Callable[[Component], None]

CALLS = 4
"""Calls of the model, decisions among them, that a goal policy may make on one turn."""


class ContractError(AssertionError):
    """A component does not keep to its contract; the message says to which part, and what was seen."""


def _insist(holds: bool, message: str) -> None:
    if not holds:
        raise ContractError(message)


def check(component: Component) -> list[str]:
    """Run every check that concerns a component.

    Returns
    -------
    list of str
        The names of the checks that were run.

    Raises
    ------
    ContractError
        At the first one that fails.
    """
    ran = []
    for one in checks(component):
        one(component)
        ran.append(one.__name__)
    return ran


def checks(component: Component) -> tuple[Check, ...]:
    """The checks that concern a component."""
    found: list[Check] = [config_round_trip, clone_is_equal_and_apart, survives_pickling]
    if isinstance(component, MemoryPolicy | Learner):
        found += [new_life, same_seed_same_behaviour, inputs_are_left_alone]
    if isinstance(component, MemoryPolicy):
        found += [nothing_at_first, asking_changes_nothing, feedback_revises, lives_again]
        found += [keeps_to_its_limit, forgets_a_user_or_says_so, hostile_texts_are_data]
    if isinstance(component, Learner):
        found += [same_for_any_two_tasks]
    if isinstance(component, GoalPolicy):
        found += [plays_a_world, begins_each_task_anew, same_seed_same_acts, keeps_within_bounds]
        found += [nonsense_of_the_model_is_survived, acting_teaches_nothing]
    if isinstance(component, Rule):
        found += [judges_by_what_was_said_alone]
    if isinstance(component, Trait):
        found += [state_is_plain]
    if isinstance(component, Channel):
        found += [begins_anew, same_seed_same_feedback, feedback_is_sound, no_label_but_where_it_says_so]
    return tuple(found)


def config_round_trip(component: Component) -> None:
    """``config()`` describes it fully: the component made from it is equal and has the same fingerprint."""
    again = build(component.kind, component.config(), type(component).__name__)
    _insist(again == component, f"{component!r} comes back from its config as {again!r}")
    _insist(again.fingerprint() == component.fingerprint(), f"{component!r} changes its fingerprint on the way")


def clone_is_equal_and_apart(component: Component) -> None:
    """A clone is equal, and is another object."""
    clone = component.clone()
    _insist(clone == component and clone is not component, f"the clone of {component!r} is {clone!r}")


def survives_pickling(component: Component) -> None:
    """It can be pickled, so that a run can go to another process."""
    copied = pickle.loads(pickle.dumps(component))  # nosec B301  # made here
    _insist(copied == component and hash(copied) == hash(component), f"{component!r} is not the same after pickling")


def judges_by_what_was_said_alone(component: Component) -> None:
    """On whatever occasion a rule is kept, broken or does not apply, and is so again when it is asked again."""
    if not isinstance(component, Rule):
        raise TypeError(f"{component!r} is no rule: derive its class from Rule")
    _insist(bool(component.text.strip()), f"{component!r} has no text that could stand in a prompt")
    for answer in ("close", "ask", 'look {"at": 1}', *HOSTILE):
        before = (Move("prompt", "smoke", "look"), Move("result", answer, "ask", refused="no"))
        for said in (Said({}, answer), Said({"task": answer}, answer, ("close",), "smoke", "tick", before)):
            found = [copy.deepcopy(component).kept(said), component.kept(said), component.kept(said)]
            known = found[0] is None or isinstance(found[0], bool)
            _insist(known, f"{component!r} says {found[0]!r} of {answer!r}: not True, False or None")
            _insist(found == found[:1] * 3, f"{component!r} says {found} of {answer!r}: a rule remembers nothing")


def new_life(component: Component) -> None:
    """After ``reset`` nothing of an earlier life is left."""
    fresh = lives.trace(component.clone(), seed=1)
    used = component.clone()
    lives.trace(used, seed=2)
    _insist(lives.trace(used, seed=1) == fresh, f"{component!r} remembers what happened before reset()")


def same_seed_same_behaviour(component: Component) -> None:
    """Equal seeds and experiences give equal behaviour."""
    first, second = lives.trace(component.clone(), seed=7), lives.trace(component.clone(), seed=7)
    _insist(first == second, f"{component!r} behaves differently under equal seeds: draw from the rng of reset() only")


def inputs_are_left_alone(component: Component) -> None:
    """Experiences and tasks are not changed by being seen."""
    past = list(lives.past())
    before = copy.deepcopy(past)
    lives.live(component.clone(), past, seed=3)
    _insist(past == before, f"{component!r} changes the experiences it is shown")


def nothing_at_first(component: Component) -> None:
    """Before the first experience nothing is recalled: law 1, one block at t = 0."""
    policy = lives.begun(component.clone(), seed=0)
    if not isinstance(policy, MemoryPolicy):
        raise TypeError(f"{policy!r} is no memory policy: derive its class from MemoryPolicy")
    found = policy.recall(lives.task(0))
    _insist(isinstance(found, Recall) and not found, f"{component!r} recalls {found!r} before anything has happened")


def asking_changes_nothing(component: Component) -> None:
    """A recall leaves the state as it was: whether a memory was used is told afterwards, and a frozen pass can ask."""
    policy = component.clone()
    lives.live(policy, list(lives.past()), seed=6)
    if isinstance(policy, MemoryPolicy):
        before = digest(policy.state())
        policy.recall(lives.task(2))
        _insist(digest(policy.state()) == before, f"{component!r} changes its state when it is asked")


def feedback_revises(component: Component) -> None:
    """The same experience seen again with feedback does not count twice."""
    policy = component.clone()
    lives.live(policy, [e for e in lives.past() for _ in range(2)], seed=5)
    recalled = policy.recall(lives.task(3)) if isinstance(policy, MemoryPolicy) else Recall()
    sources = [example.source for example in recalled.examples]
    _insist(len(set(sources)) == len(sources), f"{component!r} recalls one experience twice: {sources}")


def lives_again(component: Component) -> None:
    """What has met the same without being asked recalls the same: an agent that is opened again is the one it was."""
    asked, told = component.clone(), component.clone()
    past = list(lives.past())
    lives.live(asked, past, seed=6)
    lives.begun(told, seed=6)
    if isinstance(asked, MemoryPolicy) and isinstance(told, MemoryPolicy):
        for experience in past:
            if draws(told):
                told.recall(experience.task)
            told.observe(experience)
        found = [[policy.recall(lives.task(number)) for number in range(4)] for policy in (asked, told)]
        same = found[0] == found[1] and digest(asked.state()) == digest(told.state())
        _insist(same, f"{component!r} changes by recalling: count in observe() what was used, or say draws = True")


def keeps_to_its_limit(component: Component, observations: int = 300) -> None:
    """It never keeps more memories than its `limit`; without one, no more than a few for each experience."""
    policy = lives.begun(component.clone(), seed=8)
    for number in range(observations):
        seen = Experience(f"stream/{number}", lives.task(number), "abc"[number % 3])
        if isinstance(policy, MemoryPolicy):
            policy.observe(seen)
            policy.observe(replace(seen, feedback=Feedback(float(number % 2), "a")))
    if isinstance(policy, MemoryPolicy):
        held, most = len(policy.memories()), policy.limit
        told = f"{component!r} keeps {held} memories of {observations} experiences"
        _insist(held <= (observations * NOTES if most is None else most), f"{told}, its limit is {most}")


def forgets_a_user_or_says_so(component: Component) -> None:
    """After ``forget(user)`` no text of that user is kept or recalled, or it says what it could not remove."""
    policy = lives.begun(component.clone(), seed=9)
    if not isinstance(policy, MemoryPolicy):
        raise TypeError(f"{policy!r} is no memory policy: derive its class from MemoryPolicy")
    for number in range(8):
        user, word = ("mara", "zebra") if number % 2 else ("tobias", "parcel")
        task = Task(
            f"t{number}",
            {"ticket": lives.told(word, number)},
            ("a", "b"),
            user,
            f"{user}/{number // 3}",
            number,
        )
        seen = Experience(f"stream/{number}", task, "a")
        policy.observe(seen)
        policy.observe(replace(seen, feedback=Feedback(1.0, "a")))
    found = policy.forget("mara")
    asked = Task("q", {"ticket": "zebra number 3"}, ("a", "b"), "mara", "mara/2", 9)
    left = [str(one) for one in policy.memories()] + [str(policy.recall(asked)), str(policy.state())]
    kept = [text for text in left if "zebra" in text]
    _insist(
        not kept or bool(found.could_not),
        f"{component!r} keeps {kept[:1]} of a user it was to forget, and says {found!r}",
    )


def hostile_texts_are_data(component: Component) -> None:
    """Whatever texts say, they are kept and recalled, and a note stays on its line."""
    policy = lives.begun(component.clone(), seed=10)
    if not isinstance(policy, MemoryPolicy):
        raise TypeError(f"{policy!r} is no memory policy: derive its class from MemoryPolicy")
    for number, text in enumerate(HOSTILE):
        seen = Experience(f"stream/{number}", Task(f"t{number}", {"ticket": text}, ("a", "b")), "a")
        policy.observe(seen)
        policy.observe(replace(seen, feedback=Feedback(0.0, "b", text)))
    for text in HOSTILE:
        notes = policy.recall(Task("q", {"ticket": text}, ("a", "b"))).notes
        strange = [one for one in notes if not one.isprintable() and one != "\n"]
        _insist(not strange, f"{component!r} recalls control characters in its notes: {strange!r}")


def same_for_any_two_tasks(component: Component) -> None:
    """What is learned does not change between two updates, and does not hang on the task: that would be memory.

    Two agents are told the same, but act on different tasks in between.
    """
    if not isinstance(component, Learner):
        raise TypeError(f"{component!r} is no learner: derive its class from Learner")
    one, other = lives.acting(component), lives.acting(component)
    for t, experience in enumerate(lives.past()):
        before = one.learning.learned()
        _insist(isinstance(before, Learned), f"{component!r} learned {before!r}, which is no Learned")
        for agent, task in ((one, lives.task(t)), (other, lives.task(t + 1))):
            agent.act(task, "stream", t)
            again = agent.learning.learned() == before == agent.learning.learned()
            _insist(again, f"{component!r} changes what it learned by being asked: draw in reset() and observe() only")
        told = replace(experience, id=f"stream/{t}")
        for agent in (one, other):
            agent.observe(told)
            if told.feedback is not None:
                agent.learn(told)
        same = digest(one.learning.state()) == digest(other.learning.state())
        _insist(same, f"{component!r} has another state after acting on another task: it may learn from feedback only")


def state_is_plain(component: Component) -> None:
    """The state can be hashed, and equal lives end in equal states."""
    hashes = []
    for _ in range(2):
        trait = component.clone()
        lives.live(trait, list(lives.past()), seed=4)
        hashes.append(digest(trait.state()) if isinstance(trait, Trait) else "")
    _insist(hashes[0] == hashes[1], f"{component!r} ends equal lives in different states")


def _lived(component: Component, model: worlds.Model) -> GoalPolicy:
    """A goal policy of one's own whose life has begun."""
    policy = component.clone()
    if not isinstance(policy, GoalPolicy):
        raise TypeError(f"{policy!r} is no goal policy: derive its class from GoalPolicy")
    policy.reset(np.random.default_rng(3), model.think)
    return policy


def plays_a_world(component: Component) -> None:
    """It does something on every turn: one of the listed actions or ``"wait"``, in one of the three manners."""
    for listed in (True, False):
        model = worlds.Model()
        for act in worlds.played(_lived(component, model), model, listed=listed).acts:
            _insist(isinstance(act, Act), f"{component!r} gives {act!r}, which is no Act")
            _insist(act.manner in AUTONOMY, f"{component!r} acts in the manner {act.manner!r}, not {AUTONOMY}")
            _insist(act.prompts >= 0, f"{component!r} counts {act.prompts!r} prompts")
            known = not listed or bool(act.refused) or act.action in worlds.DONE
            _insist(known, f"{component!r} makes up the action {act.action!r}: choose among those that are listed")


def begins_each_task_anew(component: Component) -> None:
    """What it makes of one task it makes anew in ``begin``: it plays the same after another task."""
    fresh, used = worlds.Model(), worlds.Model()
    policy = _lived(component, used)
    worlds.played(policy, used, seed=1)
    same = worlds.played(policy, used, seed=2) == worlds.played(_lived(component, fresh), fresh, seed=2)
    _insist(same, f"{component!r} plays a task in another way after another task: begin() must make it all anew")


def same_seed_same_acts(component: Component) -> None:
    """Equal seeds and worlds give equal acts, and nothing of an earlier life is left after ``reset``."""
    model, other = worlds.Model(sure=False), worlds.Model(sure=False)
    policy = _lived(component, other)
    worlds.played(policy, other, seed=4)
    policy.observe(worlds.judged(worlds.played(policy, other, seed=5), 5, 1.0))
    policy.reset(np.random.default_rng(3), other.think)
    found = [worlds.played(policy, other, seed) for seed in range(3)]
    _insist(
        found == [worlds.played(again, model, seed) for again in [_lived(component, model)] for seed in range(3)],
        f"{component!r} plays in another way under equal seeds: draw from the rng of reset() only, and make all anew",
    )


def keeps_within_bounds(component: Component) -> None:
    """A turn takes a handful of calls, the goal block is short and on its lines, a limit of questions is kept."""
    for model in (worlds.Model(), worlds.Model(sure=False), worlds.Model(nonsense=0)):
        for listed in (True, False):
            found = worlds.played(_lived(component, model), model, listed=listed)
            _insist(max(found.calls) <= CALLS, f"{component!r} asks the model {max(found.calls)} times on a turn")
            longest = max(map(len, found.blocks))
            _insist(longest <= READ, f"{component!r} has a goal block of {longest} characters, more than {READ}")
            put = sum(one.action == "ask" and not one.refused for one in found.moves)
            most = getattr(component, "questions", put)
            _insist(put <= most, f"{component!r} puts {put} questions in a task, its limit is {most}")


def nonsense_of_the_model_is_survived(component: Component) -> None:
    """Whatever the model says, nothing is raised, and no control character comes into the goal block."""
    for start in range(len(HOSTILE)):
        model = worlds.Model(nonsense=start, sure=bool(start % 2))
        found = worlds.played(_lived(component, model), model, listed=bool(start % 3))
        strange = [one for block in found.blocks for one in block if not one.isprintable() and one != "\n"]
        _insist(not strange, f"{component!r} has control characters in its goal block: {strange[:5]!r}")


def acting_teaches_nothing(component: Component) -> None:
    """Its state changes by feedback only, can be copied amid a life, and what takes no feedback says so."""
    model = worlds.Model()
    policy = _lived(component, model)
    before = digest(policy.state())
    found = worlds.played(policy, model)
    _insist(digest(policy.state()) == before, f"{component!r} changes its state by acting: learn in observe() only")
    _insist(digest(copy.deepcopy(policy).state()) == before, f"{component!r} has another state when it is copied")
    policy.observe(worlds.judged(found, 0, 1.0))
    unchanged = digest(policy.state()) == before
    _insist(unchanged or not policy.stateless, f"{component!r} learns but says that it is stateless")


def begins_anew(component: Component) -> None:
    """After ``reset`` a channel knows nothing of an earlier run."""
    used = lives.channel(component)
    lives.heard(used, seed=2)
    found, fresh = lives.heard(used, seed=1), lives.heard(lives.channel(component), seed=1)
    _insist(found == fresh, f"{component!r} remembers what happened before reset()")


def same_seed_same_feedback(component: Component) -> None:
    """Equal seeds and answers give equal feedback."""
    first, second = lives.heard(lives.channel(component), seed=7), lives.heard(lives.channel(component), seed=7)
    _insist(first == second, f"{component!r} tells different things under equal seeds: draw from rng only")


def feedback_is_sound(component: Component) -> None:
    """A score is in [0, 1], a correction one of the options, if there are any; it says something, or is None."""
    channel = lives.channel(component)
    _insist(channel.delay >= 0, f"{component!r}: delay must be at least 0 but is {channel.delay!r}")
    for task, _, found in lives.heard(channel, seed=3):
        if found is None:
            continue
        score, right = found.score, found.correction
        _insist(found != Feedback(), f"{component!r} gives feedback that says nothing: give None")
        _insist(score is None or 0 <= score <= 1, f"{component!r}: a score must be in [0, 1] but is {score!r}")
        known = right is None or not task.options or right in task.options
        _insist(known, f"{component!r} corrects with {right!r}, which is none of {', '.join(task.options)}")


def no_label_but_where_it_says_so(component: Component) -> None:
    """Law 2: unless it reveals labels, no feedback holds a right answer, of whatever task, that was not given."""
    channel = lives.channel(component)
    for seed in range(20 if not channel.reveals_label else 0):
        for _, answer, found in lives.heard(channel, seed):
            told = repr(found).replace(answer, "") if answer else repr(found)
            _insist(SECRET not in told, f"{component!r} says that it reveals no label, and tells {found!r}")
