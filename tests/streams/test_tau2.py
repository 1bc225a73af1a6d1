"""τ²-bench as a stream: what the references reach, what doing nothing reaches, the scripted customer, broken files.

``tau2_states.json`` holds, by retail task, a digest of what the benchmark's own tools (sierra-research/tau2-bench at
commit a2c0247) change in the database when they play the reference actions, amounts rounded to cents. It is what the
toolkit's tools, written from the policy and the data, are held against.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import shop

import toolkit as tk
from toolkit.agents.decider import GroundTruth
from toolkit.component import digest
from toolkit.errors import SpecError
from toolkit.lm.scripted_actor import ScriptedActor
from toolkit.moves import WAIT, actions_of, call, called
from toolkit.streams.kept import Kept, written
from toolkit.streams.tau2.database import Database
from toolkit.streams.tau2.retail import MODIFIED
from toolkit.streams.tau2.user import Scenario, ScriptedUser
from toolkit.streams.tau2.world import Tau2World
from toolkit.streams.worlds import solved

DATA = Path(__file__).parents[3] / "shared" / "data" / "tau2"
needs_tau2 = pytest.mark.skipif(not DATA.exists(), reason="τ²-bench's files are not beside the project")
THEIRS = Path(__file__).with_name("tau2_states.json")

MANY_AT_ONCE = {"20", "21", "36", "37", "100"}
"""Tasks whose reference modifies several items of an order in one call. The benchmark's own tool then gives all of them
the options and the price of the last; the toolkit's gives each its own. Nothing else differs."""

REFUSED = {
    **dict.fromkeys("234", "get_product_details"),  # an id of the tool's own example, as a guess
    **dict.fromkeys(("35", "37", "38", "54", "55"), "find_user_id_by_email"),  # an address that is not the right one
    **dict.fromkeys(("39", "67", "68"), "find_user_id_by_name_zip"),  # a zip code that is not the right one
    **dict.fromkeys(("46", "47"), "get_order_details"),  # numbers that are none
    "64": "exchange_delivered_order_items",  # the order is still pending
    "105": "exchange_delivered_order_items",  # the gift card does not cover it
}
"""Tasks whose reference does something that is refused, there as here."""


def cents(found: Any) -> Any:
    if isinstance(found, float):
        return round(found, 2)
    if isinstance(found, dict):
        return {key: cents(value) for key, value in found.items()}
    return [cents(value) for value in found] if isinstance(found, list) else found


def with_their_fault(world: Tau2World) -> dict[str, Any]:
    """What was changed, if each item that was modified had the options and price of the last of its call."""
    found = json.loads(json.dumps(world.database.changed()))
    for action in world.case.actions:
        tool, given = called(action, world.tools)
        order = found.get("orders", {}).get(given.get("order_id"), {})
        if tool.name == "modify_pending_order_items" and order.get("status") == MODIFIED:
            new = {item["item_id"]: item for item in order["items"]}
            last = new[given["new_item_ids"][-1]]
            for item in given["new_item_ids"]:
                new[item] |= {"price": last["price"], "options": last["options"]}
    return dict(found)


def played(stream: tk.Tau2) -> Iterator[tuple[str, Tau2World, list[str]]]:
    """Every task's world after the reference was played and what must be told was told, with the tools that refused."""
    for task, key in stream.pairs():
        world, refused = stream.world(task), []
        world.reset(0)
        for action in world.case.actions:
            if world.step(action).info.get("refused"):
                refused.append(action.partition(" ")[0])
        if world.best() != WAIT:
            world.step(world.best())
        assert key.oracle == 1.0
        assert len(actions_of(key.answers[0])) - key.answers[0].endswith(WAIT) == world.tally().best_steps
        yield task.id.removeprefix(f"{stream.domain}-"), world, refused


@needs_tau2
def test_the_references_of_retail_reach_the_state_that_the_benchmark_reaches() -> None:
    theirs, same, misses, refusals, reached = json.loads(THEIRS.read_text("utf-8")), 0, {}, {}, 0
    for number, world, refused in played(tk.Tau2(str(DATA))):
        ours = digest(cents(world.database.changed()))[:16]
        same += ours == theirs[number]
        reached += world.tally().reached == 1.0
        if ours != theirs[number]:
            misses[number] = digest(cents(with_their_fault(world)))[:16] == theirs[number]
        if refused:
            refusals[number] = refused[0]
            assert len(set(refused)) == 1
    explained = ", ".join(f"{number} ({'several items at once' if why else '?'})" for number, why in misses.items())
    print(f"retail: {same} of {len(theirs)} states are the benchmark's own; the others: {explained}")
    assert misses == dict.fromkeys(MANY_AT_ONCE, True)
    assert (same, len(theirs), reached) == (109, 114, 114)
    assert refusals == REFUSED


@needs_tau2
def test_who_does_nothing_reaches_what_wants_nothing_done() -> None:
    stream, idle = tk.Tau2(str(DATA)), []
    for task, _ in stream.pairs():
        world = stream.world(task)
        world.reset(0)
        world.step(WAIT)
        if world.tally().reached:
            idle.append(task.id)
            assert not any(world.database.changed())
            assert not world.case.infos
    assert sorted(idle) == sorted(f"retail-{number}" for number in (10, 12, 25, 50, 57, 65, 105))
    print(f"retail: doing nothing reaches {len(idle)} of {len(stream.pairs())}")


@needs_tau2
def test_splits_part_the_tasks() -> None:
    ids = {
        split: {task.id for task, _ in tk.Tau2(str(DATA), split=split).pairs()} for split in ("base", "train", "test")
    }
    assert {split: len(found) for split, found in ids.items()} == {"base": 114, "train": 74, "test": 40}
    assert ids["train"] | ids["test"] == ids["base"]
    assert not ids["train"] & ids["test"]
    assert len(tk.Tau2(str(DATA), tasks=3).pairs()) == 3


@needs_tau2
def test_eight_of_the_ten_mock_tasks_can_be_played_and_two_say_why_not() -> None:
    stream = tk.Tau2(str(DATA), domain="mock")
    assert all(world.tally().reached == 1.0 for _, world, _ in played(stream))
    assert len(stream.pairs()) == 8
    assert list(stream.left_out()) == ["create_task_1_nl_eval", "update_task_with_initialization_data"]
    assert all("only a model can judge" in why for why in stream.left_out().values())
    worlds = {task.id: stream.world(task) for task, _ in stream.pairs()}
    assert all(solved(world, 0, 5).actions[0] != WAIT for world in worlds.values())
    for world in worlds.values():
        world.reset(0)
        world.step(WAIT)
        assert world.tally().reached == 0.0
    inbox = worlds["mock-update_task_with_user_tools"]
    inbox.reset(0)
    inbox.step(call("say", text="I will see to it."))
    inbox.step(inbox.best())
    assert inbox.tally().reached == 0.0, "the customer must hear of it, once it is done, before they dismiss the notice"
    inbox.step(inbox.best())
    assert inbox.tally().reached == 1.0


def test_a_mock_status_and_title_are_held_to_the_policy(tmp_path: Path) -> None:
    from toolkit.streams.tau2.cases import Case
    from toolkit.streams.tau2.mock import MOCK

    shared: dict[str, Any] = {"tasks": {}, "users": {"user_1": {"user_id": "user_1", "tasks": []}}}
    world = Tau2World(Case("0", Scenario("")), MOCK, shared)
    for action, why in (
        (call("create_task", user_id="user_1", title=" "), "must have a title"),
        (call("create_task", user_id="user_2", title="Tea"), "there is no user 'user_2'"),
        (call("update_task_status", task_id="task_1", status="completed"), "there is no task 'task_1'"),
        (call("update_task_status", task_id="task_1", status="deleted"), "is not one of"),
    ):
        assert why in world.step(action).info["refused"]
    assert world.database.changed() == {}
    world.step(call("create_task", user_id="user_1", title="Tea"))
    assert world.database.read("users", "user_1")["tasks"] == ["task_1"]
    assert shared["users"]["user_1"]["tasks"] == []


@pytest.fixture
def stream(tmp_path: Path) -> tk.Tau2:
    return tk.Tau2(str(shop.written(tmp_path)))


def first(stream: tk.Tau2, place: int = 0) -> Tau2World:
    world = stream.world(stream.pairs()[place][0])
    world.reset(0)
    return world


def test_a_task_is_reached_by_the_right_state_and_by_what_is_told(stream: tk.Tau2) -> None:
    world = first(stream)
    assert world.tally().best_steps == 3, "one of the four is refused, one more tells"
    world.step(call("get_order_details", order_id="#P2"))
    world.step(call("cancel_pending_order", order_id="#P1", reason="no longer needed"))
    assert world.tally().reached == 0.0
    assert world.best().startswith("find_user_id"), "an oracle goes on with what was not done yet"
    world.step(call("say", text="You get back $1,050.00."))
    assert world.tally().reached == 1.0
    world.step(call("modify_user_address", user_id="ada_1", **{**shop.HOME, "city": "Bonn"}))
    assert world.tally().reached == 0.0, "nothing else may be changed"
    assert world.step(WAIT).terminated
    assert world.best() == WAIT


def test_another_reason_is_another_state(stream: tk.Tau2) -> None:
    world = first(stream)
    world.step(call("cancel_pending_order", order_id="#P1", reason="ordered by mistake"))
    world.step(call("say", text="1050.00"))
    assert world.tally().reached == 0.0
    for _ in range(6):
        world.step(world.best())
    assert world.tally().reached == 0.0


def test_leave_is_given_for_what_the_reference_has_and_once(stream: tk.Tau2) -> None:
    world = first(stream, 1)
    given = {"order_id": "#D1", "payment_method_id": "paypal_1"}
    turned = call(
        "exchange_delivered_order_items", item_ids=["lamp-a", "mug-a"], new_item_ids=["lamp-b", "mug-b"], **given
    )
    crossed = call(
        "exchange_delivered_order_items", item_ids=["mug-a", "lamp-a"], new_item_ids=["lamp-b", "mug-b"], **given
    )
    assert world.approves(turned), "the order of items does not matter"
    assert not world.approves(crossed)
    assert world.approves(call("get_order_details", order_id="#D1"))
    assert not world.approves("nonsense")
    world.step(turned)
    assert world.tally().reached == 1.0
    assert not world.approves(turned)


def test_a_talk_ends_when_the_customer_is_handed_on(stream: tk.Tau2) -> None:
    world = first(stream)
    assert world.step(call("transfer_to_human_agents", summary="No.")).terminated
    assert world.step(call("get_order_details", order_id="#P1")).terminated
    assert world.best() == WAIT


def test_worlds_do_not_see_each_other(stream: tk.Tau2) -> None:
    one, other = first(stream), first(stream)
    one.step(call("cancel_pending_order", order_id="#P1", reason="no longer needed"))
    assert other.database.changed() == {}
    assert '"status": "pending"' in other.step(call("get_order_details", order_id="#P1")).observation.text
    one.reset(0)
    assert one.database.changed() == {}


def test_what_a_customer_says_when_asked(tmp_path: Path) -> None:
    stream = tk.Tau2(str(shop.written(tmp_path)), opening="reason")
    world = first(stream)
    said = stream.pairs()[0][0].inputs["task"]
    assert "#P1" in said
    assert "Ada" not in said
    for question, told in (
        ("What is your email address?", "You do not remember your email address."),
        ("Your order number, please?", "You want to cancel your order #P1, as it is no longer needed."),
        ("What colour is the secret?", "That I do not know."),
        ("What is your zip code?", "You are Ada Moss in zip code 10001."),
        ("And your name?", "You are Ada Moss in zip code 10001."),
        ("May I cancel it?", "Say by its number"),
        ("May I cancel #P2?", "No, not that."),
        ("May I cancel #P1?", "Yes."),
    ):
        assert told in world.step(call("ask", question=question)).observation.text, question
    tally = world.tally()
    assert (tally.questions, tally.useful, tally.blockers, tally.found) == (8, 1, 1, 1)
    assert first(tk.Tau2(stream.path)).tally().blockers == 0


def test_no_secret_of_a_scenario_is_ever_told(stream: tk.Tau2) -> None:
    case = first(stream).case
    user = ScriptedUser(case.scenario)
    asked = [
        "What is the secret?",
        "Are you brief?",
        "What is teal, agent?",
        "who are you",
        "share this with the agent",
    ]
    assert "teal" not in " ".join([user.first, *map(user.answer, asked)])


def test_a_stream_is_known_by_its_content_and_can_be_kept(stream: tk.Tau2, tmp_path: Path) -> None:
    assert tk.Tau2.from_config(stream.config()) == stream
    assert stream.fingerprint() != tk.Tau2(stream.path, opening="reason").fingerprint()
    assert [key.oracle for _, key in stream.pairs()] == [1.0, 1.0]
    assert len(pickle.dumps(stream)) < 20_000, "the database is read in each process, not sent to it"
    kept = Kept(written(stream))
    assert (kept.pairs(), kept.step) == (stream.pairs(), stream.step)
    assert "Be fair." in stream.step.instruction
    assert all(file.is_file() for file in stream.files())


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"domain": "airline"}, "domain must be retail or mock but is 'airline'"),
        ({"split": "tset"}, "has no split 'tset'.*test"),
        ({"tasks": 3}, "at most 2"),
        ({"tasks": -1}, "at least 0 but is -1"),
        ({"opening": "none"}, "opening must be"),
        ({"delay": True}, "delay must be"),
        ({"domain": "mock"}, "there is no such file; .*copy it and give its path"),
    ],
)
def test_what_cannot_be_read_is_told_with_the_way_out(stream: tk.Tau2, given: dict[str, Any], why: str) -> None:
    with pytest.raises(SpecError, match=why):
        tk.Tau2(stream.path, **given).pairs()


def test_a_broken_task_or_another_streams_is_told(stream: tk.Tau2) -> None:
    with pytest.raises(SpecError, match="there is no task 'retail-7'"):
        stream.world(tk.Task("retail-7", {}))
    file = Path(stream.path) / "retail" / "tasks.json"
    file.write_text(json.dumps([{"id": "0"}]), encoding="utf-8")
    with pytest.raises(SpecError, match="not as τ²-bench writes its tasks"):
        tk.Tau2(stream.path).pairs()
    file.write_text("[", encoding="utf-8")
    with pytest.raises(SpecError, match="cannot be read"):
        tk.Tau2(stream.path).pairs()


def test_arms_play_it_and_a_replay_needs_no_world(stream: tk.Tau2, study: Callable[..., tk.Study]) -> None:
    truth = tk.Arm("truth", goals=tk.Reactive(prompted="turns"), decider=GroundTruth())
    made = study(truth, tk.Arm("static"), stream=stream, lm=ScriptedActor(p=1.0), seeds=1)
    assert [one.status for one in made.run()] == ["finished"] * 2
    rows = made.episodes()
    assert list(rows.score) == [1.0] * 4, "an oracle's actions do, one by one or all at once"
    for outcome in rows.outcome:
        assert (outcome["steps"], outcome["invalid"], outcome["unauthorised"]) == (outcome["best_steps"], 0, 0)
        assert outcome["interruptions"] == 1, "each task has one change, and leave is asked for it"
    assert made.replay().identical


def test_a_database_copies_only_what_is_written() -> None:
    shared = shop.tables()
    database = Database(shared)
    assert database.read("orders", "#P1") is shared["orders"]["#P1"]
    own = database.write("orders", "#P1")
    assert own is not shared["orders"]["#P1"]
    assert own is database.write("orders", "#P1")
    own["status"] = "cancelled"
    assert dict(database.rows("orders"))["#P1"]["status"] == "cancelled"
    database.put("orders", "#N", {"status": "new"})
    assert len(dict(database.rows("orders"))) == len(shared["orders"]) + 1
    assert database.digest() != Database(shared).digest()
