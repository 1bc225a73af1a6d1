"""The tools of the retail shop: what each does, what the policy forbids, and what holds whatever is called."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import shop
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from toolkit.moves import call, called
from toolkit.streams.tau2.cases import Case
from toolkit.streams.tau2.database import Database, Refused
from toolkit.streams.tau2.retail import MODIFIED, RETAIL
from toolkit.streams.tau2.user import Scenario
from toolkit.streams.tau2.world import Tau2World


def do(database: Database, tool: str, **arguments: Any) -> Any:
    return RETAIL.does[tool](database, **arguments)


def swap(order: str, items: list[str], new: list[str], method: str) -> dict[str, Any]:
    return {"order_id": order, "item_ids": items, "new_item_ids": new, "payment_method_id": method}


def back(order: str, items: list[str], method: str) -> dict[str, Any]:
    return {"order_id": order, "item_ids": items, "payment_method_id": method}


MODIFY, EXCHANGE, RETURN = (
    "modify_pending_order_items",
    "exchange_delivered_order_items",
    "return_delivered_order_items",
)
CANCEL, PAYMENT = "cancel_pending_order", "modify_pending_order_payment"
FORBIDDEN: list[tuple[str, dict[str, Any], str]] = [
    (CANCEL, {"order_id": "#D1", "reason": "no longer needed"}, "only pending orders can be cancelled"),
    (CANCEL, {"order_id": "#X1", "reason": "no longer needed"}, "only pending orders can be cancelled"),
    (CANCEL, {"order_id": "#P1", "reason": "too dear"}, "reason must be one of"),
    (CANCEL, {"order_id": "P1", "reason": "no longer needed"}, "there is no order 'P1'"),
    ("modify_pending_order_address", {"order_id": "#D1", **shop.HOME}, "only pending orders can be modified"),
    (PAYMENT, {"order_id": "#P1", "payment_method_id": "gift_card_1"}, "must be another one"),
    (PAYMENT, {"order_id": "#P1", "payment_method_id": "paypal_2"}, "no payment method of ada_1"),
    (PAYMENT, {"order_id": "#D1", "payment_method_id": "paypal_1"}, "only pending orders can be modified"),
    (MODIFY, swap("#D1", ["mug-a"], ["mug-b"], "paypal_1"), "only pending orders can be modified"),
    (MODIFY, swap("#P1", ["mug-a"], ["lamp-b"], "paypal_1"), "the product must stay the same"),
    (MODIFY, swap("#P1", ["mug-a"], ["mug-d"], "paypal_1"), "not available"),
    (MODIFY, swap("#P1", ["mug-a"], ["mug-a"], "paypal_1"), "must have other options"),
    (MODIFY, swap("#P1", ["mug-a"], ["mug-b"], "paypal_2"), "no payment method of ada_1"),
    (MODIFY, swap("#P1", ["mug-a"], ["mug-c"], "gift_card_1"), "does not cover 50.00"),
    (MODIFY, swap("#P1", ["mug-a"] * 3, ["mug-b"] * 3, "paypal_1"), "is asked for 3 times"),
    (MODIFY, swap("#P1", ["mug-a"], ["mug-b", "mug-c"], "paypal_1"), "every item needs a new one"),
    (EXCHANGE, swap("#P1", ["mug-a"], ["mug-b"], "paypal_1"), "only delivered orders can be exchanged"),
    (EXCHANGE, swap("#D1", ["mug-a"], ["lamp-b"], "paypal_1"), "the product must stay the same"),
    (EXCHANGE, swap("#D1", ["mug-a"], ["mug-d"], "paypal_1"), "not available"),
    (EXCHANGE, swap("#D1", ["mug-a"], ["mug-a"], "paypal_1"), "must have other options"),
    (EXCHANGE, swap("#D1", ["mug-b"], ["mug-c"], "paypal_1"), "is in #D1 0 times"),
    (EXCHANGE, swap("#D1", ["mug-a"], ["mug-c"], "gift_card_1"), "does not cover 50.00"),
    (EXCHANGE, swap("#D1", ["mug-a"], ["mug-b"], "cash"), "no payment method of ada_1"),
    (RETURN, back("#P1", ["mug-a"], "gift_card_1"), "only delivered orders can be returned"),
    (RETURN, back("#D1", ["mug-a"], "paypal_1"), "goes back to the original method, credit_card_1"),
    (RETURN, back("#D1", ["mug-a"], "paypal_2"), "no payment method of ada_1"),
    (RETURN, back("#D1", ["mug-a", "mug-a"], "credit_card_1"), "is asked for 2 times"),
    (RETURN, back("#D1", [], "credit_card_1"), "at least one item"),
    ("modify_user_address", {"user_id": "cy_1", **shop.HOME}, "there is no user 'cy_1'"),
    ("find_user_id_by_email", {"email": "cy@example.com"}, "no user is known by that"),
    ("find_user_id_by_name_zip", {"first_name": "Ada", "last_name": "Moss", "zip": "10002"}, "no user is known"),
    ("get_product_details", {"product_id": "mug-a"}, "there is no product"),
    ("get_item_details", {"item_id": "Mug"}, "ids of products are not ids of items"),
    ("calculate", {"expression": "1 / 0"}, "is no sum"),
    ("calculate", {"expression": "9 ** 9"}, "is no sum"),
    ("calculate", {"expression": "__import__"}, "is no sum"),
    ("calculate", {"expression": "(" * 190}, "is no sum"),
]


@pytest.mark.parametrize(("tool", "arguments", "why"), FORBIDDEN, ids=[f"{t}-{w[:24]}" for t, _, w in FORBIDDEN])
def test_what_the_policy_forbids_is_refused(tool: str, arguments: dict[str, Any], why: str) -> None:
    database = Database(shop.tables())
    with pytest.raises(Refused, match=why.replace("(", r"\(")):
        do(database, tool, **arguments)
    assert database.changed() == {}


def test_a_gift_card_must_cover_the_order_that_it_is_to_pay() -> None:
    database = Database(shop.tables())
    do(database, PAYMENT, order_id="#P2", payment_method_id="gift_card_1")
    assert database.read("users", "ada_1")["payment_methods"]["gift_card_1"]["balance"] == 10.0
    do(database, PAYMENT, order_id="#P2", payment_method_id="paypal_1")
    assert database.read("users", "ada_1")["payment_methods"]["gift_card_1"]["balance"] == 40.0
    do(database, MODIFY, **swap("#P1", ["mug-a"], ["mug-b"], "gift_card_1"))
    do(database, MODIFY, **swap("#P2", ["lamp-a"], ["lamp-b"], "gift_card_1"))
    dear = shop.tables()
    dear["users"]["ada_1"]["payment_methods"]["gift_card_1"]["balance"] = 29.99
    with pytest.raises(Refused, match=r"holds 29\.99, which does not cover 30\.00"):
        do(Database(dear), PAYMENT, order_id="#P2", payment_method_id="gift_card_1")


def test_cancelling_gives_back_what_was_paid_and_once() -> None:
    database = Database(shop.tables())
    do(database, PAYMENT, order_id="#P1", payment_method_id="paypal_1")
    assert database.read("users", "ada_1")["payment_methods"]["gift_card_1"]["balance"] == 90.0
    found = do(database, CANCEL, order_id="#P1", reason="ordered by mistake")
    kinds = [(one["transaction_type"], one["payment_method_id"]) for one in found["payment_history"]]
    assert kinds[-1] == ("refund", "paypal_1")
    assert len(kinds) == 4
    assert (found["status"], found["cancel_reason"]) == ("cancelled", "ordered by mistake")
    assert database.read("users", "ada_1")["payment_methods"]["gift_card_1"]["balance"] == 90.0
    with pytest.raises(Refused, match="is 'cancelled'"):
        do(database, CANCEL, order_id="#P1", reason="ordered by mistake")


def test_items_are_modified_each_into_its_own_and_only_once() -> None:
    database = Database(shop.tables())
    found = do(database, MODIFY, **swap("#P1", ["mug-a", "lamp-a", "mug-a"], ["mug-b", "lamp-b", "mug-c"], "paypal_1"))
    assert [(one["item_id"], one["price"]) for one in found["items"]] == [
        ("mug-b", 12.5),
        ("mug-c", 60.0),
        ("lamp-b", 20.0),
    ]
    assert [one["options"]["kind"] for one in found["items"]] == ["mug-b", "mug-c", "lamp-b"]
    assert found["payment_history"][-1] == {
        "transaction_type": "payment",
        "amount": 42.5,
        "payment_method_id": "paypal_1",
    }
    assert found["status"] == MODIFIED
    later: list[tuple[str, dict[str, Any]]] = [
        (MODIFY, swap("#P1", ["mug-b"], ["mug-a"], "paypal_1")),
        (CANCEL, {"order_id": "#P1", "reason": "no longer needed"}),
        (PAYMENT, {"order_id": "#P1", "payment_method_id": "credit_card_1"}),
        ("modify_pending_order_address", {"order_id": "#P1", **shop.HOME}),
    ]
    for tool, arguments in later:
        with pytest.raises(Refused, match="only pending orders"):
            do(database, tool, **arguments)


def test_exchange_and_return_are_asked_for_and_nothing_is_paid_yet() -> None:
    database = Database(shop.tables())
    found = do(database, EXCHANGE, **swap("#D1", ["mug-a", "lamp-a"], ["mug-b", "lamp-b"], "gift_card_1"))
    assert (found["status"], found["exchange_price_difference"]) == ("exchange requested", -7.5)
    assert (found["exchange_items"], found["exchange_new_items"]) == (["lamp-a", "mug-a"], ["lamp-b", "mug-b"])
    assert list(database.changed()) == ["orders"]
    with pytest.raises(Refused, match="only delivered"):
        do(database, RETURN, **back("#D1", ["mug-a"], "credit_card_1"))
    for method in ("credit_card_1", "gift_card_1"):
        other = Database(shop.tables())
        found = do(other, RETURN, **back("#D1", ["mug-a"], method))
        assert (found["status"], found["return_payment_method_id"]) == ("return requested", method)
        assert list(other.changed()) == ["orders"]


def test_looking_things_up() -> None:
    database = Database(shop.tables())
    assert do(database, "find_user_id_by_email", email=" ADA@example.com") == "ada_1"
    assert do(database, "find_user_id_by_name_zip", first_name="ada", last_name="MOSS", zip="10001") == "ada_1"
    assert do(database, "get_item_details", item_id="lamp-b")["price"] == 20.0
    shown = do(database, "get_product_details", product_id="Mug")["items"]
    assert shown["mug-b"] == "kind mug-b; 12.50; available"
    assert shown["mug-d"] == "kind mug-d; 8.00; not available"
    assert list(do(database, "list_all_product_types")) == ["Lamp", "Mug"]
    assert do(database, "calculate", expression="-(155.33 - 147.05) + 2 * 3 / 4") == "-6.78"
    assert database.changed() == {}


def test_an_address_that_is_taken_back_has_not_changed() -> None:
    database = Database(shop.tables())
    do(database, "modify_user_address", user_id="ada_1", **{**shop.HOME, "city": "Bonn"})
    assert database.changed()["users"]["ada_1"]["address"]["city"] == "Bonn"
    do(database, "modify_user_address", user_id="ada_1", **shop.HOME)
    assert database.changed() == {}


SHOP = shop.tables()
VALUES = {
    "order_id": [*SHOP["orders"], "#Z"],
    "user_id": [*SHOP["users"], "nobody"],
    "payment_method_id": ["gift_card_1", "paypal_1", "credit_card_1", "paypal_2"],
    "item_ids": ["mug-a", "mug-b", "mug-c", "lamp-a", "lamp-b", "mug-d"],
    "new_item_ids": ["mug-a", "mug-b", "mug-c", "lamp-a", "lamp-b", "mug-d"],
    "expression": ["1 + 1", "1 /", "2 * (3"],
    "first_name": ["Ada"],
    "last_name": ["Moss"],
    "zip": ["10001"],
    "email": ["ada@example.com"],
}


def values(name: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    one = st.sampled_from(VALUES[name]) if name in VALUES else st.text(max_size=8)
    return st.lists(one, min_size=1, max_size=3) if schema["type"] == "array" else one | st.text(max_size=30)


def calls() -> st.SearchStrategy[str]:
    """Calls that fit their schemas, most of them about things that are there."""

    def of(tool: Any) -> st.SearchStrategy[str]:
        drawn = st.fixed_dictionaries({name: values(name, schema) for name, schema in tool.parameters.items()})
        return drawn.map(lambda arguments: call(tool.name, **arguments))

    return st.one_of([of(tool) for tool in RETAIL.tools])


def holds(database: Database) -> None:
    """No card is overdrawn, and what was paid for an order is what its items cost, or nothing once it is cancelled."""
    for _, user in database.rows("users"):
        assert all(card.get("balance", 0) >= 0 for card in user["payment_methods"].values())
    for number, order in database.rows("orders"):
        paid = sum(
            one["amount"] * (1 if one["transaction_type"] == "payment" else -1) for one in order["payment_history"]
        )
        due = 0 if order["status"] == "cancelled" else sum(item["price"] for item in order["items"])
        assert paid == pytest.approx(due), number


@settings(max_examples=60)
@given(st.lists(calls(), min_size=1, max_size=12))
def test_whatever_is_called_the_books_are_right_and_a_refusal_changes_nothing(actions: list[str]) -> None:
    world = Tau2World(Case("0", Scenario("")), RETAIL, SHOP)
    world.reset(0)
    before = deepcopy(SHOP)
    for action in actions:
        state = world.database.digest()
        tool, _ = called(action, world.tools)
        stepped = world.step(action)
        if stepped.info.get("refused") or not tool.changes:
            assert world.database.digest() == state
        holds(world.database)
        if stepped.terminated:
            break
    assert before == SHOP


@settings(max_examples=60)
@given(
    st.text(max_size=60)
    | st.builds(lambda tool, rest: f"{tool} {rest}", st.sampled_from(sorted(RETAIL.does)), st.text())
)
def test_no_action_whatever_raises(action: str) -> None:
    world = Tau2World(Case("0", Scenario("")), RETAIL, SHOP)
    world.reset(0)
    assert world.step(action).observation.text
    assert isinstance(world.best(), str)
    assert isinstance(world.approves(action), bool)
    assert 0 <= world.tally().reached <= 1


def test_schemas_are_schemas() -> None:
    for tool in RETAIL.tools:
        Draft202012Validator.check_schema(dict(tool.schema))
    assert {tool.name for tool in RETAIL.tools if tool.changes} == {
        CANCEL,
        EXCHANGE,
        RETURN,
        MODIFY,
        PAYMENT,
        "modify_pending_order_address",
        "modify_user_address",
    }
