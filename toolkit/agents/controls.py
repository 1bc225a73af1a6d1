"""Arms that tell which part of a role is worth anything, and whether it is the role or any text of its length."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from toolkit.agents.arm import Arm
from toolkit.traits.role import NoRole, Role, RolePolicy

_LONGEST = 24  # of the 40 characters of an arm's name, "-no-instructions" takes 16
_WORDING = re.compile(r"-w\d+")
_PLACEBO = re.compile(r"-placebo\d+")
_LESS = re.compile(r"-no-(instructions|rules|examples|tools)")


@dataclass(frozen=True)
class RoleArms:
    """Which arms of a study are a role and its controls; by name.

    Parameters
    ----------
    own
        The role.
    wordings
        The role in other words.
    placebos
        Personas of equal length that say nothing to the point.
    without
        By part of the role the arm that lacks it; without its identity it is the same handbook without a persona.
    wrong
        Another specialist's role; empty = none.
    none
        The same without any role; empty = there is none.
    """

    own: str
    wordings: tuple[str, ...] = ()
    placebos: tuple[str, ...] = ()
    without: Mapping[str, str] = field(default_factory=dict)
    wrong: str = ""
    none: str = ""

    @classmethod
    def among(cls, names: Iterable[str]) -> tuple[RoleArms, ...]:
        """The roles with controls among the arms of a study, recognised by the names that `role_controls` gives.

        Examples
        --------
        >>> RoleArms.among(["clerk", "clerk-w1", "clerk-w2", "clerk-no-rules", "static", "memory"])[0].wordings
        ('clerk-w1', 'clerk-w2')
        """
        known = list(names)
        found = (cls._around(own, known) for own in known)
        return tuple(one for one in found if one.wordings or one.placebos or one.without or one.wrong)

    @classmethod
    def _around(cls, own: str, known: Sequence[str]) -> RoleArms:
        rest = {name: name[len(own) :] for name in known if name.startswith(f"{own}-")}
        without = {match[1]: name for name, tail in rest.items() if (match := _LESS.fullmatch(tail))}
        if f"{own}-handbook" in rest:
            without = {"identity": f"{own}-handbook", **without}
        return cls(
            own,
            tuple(name for name, tail in rest.items() if _WORDING.fullmatch(tail)),
            tuple(name for name, tail in rest.items() if _PLACEBO.fullmatch(tail)),
            without,
            next((name for name, tail in rest.items() if tail == "-wrong"), ""),
            next((name for name in (f"{own}-no-role", "static") if name in known), ""),
        )


def role_controls(
    arm: Arm,
    *,
    wordings: Sequence[Role] = (),
    placebos: Sequence[Role] = (),
    wrong: RolePolicy | None = None,
) -> tuple[Arm, ...]:
    """An arm with a role, the same without any, and what lies between.

    Parameters
    ----------
    arm
        An arm whose role is a `Role`, with a name of at most 24 characters.
    wordings
        The same role in other words (`toolkit.wordings`): one wording is a sample of one.
    placebos
        Personas of equal length that say nothing to the point (`toolkit.placebos`); at least five, for the same reason.
    wrong
        A role made for something else.

    Returns
    -------
    tuple of Arm
        The arm; without its role ``static``, or ``<name>-no-role`` if other traits are on; ``<name>-w1`` and on;
        ``<name>-placebo1`` and on; ``<name>-handbook``, which is all but its identity; ``<name>-no-<part>`` for each
        other part that it has, where anything is left without; ``<name>-wrong``. They share all else with the arm.

    Raises
    ------
    ValueError
        If it has no role of parts, or its name is too long.

    Examples
    --------
    >>> clerk = Role("Clerk", "Files letters.", rules=["Never guess."])
    >>> [arm.name for arm in role_controls(Arm("clerk", role=clerk), wrong=Role("Cook", "Makes soup."))]
    ['clerk', 'static', 'clerk-handbook', 'clerk-no-rules', 'clerk-wrong']
    """
    role = arm.role
    if not isinstance(role, Role):
        raise ValueError(f"controls are those of a Role, but arm {arm.name!r} has {role!r}: give it one")
    if len(arm.name) > _LONGEST or arm.name == "static":
        raise ValueError(
            f"an arm whose controls are named after it needs a name of at most {_LONGEST} characters, other than "
            f"'static', but is called {arm.name!r}: rename it"
        )
    named: dict[str, RolePolicy] = {f"-w{number}": one for number, one in enumerate(wordings, start=1)}
    named |= {f"-placebo{number}": one for number, one in enumerate(placebos, start=1)}
    for part in role.parts if len(role.parts) > 1 else ():
        named["-handbook" if part == "identity" else f"-no-{part}"] = role.without(part)
    if wrong is not None:
        named["-wrong"] = wrong
    controls = [replace(arm, name=f"{arm.name}{tail}", role=one) for tail, one in named.items()]
    bare = "static" if arm.on == ("role",) else f"{arm.name}-no-role"
    return (arm, replace(arm, name=bare, role=NoRole()), *controls)
