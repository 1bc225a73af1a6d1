"""A case of τ²-bench as a world: tools above a database of its own, and a customer who can be asked and told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from functools import cached_property
from typing import Any

from toolkit.moves import WAIT, Observation, Tally, Tool, call, called
from toolkit.streams.tau2.cases import Case
from toolkit.streams.tau2.database import Database, Domain, Record, Refused, Tables
from toolkit.streams.tau2.user import Opening, ScriptedUser
from toolkit.streams.worlds import Stepped, World

SAY = Tool("say", "Tell the customer something.", {"text": {"type": "string", "minLength": 1}})
"""What the customer is told, and answers nothing to."""

ASK = Tool("ask", "Ask the customer something.", {"question": {"type": "string", "minLength": 1}}, asks=True)
"""What the customer is asked, and answers by `ScriptedUser`."""

_TRANSFER = "transfer_to_human_agents"


class Tau2World(World):
    """One case. It ends when the customer is handed on, or the agent waits: it is done then.

    ``reached`` is 1 if all that the case is judged by holds, else 0: the database equals the one that the reference
    actions leave (``DB``), what must be true of it is (``ENV_ASSERTION``), each reference action was taken
    (``ACTION``); and, whatever it is judged by, the customer was told each text that they must be told, in any case of
    letters and with commas left out, by `SAY` or `ASK`. Statements on the talk (``NL_ASSERTION``) are not judged: that
    takes a model.

    Parameters
    ----------
    case
        Which.
    domain
        What can be done.
    tables
        The database at the start, shared with other worlds and never written.
    opening
        What the customer says at first.
    """

    def __init__(self, case: Case, domain: Domain, tables: Tables, opening: Opening = "all") -> None:
        self.case = case
        self.domain = domain
        self.opening = opening
        self.tools = (*domain.tools, ASK, SAY)
        self._tables = tables
        self._begin()

    def reset(self, seed: int) -> Observation:
        """Begin anew; nothing is drawn."""
        self._begin()
        return Observation("The customer has said what it is about and waits for you.", "prompt")

    def _begin(self) -> None:
        self.database = _started(self.case, self.domain, self._tables)
        self.user = ScriptedUser(self.case.scenario, self.opening)
        self._open = list(self.case.actions)
        self._heard: list[str] = []
        self._questions = self._useful = 0
        self._has_ended = self._was_last_said = False

    def step(self, action: str) -> Stepped:
        """Take a call of a tool; a refused one changes nothing and says why."""
        if self._has_ended or action.strip() == WAIT:
            self._has_ended = True
            return Stepped(Observation("The talk is over."), terminated=True)
        try:
            tool, arguments = called(action, self.tools)
            _as_text(arguments).encode()
        except UnicodeEncodeError:
            return _refused(f"{action[:40]!r} holds letters that are none: half of a pair")
        except ValueError as error:
            return _refused(str(error))
        self._was_last_said = tool in (SAY, ASK)
        if self._was_last_said:
            return self._talk(tool, *arguments.values())
        self._tick_off(tool.name, arguments)
        try:
            found = self.domain.does[tool.name](self.database, **arguments)
        except Refused as error:
            return _refused(str(error))
        self._has_ended = tool.name == _TRANSFER
        return Stepped(Observation(_as_text(found)), terminated=self._has_ended)

    def _talk(self, tool: Tool, text: str) -> Stepped:
        self._heard.append(text.lower().replace(",", ""))
        if self.domain.hears:
            self.domain.hears(self.database)
        if tool is SAY:
            return Stepped(Observation("The customer has heard you."))
        told = len(self.user.told)
        answer = self.user.answer(text, [one for one in self._open if self._writes(one)])
        self._questions += 1
        self._useful += len(self.user.told) > told
        return Stepped(Observation(f"customer: {answer}"))

    def _tick_off(self, name: str, arguments: Mapping[str, Any]) -> None:
        """The first reference action that this call is, is not open any more."""
        done = _form(name, arguments)
        for place, one in enumerate(self._open):
            if self._formed(one) == done:
                del self._open[place]
                return

    def _formed(self, action: str) -> tuple[str, str]:
        tool, arguments = called(action, self.tools)
        return _form(tool.name, arguments)

    def _writes(self, action: str) -> bool:
        return action.partition(" ")[0] in self.domain.writes

    def _untold(self) -> list[str]:
        return [info for info in self.case.infos if not any(info.lower() in heard for heard in self._heard)]

    def _is_state_right(self) -> bool:
        return self._compared(self.database) == self._compared(self._reference[0])

    @cached_property
    def _reference(self) -> tuple[Database, tuple[str, ...]]:
        """The state that the reference actions leave, and those of them that are done.

        Some references try what is refused, and are judged by what the others leave.
        """
        found = _started(self.case, self.domain, self._tables)
        return found, tuple(action for action in self.case.actions if self._is_done(action, found))

    def _is_done(self, action: str, database: Database) -> bool:
        """Whether a call is done, and not refused; then it has been."""
        tool, arguments = called(action, self.tools)
        try:
            self.domain.does[tool.name](database, **arguments)
        except Refused:
            return False
        return True

    def _compared(self, database: Database) -> dict[str, dict[str, Record]]:
        return {table: rows for table, rows in database.changed().items() if table not in self.domain.private}

    def _holds(self) -> bool:
        """Whether all checks come out as they must."""
        return all(
            self.domain.checks[one.name](self.database, **one.arguments) == one.expected for one in self.case.checks
        )

    def _is_reached(self) -> bool:
        basis = self.case.basis
        return (
            not self._untold()
            and ("ACTION" not in basis or not self._open)
            and ("ENV_ASSERTION" not in basis or self._holds())
            and ("DB" not in basis or self._is_state_right())
        )

    def tally(self) -> Tally:
        """What came of it so far; ``best_steps`` are the reference's, and one more where something must be told."""
        must_tell = bool(self.case.infos) or any(one.of_user for one in self.case.checks)
        asks = self.opening == "reason" and bool(self.case.scenario.known)
        return Tally(
            reached=float(self._is_reached()),
            best_steps=len(self._reference[1]) + must_tell,
            questions=self._questions,
            useful=self._useful,
            blockers=int(asks),
            found=int(asks and self.user.is_known),
        )

    def best(self) -> str:
        """The next reference action that was not taken yet and can be; then what must be told; then nothing."""
        for action in [] if self._has_ended else self._open:
            if action in self._reference[1] and self._is_done(action, self.database.branch()):
                return action
        if self._untold() and not self._has_ended:
            return call(SAY.name, text=f"It is done: {'; '.join(self.case.infos)}.")
        waits_for_user = any(one.of_user for one in self.case.checks) and not self._holds()
        if waits_for_user and not self._was_last_said and not self._has_ended:
            return call(SAY.name, text="It is done.")
        return WAIT

    def approves(self, action: str) -> bool:
        """Whether it changes nothing, or is a change of the reference that was not made yet."""
        try:
            formed = self._formed(action)
        except ValueError:
            return False
        return not self._writes(action.strip()) or formed in map(self._formed, self._open)


def _started(case: Case, domain: Domain, tables: Tables) -> Database:
    """The database as a case begins with it."""
    found = Database(tables)
    for table, rows in (case.data or {}).items():
        for identity, record in rows.items():
            found.put(table, identity, {**(found.find(table, identity) or {}), **deepcopy(record)})
    for name, arguments in case.starts:
        {**domain.does, **domain.starts}[name](found, **arguments)
    return found


def _form(name: str, arguments: Mapping[str, Any]) -> tuple[str, str]:
    """A call with what does not matter left out: the order of items, and words for a colleague."""
    said = {key: value for key, value in arguments.items() if key not in ("item_ids", "new_item_ids", "summary")}
    old, new = arguments.get("item_ids", ()), arguments.get("new_item_ids")
    items = sorted(old) if new is None or len(old) != len(new) else sorted(map(list, zip(old, new, strict=True)))
    return name, _as_text({**said, "items": items})


def _refused(why: str) -> Stepped:
    return Stepped(Observation(f"Not done: {why}"), info={"refused": why})


def _as_text(found: object) -> str:
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, sort_keys=True)
