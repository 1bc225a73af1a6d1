"""A small shop with made-up customers, as τ²-bench's retail domain writes its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HOME = {"address1": "1 Elm", "address2": "", "city": "Ulm", "country": "DE", "state": "BW", "zip": "10001"}


def variant(item: str, price: float, *, available: bool = True) -> dict[str, Any]:
    return {"item_id": item, "options": {"kind": item}, "available": available, "price": price}


def order(number: str, status: str, method: str, *items: tuple[str, str, float], user: str = "ada_1") -> dict[str, Any]:
    bought = [
        {"name": name, "product_id": name, "item_id": item, "price": price, "options": {"kind": item}}
        for name, item, price in items
    ]
    paid = {"transaction_type": "payment", "amount": sum(price for *_, price in items), "payment_method_id": method}
    return {
        "order_id": number,
        "user_id": user,
        "address": dict(HOME),
        "items": bought,
        "status": status,
        "fulfillments": [],
        "payment_history": [paid],
    }


def customer(name: str, email: str, **methods: dict[str, Any]) -> dict[str, Any]:
    return {
        "user_id": f"{name.lower()}_1",
        "name": {"first_name": name, "last_name": "Moss"},
        "address": dict(HOME),
        "email": email,
        "payment_methods": {
            key: {"source": key.rpartition("_")[0], "id": key, **rest} for key, rest in methods.items()
        },
        "orders": [],
    }


def tables() -> dict[str, dict[str, Any]]:
    mugs = [
        variant("mug-a", 10.0),
        variant("mug-b", 12.5),
        variant("mug-c", 60.0),
        variant("mug-d", 8.0, available=False),
    ]
    lamps = [variant("lamp-a", 30.0), variant("lamp-b", 20.0)]
    orders = [
        order(
            "#P1", "pending", "gift_card_1", ("Mug", "mug-a", 10.0), ("Mug", "mug-a", 10.0), ("Lamp", "lamp-a", 30.0)
        ),
        order("#P2", "pending", "paypal_1", ("Lamp", "lamp-a", 30.0)),
        order("#D1", "delivered", "credit_card_1", ("Mug", "mug-a", 10.0), ("Lamp", "lamp-a", 30.0)),
        order("#X1", "processed", "paypal_1", ("Mug", "mug-a", 10.0)),
        order("#B1", "pending", "paypal_2", ("Mug", "mug-a", 10.0), user="bo_1"),
    ]
    users = [
        customer("Ada", "ada@example.com", gift_card_1={"balance": 40.0}, paypal_1={}, credit_card_1={}),
        customer("Bo", "bo@example.com", paypal_2={}),
    ]
    return {
        "products": {
            name: {"name": name, "product_id": name, "variants": {one["item_id"]: one for one in variants}}
            for name, variants in (("Mug", mugs), ("Lamp", lamps))
        },
        "users": {one["user_id"]: one for one in users},
        "orders": {one["order_id"]: one for one in orders},
    }


TASKS: list[dict[str, Any]] = [
    {
        "id": "0",
        "user_scenario": {
            "instructions": {
                "reason_for_call": "You want to cancel your order #P1, as it is no longer needed. What comes back?",
                "known_info": "You are Ada Moss in zip code 10001.",
                "unknown_info": "You do not remember your email address.",
                "task_instructions": "You are brief. The secret is teal (do not share this with the agent).",
            }
        },
        "initial_state": None,
        "evaluation_criteria": {
            "actions": [
                {
                    "name": "find_user_id_by_name_zip",
                    "arguments": {"first_name": "Ada", "last_name": "Moss", "zip": "10001"},
                },
                {"name": "get_order_details", "arguments": {"order_id": "#X9"}},
                {"name": "cancel_pending_order", "arguments": {"order_id": "#P1", "reason": "no longer needed"}},
            ],
            "communicate_info": ["1050.00"],
            "nl_assertions": None,
            "reward_basis": ["DB", "NL_ASSERTION"],
        },
    },
    {
        "id": "1",
        "user_scenario": {
            "instructions": {
                "reason_for_call": "You want the mug and the lamp of #D1 exchanged.",
                "known_info": "You are Ada Moss, ada@example.com.",
                "unknown_info": None,
                "task_instructions": ".",
            }
        },
        "evaluation_criteria": {
            "actions": [
                {
                    "name": "exchange_delivered_order_items",
                    "arguments": {
                        "order_id": "#D1",
                        "item_ids": ["mug-a", "lamp-a"],
                        "new_item_ids": ["mug-b", "lamp-b"],
                        "payment_method_id": "paypal_1",
                    },
                }
            ],
            "communicate_info": [],
            "reward_basis": ["DB"],
        },
    },
]


def written(folder: Path) -> Path:
    """The shop as files: the path that `toolkit.Tau2` takes."""
    home = folder / "retail"
    home.mkdir()
    (home / "db.json").write_text(json.dumps(tables()), encoding="utf-8")
    (home / "tasks.json").write_text(json.dumps(TASKS), encoding="utf-8")
    (home / "split_tasks.json").write_text(json.dumps({"base": ["0", "1"], "test": ["1"]}), encoding="utf-8")
    (home / "policy.md").write_text("Be fair.\n", encoding="utf-8")
    return folder
