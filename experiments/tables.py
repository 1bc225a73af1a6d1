"""Write tables and figures of an experiment's README.md from its tapes: ``python experiments/tables.py memory``.

With ``--check`` nothing is written, and it ends with 1 where a table or a figure is another. No model is asked.
"""

from __future__ import annotations

import argparse
import math
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import toolkit as tk
from toolkit.ledger.archive import read_archive, unpack
from toolkit.ledger.store import Ledger
from toolkit.lm.training import Trained

HERE = Path(__file__).parent
_FIGURE = re.compile(r"\]\((?P<folder>(?:[a-z0-9.-]+/)?)differences\.svg\)")
_PLACE = re.compile(r"(<!-- (?P<tape>[a-z0-9.-]+): (?P<table>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(kind: str, study: str, ledger: Ledger) -> str:
    """One table of a study, as the toolkit prints it."""
    made = {
        "arms": lambda: str(tk.compare(study, ledger=ledger)),
        "probes": lambda: str(tk.probe_scores(study, ledger=ledger)),
        "lags": lambda: str(tk.probe_scores(study, by="lag", stream="recall-at-lag", ledger=ledger)),
        "update": lambda: str(tk.compare(study, baseline="nearest", stream="knowledge-update", ledger=ledger)),
        "uses": lambda: str(tk.attribution(study, ledger=ledger)),
        "versions": lambda: str(tk.versions(study, arm="tuned", ledger=ledger)),
        "recovery": lambda: _recovery(study, ledger),
        "initiative": lambda: _initiative(study, ledger),
        "utility": lambda: str(tk.utility(study, ledger=ledger)),
        "parts": lambda: _parts(study, ledger),
        "wordings": lambda: _wordings(study, ledger),
        "effects": lambda: str(tk.main_effects(study, ledger=ledger)),
        "catching": lambda: _catching(study, ledger),
        "rules": lambda: _rules(study, ledger),
        "training": lambda: _training(study, ledger),
        "turns": lambda: _turns(study, ledger),
        "sham": lambda: str(tk.compare(study, baseline="shuffled", ledger=ledger).contrast("memory")),
        "answers": lambda: _answers(study, ledger),
        "rivals": lambda: _rivals(study, ledger),
    }
    return made[kind]()


def _role(study: str, ledger: Ledger) -> tuple[tk.RoleArms, tk.Comparison]:
    """The role of a study with its controls, and all arms set against it."""
    names = [row.arm for row in tk.compare(study, ledger=ledger).rows]
    role = tk.RoleArms.among(names)[0]
    return role, tk.compare(study, baseline=role.own, ledger=ledger)


def _parts(study: str, ledger: Ledger) -> str:
    """The role, and what is left of it without each part; other words, placebos and rivals stand elsewhere."""
    role, found = _role(study, ledger)
    kept = {role.own, role.none, *role.without.values(), role.wrong, "general"}
    return str(replace(found, rows=tuple(row for row in found.rows if row.arm in kept), hypotheses=(), notes=()))


def _wordings(study: str, ledger: Ledger) -> str:
    """The role in all its wordings against all placebos."""
    role, _ = _role(study, ledger)
    own = [role.own, *role.wordings]
    return str(tk.wording_effect(study, wordings=own, placebos=role.placebos, ledger=ledger))


def _catching(study: str, ledger: Ledger) -> str:
    """When the arm that learns was where the role, and where the best rival without learning, was on day one."""
    role, _ = _role(study, ledger)
    found = [tk.catch_up(study, generalist="learner", role=one, ledger=ledger) for one in (role.own, "tuned-64")]
    return "\n\n".join(map(str, found))


def _rules(study: str, ledger: Ledger) -> str:
    """How often the role's rules are broken: each by all turns, and all together early and late; the telling arms."""
    role, _ = _role(study, ledger)
    arms = (role.own, role.none, role.without.get("rules", ""), *role.placebos[:1], role.wrong)
    found = tk.rule_violations(study, turns=(2, 5), ledger=ledger)
    kept = [row for row in found.rows if row.arm in arms and (row.turns == "all" or row.rule == "all rules")]
    return str(replace(found, rows=tuple(kept)))


_TRAINED = """
SELECT r.arm, any_value(c.response) AS response FROM calls c JOIN runs r USING (study, run)
WHERE c.phase = 'prepare' AND c.step = 'train' GROUP BY r.arm
"""


def _training(study: str, ledger: Ledger) -> str:
    """What each rival that was prepared with labels scored, and what its training took."""
    told = {arm: Trained.read(response) for arm, response in ledger.sql(_TRAINED).itertuples(index=False)}
    found = tk.compare(study, baseline="untouched", ledger=ledger)
    lines = [["arm", "labels", "score", "over untouched", "trained on", "minutes", "loss of first and last epoch"]]
    for row in found.rows:
        if row.arm not in ("untouched", "few-shot", "compiled-64", "learner", *told):
            continue
        gap = row.difference
        spread = "" if gap is None or math.isnan(gap.low) else f" [{gap.low:+.3f}, {gap.high:+.3f}]"
        over = "" if gap is None else f"{gap.value:+.3f}{spread}"
        one = told.get(row.arm)
        took = ("", "", "")
        if one is not None:
            took = (f"{one.tokens:,} tokens", f"{one.seconds / 60:.1f}", f"{one.losses[0]:.2f}, {one.losses[-1]:.2f}")
        lines.append([row.arm, f"{row.labels:.0f}", f"{row.score.value:.3f}", over, *took])
    return _columns(lines)


_OWN_TURNS = """
SELECT DISTINCT e.seed, e.task FROM episodes e JOIN calls c USING (study, run, phase, t)
WHERE e.study = $1 AND e.arm = 'mam-stream-icl' AND c.step = 'decide' AND starts_with(c.server, $2)
"""
_SCORES = """
SELECT arm, seed, task, score FROM episodes
WHERE study = $1 AND arm IN ('zero-shot', 'self-stream-icl', 'mam-stream-icl') ORDER BY arm, seed, t
"""


def _turns(study: str, ledger: Ledger) -> str:
    """The tasks at which the study's own model had its turn: what it did there alone, and with the memory of two."""
    [own] = ledger.sql("SELECT DISTINCT model FROM runs WHERE study = $1 AND arm = 'zero-shot'", study).model
    mine = ledger.sql(_OWN_TURNS, study, f"{own} (")
    rows = ledger.sql(_SCORES, study).merge(mine, on=["seed", "task"])
    return str(tk.compare(rows, baseline="self-stream-icl", seed="seed"))


def _rivals(study: str, ledger: Ledger) -> str:
    """The arm with a memory against both of its shams and the neighbour that copies."""
    pairs = [tk.compare(study, baseline=one, ledger=ledger) for one in ("shuffled", "permuted", "nearest")]
    return "\n\n".join(str(found.contrast("memory")) for found in pairs)


_ANSWERS = """
    WITH given AS (
        SELECT arm, seed, answer, count(*) AS n FROM episodes WHERE study = $1 AND phase = 'stream' GROUP BY ALL
    )
    SELECT arm, seed, count(*) AS kinds, max(n) / sum(n) AS share FROM given GROUP BY arm, seed ORDER BY arm, seed
"""


def _answers(study: str, ledger: Ledger) -> str:
    """Of each arm, order by order: how many different answers it gave, and the share of its commonest."""
    lines = [["arm", "different answers", "share of the commonest"]]
    for arm, found in ledger.sql(_ANSWERS, study).groupby("arm"):
        lines.append([str(arm), ", ".join(map(str, found.kinds)), ", ".join(f"{share:.2f}" for share in found.share)])
    return _columns(lines)


def _columns(lines: Sequence[Sequence[str]]) -> str:
    """Cells under one another."""
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(wide) for cell, wide in zip(line, widths, strict=True)).rstrip() for line in lines
    )


_ACTING = (
    "goals",
    "prompts",
    "precision",
    "recall",
    "false_positives",
    "question_precision",
    "blocker_recall",
    "ask_f1",
)


def _initiative(study: str, ledger: Ledger) -> str:
    """The main measures of initiative, an arm a line, each with its interval; those that no arm can have left out."""
    found = tk.initiative(study, ledger=ledger)
    rows = {(row.arm, row.measure): row for row in found.rows}
    kept = [one for one in _ACTING if any(name == one for _, name in rows)]
    titles = {row.measure: row.title for row in found.rows}
    cells = [["arm", *(titles[one] for one in kept)]]
    for arm in dict.fromkeys(row.arm for row in found.rows):
        cells.append([arm, *(_cell(rows[arm, one].estimate) for one in kept)])
    return _columns(cells)


def _cell(estimate: tk.Estimate) -> str:
    if math.isnan(estimate.value):
        return "n/a"
    spread = "" if math.isnan(estimate.low) else f" [{estimate.low:.2f}, {estimate.high:.2f}]"
    return f"{estimate.value:.2f}{spread}"


def _recovery(study: str, ledger: Ledger) -> str:
    """Tasks until each arm was back at its own level before the change, and what it lost to the oracle since."""
    back, lost = (
        tk.recovery(study, window=12, ledger=ledger),
        tk.regret(study, baseline="oracle", since=24, ledger=ledger),
    )
    lines = ["arm               lost to the oracle  back at its own level"]
    for arm, found in back.items():
        if arm in lost:
            band = lost[arm]
            spread = "" if math.isnan(band.low[-1]) else f" [{band.low[-1]:.1f}, {band.high[-1]:.1f}]"  # all runs alike
            gap = f"{band.mean[-1]:.1f}{spread}"
            lines.append(f"{arm:<16}  {gap:<18}  {found}".rstrip())
    return "\n".join(lines)


def tables(experiment: Path, text: str) -> Iterator[tuple[str, str, str]]:
    """Every place for a table in a text whose tape is there: the tape, the table, and what the tape has for it."""
    wanted = [(place["tape"], place["table"]) for place in _PLACE.finditer(text)]
    for tape in dict.fromkeys(tape for tape, _ in wanted):
        own = experiment / tape if (experiment / tape).is_dir() else experiment  # one study, or several
        if not (own / "tape.zip").exists():
            continue
        with tempfile.TemporaryDirectory() as folder:
            ledger = Ledger(folder)
            archive = read_archive(own / "tape.zip")
            unpack(archive, ledger)
            for kind in [kind for other, kind in wanted if other == tape]:
                yield tape, kind, table(kind, archive.study, ledger)


def filled(experiment: Path, text: str) -> str:
    """The text with every table as the tapes have it; in the place of one whose tape is not there, that it is not."""
    found = {(tape, kind): f"```\n{made}\n```" for tape, kind, made in tables(experiment, text)}
    return _PLACE.sub(lambda at: f"{at[1]}{found.get((at['tape'], at['table']), 'Not run yet.')}\n{at[4]}", text)


def figures(experiment: Path, text: str) -> Iterator[tuple[Path, bytes]]:
    """Every figure of differences that a text shows: its file, and what the tape beside it has."""
    for place in _FIGURE.finditer(text):
        own = experiment / place["folder"]
        yield own / "differences.svg", read_archive(own / "tape.zip").members["figures/differences.svg"]


def main() -> int:
    """Write the tables and figures, or say whether they are right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("experiment", help="its folder beside this file")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where a table differs")
    asked = parser.parse_args()
    readme = HERE / asked.experiment / "README.md"
    before = readme.read_text(encoding="utf-8")
    after, drawn = filled(readme.parent, before), dict(figures(readme.parent, before))
    if asked.check:
        return int(after != before or any(not one.exists() or one.read_bytes() != made for one, made in drawn.items()))
    readme.write_text(after, encoding="utf-8")
    for one, made in drawn.items():
        one.write_bytes(made)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
