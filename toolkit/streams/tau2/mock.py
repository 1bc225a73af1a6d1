"""The tools of τ²-bench's mock domain, a list of things to do, and what its tasks ask of it in the end."""

from __future__ import annotations

from toolkit.moves import Tool
from toolkit.streams.tau2.database import Database, Domain, Record, Refused

STATUSES = ("pending", "completed")
"""What a task's status may be."""


def create_task(database: Database, user_id: str, title: str, description: str | None = None) -> object:
    """A new task of a user, pending."""
    database.read("users", user_id)
    if not title.strip():
        raise Refused("each task must have a title, but it is empty")
    identity = f"task_{sum(1 for _ in database.rows('tasks')) + 1}"
    record: Record = {"task_id": identity, "title": title, "description": description, "status": "pending"}
    database.put("tasks", identity, record)
    database.write("users", user_id)["tasks"].append(identity)
    return record


def get_users(database: Database) -> object:
    """All users, with the ids of their tasks."""
    return [user for _, user in database.rows("users")]


def update_task_status(database: Database, task_id: str, status: str) -> object:
    """A task has another status."""
    database.read("tasks", task_id)
    if status not in STATUSES:
        raise Refused(f"a status must be one of {', '.join(STATUSES)} but is {status!r}")
    task = database.write("tasks", task_id)
    task["status"] = status
    return task


def transfer_to_human_agents(database: Database, summary: str) -> object:
    """The user is handed on."""
    return "The user is handed on to a human agent."


def add_notification(database: Database, notification_id: str, message: str, task_id: str | None = None) -> object:
    """The user's inbox holds one more notification, unread."""
    record: Record = {"notification_id": notification_id, "message": message, "status": "unread", "task_id": task_id}
    database.put("notifications", notification_id, record)
    return record


def told_of(database: Database) -> None:
    """A user who was told something dismisses the notifications of tasks that are completed."""
    for identity, one in list(database.rows("notifications")):
        task = database.find("tasks", str(one.get("task_id")))
        if one["status"] == "unread" and task is not None and task["status"] == "completed":
            database.write("notifications", identity)["status"] = "read"


def assert_task_status(database: Database, task_id: str, expected_status: str) -> bool:
    """Whether there is such a task and it has this status."""
    return (database.find("tasks", task_id) or {}).get("status") == expected_status


def assert_number_of_tasks(database: Database, user_id: str, expected_number: int) -> bool:
    """Whether there is such a user and has so many tasks."""
    user = database.find("users", user_id)
    return user is not None and len(user["tasks"]) == expected_number


def assert_notification_status(database: Database, notification_id: str, expected_status: str) -> bool:
    """Whether there is such a notification and it has this status."""
    return (database.find("notifications", notification_id) or {}).get("status") == expected_status


_TEXT = {"type": "string"}

MOCK = Domain(
    tools=(
        Tool(
            "create_task",
            "Create a task for a user.",
            {"user_id": _TEXT, "title": _TEXT, "description": _TEXT},
            ("description",),
            changes=True,
        ),
        Tool("get_users", "All users, with the ids of their tasks."),
        Tool(
            "update_task_status",
            "Change a task's status.",
            {"task_id": _TEXT, "status": {"type": "string", "enum": list(STATUSES)}},
            changes=True,
        ),
        Tool("transfer_to_human_agents", "Hand the user on to a human; ends the talk.", {"summary": _TEXT}),
    ),
    does={one.__name__: one for one in (create_task, get_users, update_task_status, transfer_to_human_agents)},
    checks={one.__name__: one for one in (assert_task_status, assert_number_of_tasks, assert_notification_status)},
    starts={"add_notification": add_notification},
    hears=told_of,
    private=frozenset({"notifications"}),
)
"""The list of things to do."""
