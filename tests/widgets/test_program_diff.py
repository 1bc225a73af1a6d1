"""Versions side by side are those of the ledger; signs say what colour says; hostile texts are data."""

from __future__ import annotations

import re

import pytest
from asked_again import queried
from errands import Errands, finish
from switching import BLOCKS, Switching

import toolkit as tk
from toolkit.analysis.differing import Difference
from toolkit.records import Example, Learned
from toolkit.widgets.program_diff import ProgramDiff, side_by_side

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\u202e"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tk.Study:
    arms = [tk.Arm.static(), tk.Arm("switching", learning=Switching())]
    place = tk.Ledger(tmp_path_factory.mktemp("ledger"))
    return finish(tk.Study("tuned", Errands(), arms=arms, lm="scripted", seeds=2, ledger=place))


def test_versions_stand_side_by_side_with_their_evidence(made: tk.Study) -> None:
    view = ProgramDiff(made)
    assert (view.versions.rows[0].seed, view.a, view.b) == (0, 0, 3)
    view._heard(view, {"command": "a", "value": "1"}, [])
    view._heard(view, {"command": "b", "value": "2"}, [])
    assert str(view.difference) == str(tk.versions(made, seed=0).diff(1, 2))
    assert "<del>once.</del>" in view.html
    assert "<ins>last.</ins>" in view.html
    assert "6 won, 0 lost of 6" in view.html
    assert "task 8: in force: 6 won, 0 lost of 6" in repr(view)
    assert "before task 10: drift 0 was noticed (scores fell); tuned anew" in repr(view)
    queried(view, made.ledger)
    with pytest.raises(tk.SpecError, match="has 0 to 3"):
        view.show(a=9)
    assert (view.a, view.b) == (1, 2)
    view._heard(view, {"command": "run", "value": "1"}, [])
    assert (view.versions.rows[0].seed, view.a, view.b) == (1, 0, 3)
    assert ProgramDiff("tuned", "switching", seed=1, ledger=made.ledger).versions.rows[0].seed == 1
    assert "No version has been made" in ProgramDiff(made, "static")._repr_mimebundle_()[0]["text/plain"]


def test_signs_say_what_colour_says() -> None:
    one, other = Learned("Sort it.\nAsk nobody."), Learned("Sort it.", (Example({"note": "a"}, "b"),))
    told = side_by_side(Difference.of("x", one, "y", other))
    rows = re.findall(r'<td class="sign (\w*)">(.?)</td>', told)
    assert {look: sign for look, sign in rows} == {"": "", "gone": "-", "new": "+"}
    assert all(bool(look) == bool(sign) for look, sign in rows)
    assert "no difference" in side_by_side(Difference.of("x", one, "y", one))


def test_hostile_instructions_and_demonstrations_are_data(made: tk.Study) -> None:
    view = ProgramDiff(made)
    assert BLOCKS[3].instruction.startswith("Name it. <script>")
    block = Learned(EVIL, (Example({EVIL: EVIL}, EVIL),), EVIL)
    pages = [
        view.html,
        view._repr_mimebundle_()[0]["text/html"],
        side_by_side(Difference.of(EVIL, Learned(), EVIL, block)),
    ]
    for told in pages:
        assert "<script" not in told
        assert "<img" not in told
        assert "&lt;script&gt;alert(" in told
    for told in [*pages, repr(view)]:
        assert "\x1b" not in told
        assert "\u202e" not in told
        assert "\\u202e" in told
