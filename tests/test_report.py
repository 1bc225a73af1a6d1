"""The report: right numbers in plain words, harmless whatever the data hold, and the same bytes for the same ledger."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from errands import Errands, finish

from toolkit import figures
from toolkit.agents.arm import Arm, floors
from toolkit.analysis import compare, payoff
from toolkit.evaluation.plan import describe
from toolkit.evaluation.study import Study
from toolkit.ledger.log import LedgerError
from toolkit.ledger.store import Ledger
from toolkit.records import Experience, Task
from toolkit.report import write
from toolkit.report.page import Html, element, portable, table, visible
from toolkit.streams.stream import Pair
from toolkit.traits.learning import DemoBuffer, Learner
from toolkit.traits.memory import MemoryPolicy, Retrieval

ATTACK = "<script>alert('x')</script>\x1b[31m\u202e"
SECTIONS = ["summary", "compared", "outcome", "sure", "cost", "doubt", "methods", "episodes", "again"]
PAPER = ["table.tex", "methods.md", "methods.tex", "references.bib"]
Make = Callable[..., Study]


class Hostile(Errands):
    """Errands whose notes try to break out of the page."""

    def _pair(self, number: int) -> Pair:
        task, key = super()._pair(number)
        return replace(task, inputs={"note": f"{ATTACK} {task.inputs['note']}"}), key


class Page(HTMLParser):
    """The elements of a page, and its text; a tag that closes another than the last open one fails."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def text_of(study: Study) -> str:
    return Page(study.report().read_text(encoding="utf-8")).text


def nothing(task: Task) -> str:
    raise RuntimeError(f"{ATTACK} in /srv/somewhere/else/data.csv")


def attack(task: Task) -> str:
    return ATTACK


class FailingLearner(Learner):
    """Raises when feedback arrives: its runs fail after the first episode."""

    def observe(self, experience: Experience) -> None:
        raise OSError("no room in /var/lib/secret/place")


class FailingMemory(MemoryPolicy):
    """Raises once the model has answered: its runs fail before the first episode is recorded."""

    def observe(self, experience: Experience) -> None:
        raise OSError("no room in /var/lib/secret/place")


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, str]:
    from toolkit.lm.scripted import Scripted

    arms = [Arm.static(), Arm("memory", memory=Retrieval(k=2)), Arm("demo", learning=DemoBuffer()), *floors()]
    folder = tmp_path_factory.mktemp("report") / "ledger"
    study = finish(Study("told", Errands(40), arms=arms, lm=Scripted(p=0.2, p_example=0.9), seeds=3, ledger=folder))
    return study, study.report().read_text(encoding="utf-8")


def test_sections_come_in_the_order_a_reader_asks(reported: tuple[Study, str]) -> None:
    ids = [told.get("id") for _, told in Page(reported[1]).tags]
    assert [name for name in ids if name in SECTIONS] == SECTIONS


def test_the_page_needs_nothing_but_itself(reported: tuple[Study, str]) -> None:
    html = reported[1]
    found = Page(html)
    assert not {"script", "link", "img", "iframe", "object", "base"} & {tag for tag, _ in found.tags}
    assert not re.search(r"https?:|//www|@import|src=|\bon\w+=\"", html)
    links = [told["href"] for _, told in found.tags if "href" in told]
    assert links
    assert all(link and link.startswith(("#", "figures/")) for link in links)
    anchors = [told["id"] for _, told in found.tags if "id" in told]
    assert len(anchors) == len(set(anchors))
    assert {link[1:] for link in links if link and link.startswith("#")} <= set(anchors)
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(anchors)


def test_figures_are_files_too_without_dates(reported: tuple[Study, str]) -> None:
    study, html = reported
    files = sorted((study.folder / "figures").iterdir())
    forms = ("csv", "pdf", "svg")
    assert [file.name for file in files] == [
        f"{name}.{form}" for name in ("costs", "curves", "differences") for form in forms
    ]
    assert {f"figures/{file.name}" for file in files} == set(re.findall(r'href="(figures/[^"]+)"', html))
    for file in files:
        assert b"date" not in file.read_bytes().lower()
        if file.suffix == ".svg":
            assert ET.parse(file).getroot().tag.endswith("svg")
    assert html.count("<svg ") == 3
    assert html.count("prefers-color-scheme: dark") == 1


def test_a_figure_is_one_page_with_its_fonts_in_it(reported: tuple[Study, str]) -> None:
    for name in ("costs", "curves", "differences"):
        body = (reported[0].folder / "figures" / f"{name}.pdf").read_bytes()
        assert body.startswith(b"%PDF-1.4")
        assert body.count(b"/Type /Page ") == 1
        assert b"/FontFile2" in body, "TrueType"
        assert b"/Type3" not in body
        assert not re.search(rb"/(CreationDate|ModDate|Creator|Producer)", body)


def test_the_numbers_behind_each_figure_are_those_of_the_table(reported: tuple[Study, str]) -> None:
    import pandas as pd

    study, _ = reported
    data = {name: pd.read_csv(study.folder / f"figures/{name}.csv") for name in ("costs", "curves", "differences")}
    found = study.compare()
    gap = found.row("memory").difference
    assert gap is not None
    row = data["differences"].set_index("arm").loc["memory"]
    assert (row.difference, row.low, row.high) == pytest.approx((gap.value, gap.low, gap.high))
    assert len(data["curves"]) == 7 * 40
    assert data["costs"].set_index("arm").tokens["memory"] == pytest.approx(found.row("memory").tokens)


def test_a_paper_finds_its_parts_beside_the_report(reported: tuple[Study, str]) -> None:
    study, html = reported
    text = Page(html).text
    for name in ("methods.tex", "references.bib", "table.tex"):
        assert (study.folder / name).read_text(encoding="utf-8") in text, name
    table = (study.folder / "table.tex").read_text(encoding="utf-8")
    assert table == f"{study.compare().to_latex()}\n{payoff(study).to_latex()}"
    told = (study.folder / "methods.md").read_text(encoding="utf-8")
    assert all(line in text for line in told.splitlines() if line and line[0] not in "#123456789")


def test_what_was_gained_for_its_cost_is_told(reported: tuple[Study, str]) -> None:
    study, html = reported
    row = payoff(study).row("memory")
    assert row.per_1k_tokens is not None
    assert f"{row.per_1k_tokens.value:+.3g} [" in Page(html).text[Page(html).text.index("At what cost") :]
    assert row.verdict in html
    assert "Equal cost is not equal information" in html


def test_the_summary_says_what_compare_found(reported: tuple[Study, str]) -> None:
    study, html = reported
    found = study.compare()
    text = Page(html).text
    memory, base = found.row("memory"), found.row("static")
    gap = memory.difference
    assert gap is not None
    assert gap.low > 0, "the planted effect must be seen, or this test shows nothing"
    sentence = (
        f"memory scored {memory.score.value:.2f}, static {base.score.value:.2f}: a difference of {gap.value:+.2f}, "
        f"95 % interval [{gap.low:+.2f}, {gap.high:+.2f}] over 120 pairs in 3 runs: the interval excludes 0."
    )
    assert sentence in text
    unclear = next(row for row in found.rows if row.difference and row.difference.low < 0 < row.difference.high)
    assert re.search(rf"{unclear.arm} scored [^:]*: [^:]*: the interval includes 0: no difference was shown\.", text)


def test_costs_add_up_to_the_ledger(reported: tuple[Study, str]) -> None:
    study, html = reported
    sums = study.ledger.sql(
        "SELECT sum(input_tokens) AS read, sum(output_tokens) AS wrote, count(*) AS calls FROM calls"
    ).iloc[0]
    foot = html[html.index("<tfoot>") : html.index("</tfoot>")]
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", foot)
    assert cells[:6] == ["whole study", "840", f"{sums.read:,.0f}", f"{sums.wrote:,.0f}", "0", f"{sums.calls:,.0f}"]
    assert "Not in the table" not in html


def test_episodes_show_what_was_recalled(reported: tuple[Study, str]) -> None:
    html = reported[1]
    memory = html[html.index("<summary>memory, seed 2") :]
    memory = memory[: memory.index("</details>")]
    assert re.search(r'<span title="stream/\d+">note \d+ about the \w+ matter → (post|bread|bank)</span>', memory)
    assert 3 < memory.count("<tr>") <= 7


def test_a_scripted_model_is_told_before_anything_else(reported: tuple[Study, str], study: Make) -> None:
    html = reported[1]
    assert html.index("Scripted model.") < html.index('id="summary"')
    assert "Scripted model." not in finish(study(*floors(), name="floors")).report().read_text(encoding="utf-8")


def test_the_query_it_shows_can_be_asked(reported: tuple[Study, str]) -> None:
    study, html = reported
    query = Page(html).text.partition('Ledger(".").sql("""')[2].partition('""")')[0]
    found = study.ledger.sql(query)
    assert len(found) == 21
    assert found.episodes.tolist() == [40] * 21


def test_the_same_ledger_gives_the_same_bytes(reported: tuple[Study, str], tmp_path: Path) -> None:
    import matplotlib as mpl

    study, html = reported
    shutil.copytree(study.ledger.root, tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "elsewhere/studies/told/figures")
    with mpl.rc_context({"font.size": 20, "axes.linewidth": 5, "svg.fonttype": "path"}):
        again = write(Ledger(tmp_path / "elsewhere"), "told")
        assert mpl.rcParams["font.size"] == 20
    assert again.read_text(encoding="utf-8") == html
    files = [*(study.folder / "figures").iterdir(), *(study.folder / name for name in PAPER)]
    assert len(files) == 13
    for file in files:
        assert (again.parent / file.relative_to(study.folder)).read_bytes() == file.read_bytes(), file.name


def test_threads_do_not_disturb_each_other(reported: tuple[Study, str]) -> None:
    study, html = reported
    with ThreadPoolExecutor(3) as pool:
        pages = [path.read_text(encoding="utf-8") for path in pool.map(lambda _: study.report(), range(3))]
    assert pages == [html] * 3


def test_no_state_of_pyplot_is_touched(reported: tuple[Study, str]) -> None:
    source = Path(figures.__file__).read_text(encoding="utf-8")
    assert "pyplot" not in source.partition('"""')[2].partition('"""')[2]


def test_arms_that_all_know_the_answers_have_no_front(reported: tuple[Study, str]) -> None:
    found = payoff(reported[0])
    rows = tuple(replace(row, on_front_tokens=False) for row in found.rows)
    looks = figures.looks(reported[0].compare().rows, "static", set())
    assert figures.costs(replace(found, rows=rows), looks).svg
    assert not figures.costs(replace(found, rows=rows[:1]), looks)


def test_data_cannot_break_out_of_the_page(study: Make) -> None:
    arms = [Arm.static(), Arm.wrap(attack, name="attack"), Arm.wrap(nothing, name="nothing")]
    html = finish(study(*arms, stream=Hostile(8))).report().read_text(encoding="utf-8")
    found = Page(html)
    assert "script" not in {tag for tag, _ in found.tags}
    assert "\x1b" not in html
    assert "\u202e" not in html
    shown = "<script>alert('x')</script>\\x1b[31m\\u202e"
    assert f"{shown} note" in found.text, "the input of an episode"
    assert found.text.count(shown) > html.count("about the"), "the answers and errors as well"
    assert f"RuntimeError: {shown} in …/data.csv" in found.text


def test_failed_episodes_are_shown_up_to_ten_and_counted(study: Make) -> None:
    html = finish(study(Arm.static(), Arm.wrap(nothing, name="nothing"))).report().read_text(encoding="utf-8")
    assert "48 episodes, scored 0 and kept in every mean. 10 of them:" in html
    assert html.count("RuntimeError") == 10


def test_no_path_of_this_machine_is_told(study: Make, tmp_path: Path) -> None:
    from toolkit.streams.table import Table

    data = tmp_path / "some data.csv"
    data.write_text("note,errand\n" + "".join(f"note {n},{'post' if n % 2 else 'bank'}\n" for n in range(12)))
    stream = Table(str(data), inputs="note", answer="errand", options="answers")
    made = study(Arm.static(), Arm("broken", learning=FailingLearner()), stream=stream)
    made.run()
    html = made.report().read_text(encoding="utf-8")
    assert str(tmp_path) not in html
    assert "…/some data.csv" in html
    assert "OSError: no room in …/place" in html


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_arm_has_no_contrast(study: Make, seeds: int) -> None:
    made = finish(study(Arm.static(), seeds=seeds))
    text = text_of(made)
    assert "It is the only arm: there is no contrast." in text
    assert "Figure 1 (differences) is n/a" in text
    assert not (made.folder / "figures" / "differences.svg").exists()
    assert (made.folder / "figures" / "curves.svg").exists()


def test_one_run_gives_no_interval_and_says_why(study: Make) -> None:
    text = text_of(finish(study(Arm.static(), Arm("memory", memory=Retrieval()), seeds=1)))
    assert re.search(r"memory scored .*; its interval is n/a because one run: order and chance cannot be told", text)
    assert "No band for static, memory: one run" in text
    assert "for 0 no difference was shown, and for 1 there is no interval." in text
    assert "nan" not in re.sub(r"(?i)finance|nano", "", text.lower())


def test_before_any_run_has_begun(study: Make) -> None:
    made = study(Arm.static(), Arm("memory", memory=Retrieval()))
    made.folder.mkdir(parents=True)
    describe(made, made.runs)
    text = text_of(made)
    assert "No run has finished (4 not begun)" in text
    assert "No episode has been recorded" in text
    assert "memory = Retrieval(k=4)" in text


def test_while_it_runs_the_numbers_are_called_interim(study: Make) -> None:
    made = study(Arm.static(), Arm("memory", memory=Retrieval()))
    seen: list[int] = []

    def stop(run: object, episode: object) -> None:
        seen.append(1)
        if len(seen) == 12:
            made.stop()

    made.workers = 1
    made.run(watch=stop)
    text = text_of(made)
    assert "No run has finished (1 stopped, 3 not begun). What is shown below is interim" in text
    assert re.search(r"n/a because (it|static) has no episodes yet|a difference of .* pairs? in", text)


def test_a_baseline_without_episodes_leaves_scores_without_differences(study: Make) -> None:
    made = finish(study(Arm("memory", memory=Retrieval()), Arm("demo", learning=DemoBuffer())))
    plan = json.loads((made.folder / "plan.json").read_text(encoding="utf-8"))
    plan["baseline"] = "static"
    plan["arms"]["static"] = {"on": [], "repr": "all traits off"}
    (made.folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    score = compare("test", baseline="memory", ledger=made.ledger).row("memory").score.value
    assert f"memory scored {score:.2f}; its difference is n/a because static has no episodes yet." in text_of(made)


def test_when_every_run_failed_it_says_so(study: Make) -> None:
    made = study(Arm("broken", learning=FailingLearner()))
    assert {record.status for record in made.run()} == {"failed"}
    text = text_of(made)
    assert "No run has finished (2 failed)" in text
    assert text.count("OSError: no room in …/place") == 2


def test_calls_of_episodes_never_completed_are_not_forgotten(study: Make) -> None:
    made = study(Arm("broken", memory=FailingMemory()), Arm("static"))
    made.run()
    lost = made.ledger.sql("SELECT sum(input_tokens + output_tokens) AS tokens FROM calls WHERE run NOT IN "
                           "(SELECT run FROM episodes)").tokens[0]  # fmt: skip
    assert f"Not in the table: 2 calls ({lost:,.0f} tokens) of episodes that were never completed." in text_of(made)


def test_files_that_are_missing_are_named(study: Make) -> None:
    made = finish(study(Arm.static()))
    (made.folder / "study.toml").unlink()
    (made.folder / "environment.json").write_text("{ no")
    text = text_of(made)
    assert "n/a because study.toml is missing" in text
    assert "toolkit run" not in text
    assert "n/a because environment.json is missing" in text


def test_the_command_that_runs_it_again_is_told(reported: tuple[Study, str]) -> None:
    text = Page(reported[1]).text
    assert "toolkit run studies/told/study.toml --ledger ." in text
    assert 'name = "told"' in text


def test_damaged_lines_are_counted_with_their_file(study: Make) -> None:
    made = study(Arm("broken", learning=FailingLearner()))
    made.run()
    log = next(made.folder.glob("runs/*/calls.jsonl"))
    whole = log.read_bytes()
    log.write_bytes(b"{ torn\n" + whole)
    assert f"runs/{log.parent.name}/calls.jsonl: 1 damaged line," in text_of(made)


def test_a_study_that_shares_its_runs_with_another_is_reported_alone(study: Make) -> None:
    first = finish(study(Arm.static(), Arm("memory", memory=Retrieval()), name="first"))
    alone = text_of(first)
    finish(study(Arm.static(), Arm("again", memory=Retrieval()), name="second"))
    assert text_of(first) == alone


def test_a_ceiling_below_one_is_a_doubt(study: Make) -> None:
    made = finish(study(Arm.static(), *floors()))
    assert "mistrust scorer and keys" not in text_of(made)
    plan = (made.folder / "plan.json").read_text(encoding="utf-8")
    (made.folder / "plan.json").write_text(plan.replace("RandomChoice()", "GroundTruth()"), encoding="utf-8")
    assert "random: knows the right answers but scored" in text_of(made)


def test_an_unknown_study_is_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no study is called 'nowhere'"):
        write(ledger, "nowhere")


def test_at_most_eight_arms_are_told_apart_by_colour_and_dashes(reported: tuple[Study, str]) -> None:
    row = reported[0].compare().row("memory")
    gap = row.difference
    assert gap is not None
    rows = [replace(row, arm="static", difference=None)]
    rows += [replace(row, arm=f"arm{n}", difference=replace(gap, value=n / 100)) for n in range(11)]
    looks = figures.looks(rows, "static", {"arm10"})
    bright = {arm: look for arm, look in looks.items() if look.band}
    assert list(bright) == ["static", *(f"arm{n}" for n in range(3, 10))]
    for part in ("colour", "dashes"):
        shown = [getattr(look, part) for arm, look in bright.items() if arm != "static"]
        assert len(set(shown)) == 7
    assert len({(look.dashes, look.marker, look.width) for look in bright.values()}) == 8, "in black and white too"
    for one, other in itertools.combinations(bright.values(), 2):
        assert one.dashes != other.dashes, "lines are told apart without colour and without markers"
        assert one.marker != other.marker, "and so are points"


# Of linear red, green and blue as the colour-blind see them: Machado, Oliveira & Fernandes (2009), A physiologically-
# based model for simulation of color vision deficiency, IEEE Trans. Vis. Comput. Graph. 15(6), severity 1.
SEEN = {
    "everyone": np.eye(3),
    "protanopes": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopes": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopes": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


@pytest.mark.parametrize("who", SEEN)
def test_every_line_stands_out_from_the_paper_whoever_looks(who: str) -> None:
    from matplotlib.colors import to_rgb

    for colour in (*figures.COLOURS, figures.INK, figures.FAINT):
        shown = np.array(to_rgb(colour))
        linear = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
        luminance = float(np.clip(np.array(SEEN[who]) @ linear, 0, 1) @ [0.2126, 0.7152, 0.0722])
        assert 1.05 / (luminance + 0.05) >= 2, f"{colour}: contrast to white, as WCAG 2 reckons it"


def test_tables_escape_everything_but_html() -> None:
    shown = table(["a", "n"], [["<b>", "1.5"], [Html("<i>x</i>"), "n/a"]])
    assert "&lt;b&gt;" in shown
    assert "<i>x</i>" in shown
    assert shown.count('class="n"') == 3
    assert element("a", "x", title='"><script>') == '<a title="&quot;&gt;&lt;script&gt;">x</a>'


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("\x9b1m", "\\x9b1m"),
        ("\ud800", "\\ud800"),
        ("a\r\nb\tc", "a\nb\tc"),
        ("\x00\x7f", "\\x00\\x7f"),
        ("é 漢", "é 漢"),
    ],
)
def test_control_characters_become_visible(given: str, shown: str) -> None:
    assert visible(given) == shown


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("file:///home/x/y.csv", "…/y.csv"),
        ("Table('/home/my data/y.csv', k=1)", "Table('…/y.csv', k=1)"),
        ("~/models/q.gguf", "…/q.gguf"),
        ("1/2 of a/b at https://host:80/x/y", "1/2 of a/b at https://host:80/x/y"),
    ],
)
def test_paths_keep_their_last_part(given: str, shown: str) -> None:
    assert portable(given) == shown
