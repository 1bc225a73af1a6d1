"""The tools of τ²-bench's retail shop, as its policy and its data have them.

A tool that cannot be done by the policy is refused, with the rule; all is looked at before anything is written.
"""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from toolkit.moves import Tool
from toolkit.streams.tau2.database import Call, Database, Domain, Record, Refused

REASONS = ("no longer needed", "ordered by mistake")
"""Why an order may be cancelled; no other reason is accepted."""

MODIFIED = "pending (item modified)"
"""The status of a pending order whose items were changed: nothing more can be done with it."""

_LONGEST_SUM = 200


def find_user_id_by_email(database: Database, email: str) -> object:
    """Who has this address, in any case of letters."""
    return _only(database, lambda user: user["email"].lower() == email.strip().lower())


def find_user_id_by_name_zip(database: Database, first_name: str, last_name: str, zip: str) -> object:
    """Who has this name, in any case of letters, and lives under this zip code."""
    wanted = (first_name.strip().lower(), last_name.strip().lower(), zip.strip())

    def is_meant(user: Record) -> bool:
        name = user["name"]
        return (name["first_name"].lower(), name["last_name"].lower(), user["address"]["zip"]) == wanted

    return _only(database, is_meant)


def _only(database: Database, is_meant: Callable[[Record], bool]) -> str:
    for identity, user in database.rows("users"):
        if is_meant(user):
            return identity
    raise Refused("no user is known by that; ask the customer again, or for something else to find them by")


def get_user_details(database: Database, user_id: str) -> object:
    """A customer's profile."""
    return database.read("users", user_id)


def get_order_details(database: Database, order_id: str) -> object:
    """An order, with its items, status and payments."""
    return database.read("orders", order_id)


def get_product_details(database: Database, product_id: str) -> object:
    """A product with all its items, a line each: as records, they would fill a small model's context."""
    product = database.read("products", product_id)
    return {"name": product["name"], "product_id": product_id, "items": dict(map(_line, product["variants"].values()))}


def _line(item: Record) -> tuple[str, str]:
    options = ", ".join(f"{name} {value}" for name, value in item["options"].items())
    return item["item_id"], f"{options}; {item['price']:.2f}; {'' if item['available'] else 'not '}available"


def get_item_details(database: Database, item_id: str) -> object:
    """One variant of a product."""
    for _, product in database.rows("products"):
        if item_id in product["variants"]:
            return product["variants"][item_id]
    raise Refused(f"there is no item {item_id!r}; ids of products are not ids of items")


def list_all_product_types(database: Database) -> object:
    """Ids of products by name."""
    return {name: identity for name, identity in sorted((row["name"], key) for key, row in database.rows("products"))}


def calculate(database: Database, expression: str) -> object:
    """What a sum comes to, to two decimals."""
    wrong = f"{expression[:40]!r} is no sum: use numbers, + - * / and parentheses, {_LONGEST_SUM} letters at most"
    if len(expression) > _LONGEST_SUM or set(expression) - set("0123456789+-*/(). "):
        raise Refused(wrong)
    try:
        found = _value(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, ArithmeticError, RecursionError, MemoryError, ValueError) as error:
        raise Refused(wrong) from error
    return str(round(found, 2))


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            found = float(number)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            found = -_value(inner)
        case ast.UnaryOp(op=ast.UAdd(), operand=inner):
            found = _value(inner)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            found = _value(left) + _value(right)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            found = _value(left) - _value(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            found = _value(left) * _value(right)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            found = _value(left) / _value(right)
        case _:
            raise ValueError("not a sum")
    if not math.isfinite(found):
        raise ValueError("too large")
    return found


def cancel_pending_order(database: Database, order_id: str, reason: str) -> object:
    """The order is cancelled, and what was paid goes back: at once to gift cards."""
    order = _in_status(database, order_id, "pending", "cancelled")
    if reason not in REASONS:
        raise Refused(f"the reason must be one of {', '.join(map(repr, REASONS))} but is {reason!r}")
    owed = _paid(order)
    order = database.write("orders", order_id)
    for method, amount in owed.items():
        _settle(database, order, method, -amount)
    order |= {"status": "cancelled", "cancel_reason": reason}
    return order


def modify_pending_order_address(database: Database, order_id: str, **address: str) -> object:
    """The order goes to another address."""
    _in_status(database, order_id, "pending", "modified")
    order = database.write("orders", order_id)
    order["address"] = dict(address)
    return order


def modify_pending_order_payment(database: Database, order_id: str, payment_method_id: str) -> object:
    """The whole amount is paid by another method, and given back on the one before."""
    order = _in_status(database, order_id, "pending", "modified")
    owed = _paid(order)
    if payment_method_id in owed:
        raise Refused(f"{order_id} is paid by {payment_method_id} already; the new method must be another one")
    _able(database, order["user_id"], payment_method_id, round(sum(owed.values()), 2))
    order = database.write("orders", order_id)
    _settle(database, order, payment_method_id, round(sum(owed.values()), 2))
    for method, amount in owed.items():
        _settle(database, order, method, -amount)
    return order


def modify_pending_order_items(
    database: Database, order_id: str, item_ids: Sequence[str], new_item_ids: Sequence[str], payment_method_id: str
) -> object:
    """Items become other variants of the same products, once; the difference is paid or given back."""
    order = _in_status(database, order_id, "pending", "modified")
    swaps = list(_swaps(database, order, item_ids, new_item_ids))
    difference = round(sum(new["price"] - order["items"][place]["price"] for place, new in swaps), 2)
    _able(database, order["user_id"], payment_method_id, difference)
    order = database.write("orders", order_id)
    for place, new in swaps:
        order["items"][place] |= {"item_id": new["item_id"], "price": new["price"], "options": dict(new["options"])}
    _settle(database, order, payment_method_id, difference)
    order["status"] = MODIFIED
    return order


def exchange_delivered_order_items(
    database: Database, order_id: str, item_ids: Sequence[str], new_item_ids: Sequence[str], payment_method_id: str
) -> object:
    """An exchange of items for other variants of the same products is asked for, once; nothing is paid yet."""
    order = _in_status(database, order_id, "delivered", "exchanged")
    swaps = list(_swaps(database, order, item_ids, new_item_ids))
    difference = round(sum(new["price"] - order["items"][place]["price"] for place, new in swaps), 2)
    _able(database, order["user_id"], payment_method_id, difference)
    order = database.write("orders", order_id)
    order |= {
        "status": "exchange requested",
        "exchange_items": sorted(item_ids),
        "exchange_new_items": sorted(new_item_ids),
        "exchange_payment_method_id": payment_method_id,
        "exchange_price_difference": difference,
    }
    return order


def return_delivered_order_items(
    database: Database, order_id: str, item_ids: Sequence[str], payment_method_id: str
) -> object:
    """A return of items is asked for; the money will go to the original method, or to a gift card."""
    order = _in_status(database, order_id, "delivered", "returned")
    _places(order, item_ids)
    method, original = _able(database, order["user_id"], payment_method_id), order["payment_history"][0]
    if method["source"] != "gift_card" and payment_method_id != original["payment_method_id"]:
        raise Refused(
            f"money goes back to the original method, {original['payment_method_id']}, or to a gift card of the "
            f"customer, but not to {payment_method_id}"
        )
    order = database.write("orders", order_id)
    order |= {
        "status": "return requested",
        "return_items": sorted(item_ids),
        "return_payment_method_id": payment_method_id,
    }
    return order


def modify_user_address(database: Database, user_id: str, **address: str) -> object:
    """The customer's default address is another one; orders keep theirs."""
    user = database.write("users", user_id)
    user["address"] = dict(address)
    return user


def transfer_to_human_agents(database: Database, summary: str) -> object:
    """The customer is handed on."""
    return "The customer is handed on to a human agent."


def _in_status(database: Database, order_id: str, status: str, done: str) -> Record:
    """The order, if it has the status that it must have."""
    order = database.read("orders", order_id)
    if order["status"] != status:
        raise Refused(f"only {status} orders can be {done}, but {order_id} is {order['status']!r}")
    return order


def _places(order: Record, item_ids: Sequence[str]) -> list[int]:
    """Where in the order the items stand, a place each: an item may be there twice."""
    free: dict[str, list[int]] = {}
    for place, item in enumerate(order["items"]):
        free.setdefault(item["item_id"], []).append(place)
    if not item_ids:
        raise Refused("at least one item must be named")
    for item_id, times in Counter(item_ids).items():
        if times > len(free.get(item_id, ())):
            there = f"{len(free.get(item_id, ()))} times, but is asked for {times} times"
            raise Refused(f"item {item_id!r} is in {order['order_id']} {there}")
    return [free[item_id].pop(0) for item_id in item_ids]


def _swaps(
    database: Database, order: Record, item_ids: Sequence[str], new_item_ids: Sequence[str]
) -> Iterator[tuple[int, Record]]:
    """Each place of the order with the variant that comes there."""
    if len(item_ids) != len(new_item_ids):
        raise Refused(f"every item needs a new one, but there are {len(item_ids)} and {len(new_item_ids)} new")
    for place, new_id in zip(_places(order, item_ids), new_item_ids, strict=True):
        item = order["items"][place]
        new = database.read("products", item["product_id"])["variants"].get(new_id)
        if new is None:
            raise Refused(f"{new_id!r} is no item of the product {item['name']!r}; the product must stay the same")
        if new_id == item["item_id"]:
            raise Refused(f"the new item {new_id!r} is the old one; it must have other options")
        if not new["available"]:
            raise Refused(f"item {new_id!r} is not available")
        yield place, new


def _able(database: Database, user_id: str, method_id: str, amount: float = 0.0) -> Record:
    """The payment method, if it is the customer's and can bear the amount."""
    methods: Mapping[str, Record] = database.read("users", user_id)["payment_methods"]
    if method_id not in methods:
        raise Refused(f"{method_id!r} is no payment method of {user_id}, who has {', '.join(methods) or 'none'}")
    method = methods[method_id]
    if method["source"] == "gift_card" and method["balance"] < amount:
        raise Refused(f"{method_id} holds {method['balance']:.2f}, which does not cover {amount:.2f}")
    return method


def _paid(order: Record) -> dict[str, float]:
    """What has been paid on each method and not given back."""
    found: dict[str, float] = {}
    for one in order["payment_history"]:
        sign = 1 if one["transaction_type"] == "payment" else -1
        found[one["payment_method_id"]] = found.get(one["payment_method_id"], 0.0) + sign * one["amount"]
    return {method: round(amount, 2) for method, amount in found.items() if round(amount, 2) > 0}


def _settle(database: Database, order: Record, method_id: str, amount: float) -> None:
    """Note an amount as paid, or as given back if negative; a gift card changes at once."""
    kind = "payment" if amount > 0 else "refund"
    note = {"transaction_type": kind, "amount": abs(amount), "payment_method_id": method_id}
    order["payment_history"].append(note)
    if _able(database, order["user_id"], method_id)["source"] == "gift_card":
        card = database.write("users", order["user_id"])["payment_methods"][method_id]
        card["balance"] = round(card["balance"] - amount, 2)


_TEXT: Mapping[str, Any] = {"type": "string"}
_TEXTS: Mapping[str, Any] = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_ADDRESS = dict.fromkeys(("address1", "address2", "city", "state", "country", "zip"), _TEXT)
_SWAP = {"order_id": _TEXT, "item_ids": _TEXTS, "new_item_ids": _TEXTS, "payment_method_id": _TEXT}
_RETURN = {"order_id": _TEXT, "item_ids": _TEXTS, "payment_method_id": _TEXT}
_CANCEL = {"order_id": _TEXT, "reason": {"type": "string", "enum": list(REASONS)}}
_NAME = {"first_name": _TEXT, "last_name": _TEXT, "zip": _TEXT}

_ALL: tuple[tuple[Call, str, Mapping[str, Mapping[str, Any]], bool], ...] = (
    (find_user_id_by_email, "Find a customer's user id by email.", {"email": _TEXT}, False),
    (find_user_id_by_name_zip, "Find a customer's user id by name and zip code.", _NAME, False),
    (get_user_details, "A customer's profile: address, payment methods, orders.", {"user_id": _TEXT}, False),
    (get_order_details, "An order's status, items, address and payments.", {"order_id": _TEXT}, False),
    (get_product_details, "A product's items: options, price, availability.", {"product_id": _TEXT}, False),
    (get_item_details, "One item: options, price, availability.", {"item_id": _TEXT}, False),
    (list_all_product_types, "Product ids by name.", {}, False),
    (calculate, "Work out a sum of numbers, + - * / and parentheses.", {"expression": _TEXT}, False),
    (cancel_pending_order, "Cancel a pending order.", _CANCEL, True),
    (modify_pending_order_address, "Send a pending order elsewhere.", {"order_id": _TEXT, **_ADDRESS}, True),
    (
        modify_pending_order_payment,
        "Let a pending order be paid by another method.",
        {"order_id": _TEXT, "payment_method_id": _TEXT},
        True,
    ),
    (modify_pending_order_items, "Change items of a pending order; only once, all at once.", _SWAP, True),
    (exchange_delivered_order_items, "Exchange items of a delivered order; only once, all at once.", _SWAP, True),
    (return_delivered_order_items, "Return items of a delivered order; only once, all at once.", _RETURN, True),
    (modify_user_address, "Change a customer's default address.", {"user_id": _TEXT, **_ADDRESS}, True),
    (transfer_to_human_agents, "Hand the customer on to a human; ends the talk.", {"summary": _TEXT}, False),
)

RETAIL = Domain(
    tools=tuple(Tool(call.__name__, told, schema, changes=changes) for call, told, schema, changes in _ALL),
    does={call.__name__: call for call, *_ in _ALL},
)
"""The retail shop."""
