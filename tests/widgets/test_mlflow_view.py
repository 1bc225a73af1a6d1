"""From a study to its runs in MLflow and back; its page is embedded where a server answers, knows it and lets it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import errands
import pytest
from errands import Errands, finish
from shown import Server, answers, client, free_port, runs, served

import toolkit as tk
from toolkit.evaluation.track import track
from toolkit.evaluation.tracked_study import study_of
from toolkit.ledger.log import LedgerError
from toolkit.ledger.pages import noted_address
from toolkit.ledger.pages import served as may
from toolkit.ledger.spans import SpanRow
from toolkit.ledger.store import Ledger
from toolkit.ledger.target import TrackingError, target
from toolkit.ledger.tracked import Tracked, remember, remembered
from toolkit.widgets.span_tree import lines, tree

RUN = b'{"run": {"info": {"run_id": "a"}}}'
EVIL = "<script>alert(1)</script>\x1b[31m\u202e"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Ledger:
    """A ledger with one study, shown in its own database."""
    root = tmp_path_factory.mktemp("kept") / "ledger"
    root.mkdir()
    shutil.copyfile(empty_database, root / "mlflow.db")
    assert track(finish(made(Ledger(root))).ledger, "seen", target("ledger", root)).why == ""
    return Ledger(root)


def made(ledger: Ledger, tracking: str = "ledger") -> tk.Study:
    arms = [tk.Arm.static(), tk.Arm("memory", memory=tk.Retrieval(k=2))]
    return tk.Study("seen", Errands(tasks=8), arms=arms, lm="scripted", seeds=2, ledger=ledger, tracking=tracking)


def test_a_study_leads_to_its_runs_and_each_of_them_back(kept: Ledger) -> None:
    study, there = made(kept), runs(target("ledger", kept.root).uri, "seen")
    view = study.mlflow()
    assert {one.name: one.id for one in view.runs} | {"study seen": view.shown} == {
        name: run.info.run_id for name, run in there.items()
    }
    for one in view.runs:
        tags = there[one.name].data.tags
        assert tags["toolkit.study"] == "seen"
        assert kept.root / tags["toolkit.folder"] == one.folder
        assert there[one.name].data.params["run fingerprint"] == one.run
        assert study_of(one.id, ledger=kept).config() == study.config()
    assert there["study seen"].data.tags["toolkit.folder"] == "studies/seen"
    assert view.experiment == there["study seen"].info.experiment_id
    page = f"http://x/#/experiments/{view.experiment}/runs/{view.shown}/traces"
    assert study_of(page, ledger=kept).name == "seen"


def test_a_run_leads_back_by_its_tags_alone(kept: Ledger, tmp_path: Path) -> None:
    root, run = tmp_path / "ledger", made(kept).mlflow().runs[0].id
    shutil.copytree(kept.study("seen"), root / "studies" / "seen")
    (root / "studies" / "seen" / "tracking-runs.json").unlink()
    where = target("ledger", kept.root).uri
    assert study_of(run, ledger=root, tracking=where).folder == root / "studies" / "seen"
    with pytest.raises(LedgerError, match="give ledger= that of its study, or tracking="):
        study_of(run, ledger=root, tracking="off")
    with pytest.raises(LedgerError, match="no study is called 'seen'"):
        study_of(run, ledger=tmp_path / "other", tracking=where)
    with pytest.raises(TrackingError, match=f"Run with id={'0' * 32} not found"):
        study_of("0" * 32, ledger=root, tracking=where)
    there = client(where)
    foreign = there.create_run(there.create_experiment("somebody's")).info.run_id
    with pytest.raises(LedgerError, match="does not say of which study it is"):
        study_of(foreign, ledger=root, tracking=where)


def test_without_a_server_it_says_what_to_type_and_shows_the_episodes(kept: Ledger) -> None:
    view = made(kept).mlflow()
    assert view.why == "nobody serves MLflow's pages of this ledger"
    assert view.command == f"toolkit ui --ledger {kept.root}"
    assert view.command in view.html
    assert "<iframe" not in view.html
    assert "href" not in view.html  # nowhere to go
    assert [trace.arm for trace in view.traces] == ["static", "memory"]
    assert "episodes recalled" in view.html
    assert "acting: the model is asked" in repr(view)
    assert made(kept, tracking="off").mlflow().shown == view.shown  # where tracking is off, what is there is shown
    with pytest.raises(tk.SpecError, match=r"no run of arm 'memory' and seed 7 has begun; did you mean 'memory, seed"):
        made(kept).mlflow("memory", seed=7)


def test_what_mlflow_does_not_show_yet_is_said(ledger: Ledger, kept: Ledger) -> None:
    view = finish(made(ledger, tracking="off")).mlflow()
    assert (view.shown, view.why) == ("", "MLflow does not show this study yet")
    assert view.command == f"toolkit track seen --ledger {ledger.root} --tracking-uri ledger"
    elsewhere = made(kept, tracking="http://127.0.0.1:9").mlflow()
    assert elsewhere.command.endswith("--tracking-uri http://127.0.0.1:9")
    with pytest.raises(LedgerError, match="no study is called"):
        tk.MlflowView("nothing", ledger=ledger)


def said(port: int, method: str, path: str, body: str, head: dict[str, str]) -> int:
    """What a server on this machine answers to a page of somewhere else."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, {"Content-Type": "application/json", **head})
    return connection.getresponse().status


def test_a_page_is_embedded_where_toolkit_ui_serves_it(kept: Ledger) -> None:
    port = free_port()
    with served(kept, port):
        view = made(kept).mlflow("memory", seed=1)
        address = f"http://127.0.0.1:{port}"
        assert (view.why, view.command, view.server) == ("", "", address)
        run = next(one.id for one in view.runs if one.name == "memory, seed 1")
        assert f'<iframe src="{address}/#/experiments/{view.experiment}/runs/{run}?' in view.html
        for trace in view.traces:
            assert f"notebook-trace-renderer/index.html?trace_id={trace.id}&amp;" in view.html
            assert client(address).get_trace(trace.id).info.tags["arm"] == trace.arm
        assert "<iframe" not in view._repr_mimebundle_()[0]["text/html"]  # a reader without a kernel has no server
        view._heard(view, {"command": "run", "value": "0"}, [])
        assert f"/runs/{view.shown}?" in view.html
        assert study_of(run, ledger=kept, tracking=address).name == "seen"
        for page in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
            assert said(port, "POST", "/api/2.0/mlflow/experiments/create", '{"name": "x"}', page) == 403, page
    assert not answers(address)
    assert noted_address(kept.root) == ""
    assert view.look().why == "nobody serves MLflow's pages of this ledger"


def test_a_server_that_forbids_it_or_shows_others_is_not_framed(kept: Ledger, tmp_path: Path) -> None:
    shutil.copyfile(kept.root / "mlflow.db", tmp_path / "mlflow.db")
    server = Server(tmp_path / "mlflow.db", free_port()).start()
    try:
        view = made(kept).mlflow(server=server.uri)
        assert view.why == f"the server at {server.uri} forbids that its pages are framed (X-Frame-Options: SAMEORIGIN)"
        assert f'<a href="{server.uri}/#/experiments/' in view.html
        assert f'<iframe src="{server.uri}/static-files/lib/notebook-trace-renderer' in view.html  # may be always
        assert f'<iframe src="{server.uri}/#' not in view.html
        other = may(server.uri, "0" * 32)
        assert not other.links
        assert "does not show this study" in other.why
    finally:
        server.kill()


class _Liar(BaseHTTPRequestHandler):
    """Says to whatever it is asked what its server was made to say."""

    def do_GET(self) -> None:
        status, header, body = self.server.says
        self.send_response(status)
        self.send_header(*header)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ((200, ("X", "y"), b"<html>"), "nobody answers .* as MLflow does"),
        ((200, ("X", "y"), b'{"run": 7}'), "nobody answers .* as MLflow does"),
        ((302, ("Location", "http://tracking.example/"), b""), r"does not show this study \(status 302\)"),
        ((200, ("Content-Security-Policy", "frame-ancestors 'self'"), RUN), "forbids .*frame-ancestors"),
        ((200, ("X-Frame-Options", "SAMEORIGIN"), RUN), r"forbids that its pages are framed \(X-Frame-Options: SAMEO"),
        ((200, ("X", "y"), RUN), "^$"),
    ],
)
def test_whatever_answers_on_a_port_is_not_taken_for_mlflow(says: tuple, why: str) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Liar)
    server.says = says
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        found = may(f"http://127.0.0.1:{server.server_port}", "a")
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(found.why)


def test_only_this_machine_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object, **__: object) -> None:
        pytest.fail("a server elsewhere was asked")

    monkeypatch.setattr("toolkit.ledger.pages.HTTPConnection", nothing)
    for server in ("http://tracking.example:5000", "https://127.0.0.1:5000", "http://[", "file:///etc"):
        assert not may(server, "a").traces
    assert may("http://tracking.example:5000", "a").links
    for told in ("javascript:alert(1)//", "JavaScript:alert(1)", "data:text/html,x", "file:///etc", "http:/x", "x"):
        assert not may(told, "a").links, told


@pytest.mark.parametrize("noted", [b"javascript:alert(1)//", b"http://tracking.example:5000", b"\xff\xfe", b"file:///"])
def test_an_address_in_somebody_elses_ledger_is_no_link(kept: Ledger, noted: bytes) -> None:
    file = kept.root / "mlflow.address"
    file.write_bytes(noted)
    try:
        view = made(kept).mlflow()
        assert view.why == "nobody serves MLflow's pages of this ledger"
        assert "href" not in view.html
    finally:
        file.unlink()


def test_hostile_texts_are_data() -> None:
    root = SpanRow("0", "", EVIL, "AGENT", 0, 1, {EVIL: EVIL}, {"answer": EVIL}, error=EVIL)
    shown = tree([root, SpanRow("1", "0", EVIL, EVIL, 0, 1, {}, EVIL, {EVIL: EVIL * 1000})])
    for told in (shown, "\n".join(lines([root]))):
        assert "\x1b" not in told
        assert "\u202e" not in told
    assert "<script" not in shown
    assert "characters)" in shown  # what is too long is cut


def test_each_place_is_kept_and_the_latest_is_last(tmp_path: Path) -> None:
    one, other = Tracked("a", "1", "r", {"f": "x"}), Tracked("b", "2", "s")
    for place in (one, other, one):
        remember(tmp_path, place)
    assert remembered(tmp_path) == (other, one)
    assert [one.holds(run) for run in ("r", "x", "s")] == [True, True, False]
    assert remembered(tmp_path / "none") == ()


def test_a_notebook_that_looks_imports_no_mlflow(kept: Ledger) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(errands.__file__).parent)!r}); import errands; "
        f"import toolkit as tk; view = tk.MlflowView('seen', ledger={str(kept.root)!r}); "
        "print(tk.study_of(view.shown, ledger=view._ledger).name, 'mlflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "seen False", done.stderr
