"""Roles: a specialist that is ready on day one, made of parts that can be switched off; it never changes over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.component import Prose
from toolkit.errors import nearest
from toolkit.moves import WAIT, Tool
from toolkit.records import Example
from toolkit.traits.goals import GoalPolicy
from toolkit.traits.memory import MemoryPolicy
from toolkit.traits.rules import Rule, Said
from toolkit.traits.trait import Trait, must_be_positive
from toolkit.traits.wording import unmarked, within

PARTS = ("identity", "instructions", "rules", "examples", "tools")
"""What a role is made of; each can be switched off (`Role.without`). Its identity is its name and its objective."""

_LETTERS = 4  # of a token, in plain English


class RolePolicy(Trait, kind="role"):
    """Who the agent is. `text` and `worked` are what it adds to every prompt; `allows` is what it restricts."""

    stateless = True

    def text(self) -> str:
        """The role's block of the system text; empty adds nothing."""
        return ""

    def worked(self) -> tuple[Example, ...]:
        """The role's own worked examples."""
        return ()

    def allows(self, action: str) -> bool:
        """Whether it takes this action at all; a role may restrict what a world offers, never add to it."""
        return True

    def unknown_tools(self, tools: Sequence[Tool]) -> tuple[str, ...]:
        """What is wrong where it names tools that a world does not have, one sentence each."""
        return ()


class NoRole(RolePolicy):
    """A general-purpose model: adds nothing."""


class Role(RolePolicy):
    """A specialist.

    Parameters
    ----------
    name
        Who it is, in a few words; empty = nobody in particular.
    objective
        What it is for, in one sentence.
    instructions
        How it works.
    rules
        Decision rules: texts, or components with a text that a program can check (`toolkit.traits.rules.Rule`).
    examples
        Worked cases: tables with ``inputs`` (a table of texts) and ``answer``.
    edition
        Raised whenever a role's text changes; part of its identity.
    history
        What changed, one line an edition.
    tools
        Names of the world's tools that it restricts itself to; empty = all there are.
    memory, goals
        The policies that it works best with. They act only where they are switched on: `toolkit.Arm.ready` does.
    success
        Names of the scorers by which it wants to be judged.
    budget
        The most tokens that text and examples may take, counted as one for every 4 characters.

    Examples
    --------
    >>> nurse = Role("Triage nurse", objective="Sorts patients.", rules=("When unsure, choose urgent.",))
    >>> print(nurse.text())
    You are: Triage nurse. Sorts patients.
    Rules:
    - When unsure, choose urgent.
    >>> nurse.without("identity").text()
    'Rules:\\n- When unsure, choose urgent.'
    >>> nurse.without("identity", "rules")
    NoRole()
    """

    def __init__(
        self,
        name: str,
        objective: Prose = "",
        instructions: Prose = "",
        rules: Sequence[str | Rule] = (),
        examples: Sequence[Mapping[str, object]] = (),
        edition: str = "1",
        history: Sequence[str] = (),
        tools: Sequence[str] = (),
        memory: MemoryPolicy | None = None,
        goals: GoalPolicy | None = None,
        success: Sequence[str] = (),
        budget: int = 1000,
    ) -> None:
        self.name = name
        self.objective = objective
        self.instructions = instructions
        self.rules = tuple(rules)
        self.examples = tuple(examples)
        self.edition = edition
        self.history = tuple(history)
        self.tools = tuple(tools)
        self.memory = memory
        self.goals = goals
        self.success = tuple(success)
        self.budget = budget

    def check(self) -> None:
        """There is something to it; its worked cases are whole and keep its own rules; it fits its budget."""
        if not self.parts:
            raise ValueError(f"Role.name must say who the agent is but is {self.name!r}")
        must_be_positive("Role.budget", self.budget)
        for number, rule in enumerate(self.rules, start=1):
            if not isinstance(rule, str | Rule) or not rule_text(rule).strip():
                raise ValueError(f"role {self.name!r}, Role.rules, number {number}: must be a text but is {rule!r}")
            if isinstance(rule, Rule):
                rule.check()
        self._keeps_its_rules()
        if self.tokens > self.budget:
            raise ValueError(
                f"role {self.name!r}: its text takes about {self.tokens:,} tokens, most of them in Role.{self._longest}"
                f", but Role.budget is {self.budget:,}: shorten it, or raise the budget"
            )

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that it has, of `PARTS`."""
        held: dict[str, Any] = {
            "identity": self.name.strip() or self.objective.strip(),
            "instructions": self.instructions.strip(),
            "rules": self.rules,
            "examples": self.examples,
            "tools": self.tools,
        }
        return tuple(part for part in PARTS if held[part])

    @property
    def checked(self) -> tuple[Rule, ...]:
        """The rules that a program can check."""
        return tuple(rule for rule in self.rules if isinstance(rule, Rule))

    @property
    def tokens(self) -> int:
        """About how many tokens it adds to a prompt: one for every 4 characters."""
        return -(-sum(map(len, self._spelt().values())) // _LETTERS)

    def in_words(self, number: int, **worded: Any) -> Role:
        """The same role put in other words: wording of this number of what ``worded`` holds; what checks a rule stays.

        Raises
        ------
        ValueError
            If there are not as many rules as before.
        """
        texts = worded.get("rules", [rule_text(rule) for rule in self.rules])
        if len(texts) != len(self.rules):
            raise ValueError(f"rules must be {len(self.rules)} texts, one for each rule, but are {texts!r:.200}")
        rules = [
            text if isinstance(rule, str) else rule.worded(text) for rule, text in zip(self.rules, texts, strict=True)
        ]
        return self.but(**{**worded, "rules": rules, "edition": f"{self.edition}/w{number}"})

    def without(self, *parts: str) -> RolePolicy:
        """The same role without some of its `PARTS`; without all that it has, no role.

        Raises
        ------
        ValueError
            If it is not known what to leave out.
        """
        for part in parts:
            if part not in PARTS:
                raise ValueError(f"a role has no part {part!r}; {nearest(part, PARTS)}")
        empty: dict[str, Any] = {"instructions": "", "rules": (), "examples": (), "tools": ()}
        changed = {part: empty[part] for part in parts if part != "identity"}
        if "identity" in parts:
            changed |= {"name": "", "objective": ""}
        left = self.but(**changed)
        return left if left.parts else NoRole()

    def but(self, **changed: Any) -> Role:
        """The same role with other parameters."""
        return type(self)(**{**{name: getattr(self, name) for name in self.parameters()}, **changed})

    def text(self) -> str:
        """The role's block of the system text: whatever its fields hold, it cannot look like another block."""
        told = {name: text for name, text in self._spelt().items() if name != "examples" and text}
        return unmarked("\n".join(told.values()))

    def worked(self) -> tuple[Example, ...]:
        """The role's own worked examples.

        Raises
        ------
        ValueError
            If one has no table of inputs or no answer.
        """
        return tuple(_example(self.name, number, table) for number, table in enumerate(self.examples, start=1))

    def told(self) -> dict[str, str]:
        """Which role it is, to the letter: its name, its edition, and a hash of all of it, for a study's plan."""
        return {"name": self.name, "edition": self.edition, "fingerprint": self.fingerprint()}

    def prompt(self) -> str:
        """All of it as one plain system prompt, for use elsewhere.

        Examples
        --------
        >>> case = {"inputs": {"letter": "A bill."}, "answer": "pay"}
        >>> print(Role("Clerk", "Files letters.", examples=[case]).prompt())
        You are: Clerk. Files letters.
        <BLANKLINE>
        Letter: A bill.
        Answer: pay
        """
        cases = ["\n".join([*_lines(one.inputs), f"Answer: {within(one.answer)}"]) for one in self.worked()]
        return "\n\n".join([self.text(), *cases])

    def allows(self, action: str) -> bool:
        """Whether it waits, or calls one of its tools."""
        name = action.strip().partition(" ")[0]
        return not self.tools or name in self.tools or action.strip() == WAIT

    def unknown_tools(self, tools: Sequence[Tool]) -> tuple[str, ...]:
        """Tools of its own list that are none here."""
        known = [tool.name for tool in tools]
        return tuple(
            f"role {self.name!r}, Role.tools: there is no tool {name!r} here; {nearest(name, known)}"
            for name in self.tools
            if name not in known
        )

    def _spelt(self) -> dict[str, str]:
        """Each part as it stands in a prompt."""
        name, objective = within(self.name.strip()), within(self.objective.strip())
        rules = [f"- {within(rule_text(rule).strip())}" for rule in self.rules]
        cases = [f"{text}\n" for one in self.worked() for text in (*_lines(one.inputs), one.answer)]
        return {
            "objective": (f"You are: {name}. {objective}".strip() if name else objective),
            "instructions": within(self.instructions.strip()),
            "rules": "\n".join(["Rules:", *rules] if rules else []),
            "examples": "".join(cases),
        }

    @property
    def _longest(self) -> str:
        spelt = self._spelt()
        return max(spelt, key=lambda part: len(spelt[part]))

    def _keeps_its_rules(self) -> None:
        for number, one in enumerate(self.worked(), start=1):
            for rule in self.checked:
                if rule.kept(Said(one.inputs, one.answer)) is False:
                    raise ValueError(
                        f"role {self.name!r}, Role.examples, number {number}: its answer {one.answer[:60]!r} breaks "
                        f"the role's own rule {rule_text(rule)!r}: mend the example or the rule"
                    )


def rule_text(rule: str | Rule) -> str:
    """A rule's text."""
    return rule if isinstance(rule, str) else rule.text


def _lines(inputs: Mapping[str, str]) -> list[str]:
    return [f"{name.replace('_', ' ').capitalize()}: {within(text)}" for name, text in inputs.items()]


def _example(role: str, number: int, table: Mapping[str, object]) -> Example:
    inputs, answer = table.get("inputs"), table.get("answer")
    if not isinstance(inputs, Mapping) or not inputs or not isinstance(answer, str):
        wanted = "needs a table 'inputs' and a text 'answer'"
        raise ValueError(f"role {role!r}, Role.examples, number {number}: {wanted} but is {table!r:.200}")
    return Example({str(key): str(value) for key, value in inputs.items()}, answer, f"role/{number}")
