"""``toolkit lab``: a real JupyterLab, on the notebooks, for this machine and who knows its token."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from ports import await_port, free_port

from toolkit import lab
from toolkit.cli import main

ROOT = Path(__file__).parents[1]


def asked(port: int, path: str, token: str) -> dict:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", headers={"Authorization": f"token {token}"})
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.load(answer)


def test_it_serves_the_notebooks_to_who_has_the_token(tmp_path: Path) -> None:
    port, token, log = free_port(), "f00d", tmp_path / "log"
    own = {"HOME": str(tmp_path), "JUPYTER_TOKEN": token, "PYTHONPATH": str(ROOT), "TOOLKIT_LEDGER": ""}
    place = tmp_path / "work"
    place.mkdir()
    command = [
        sys.executable,
        "-m",
        "toolkit",
        "lab",
        "--no-browser",
        "--copy",
        "--port",
        str(port),
        "--ledger",
        "mine",
    ]
    with open(log, "wb") as out:
        process = subprocess.Popen(command, env=os.environ | own, cwd=place, stdout=out, stderr=subprocess.STDOUT)
    try:
        await_port(port, process, log, looks=2400)
        found = asked(port, "api/contents/notebooks", token)
        assert {one["name"] for one in found["content"]} == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
        with pytest.raises(urllib.error.HTTPError, match="403"):
            asked(port, "api/contents/notebooks", "wrong")
        assert f"/lab/tree/{lab.start_page(place)}?token=" in log.read_text(encoding="utf-8")
    finally:
        process.terminate()
        process.wait(300)


def test_the_token_is_new_and_not_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_TOKEN", "")
    token = lab.environment(tmp_path, None)["JUPYTER_TOKEN"]
    assert len(token) == 48
    assert lab.environment(tmp_path, None)["JUPYTER_TOKEN"] != token
    command = lab.command(Path("here"), "", 8000, browser=False)
    assert "token" not in " ".join(command).lower()
    assert "--ServerApp.ip=127.0.0.1" in command


def test_kernels_find_the_ledger_wherever_their_notebook_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOOLKIT_LEDGER", raising=False)
    assert lab.environment(tmp_path, None)["TOOLKIT_LEDGER"] == str(tmp_path / "ledger")
    assert lab.environment(tmp_path, "mine")["TOOLKIT_LEDGER"] == str(tmp_path / "mine")
    monkeypatch.setenv("TOOLKIT_LEDGER", "given")
    assert lab.environment(tmp_path, None)["TOOLKIT_LEDGER"] == str(tmp_path / "given")


@pytest.fixture
def became(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that the process would have become."""
    monkeypatch.chdir(tmp_path)
    found: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda file, told, place: found.append(told))
    return found


def test_where_there_are_no_notebooks_it_opens_the_folder_and_says_how_to_get_them(became, tmp_path, capsys) -> None:
    lab.serve(tmp_path, None, None, print, browser=True, copy=False)
    assert "--LabApp.default_url=/lab" in became[0]
    assert "toolkit lab --copy" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_copying_keeps_what_is_there(became, tmp_path, capsys) -> None:
    (tmp_path / "notebooks").mkdir()
    own = tmp_path / "notebooks" / "01_first_study.ipynb"
    own.write_text("mine", encoding="utf-8")
    lab.serve(tmp_path, None, None, print, browser=True, copy=True)
    assert own.read_text(encoding="utf-8") == "mine"
    assert "02_memory.ipynb" in capsys.readouterr().out
    assert (tmp_path / "notebooks" / "02_memory.ipynb").read_bytes() == (
        ROOT / "notebooks/02_memory.ipynb"
    ).read_bytes()
    assert f"--LabApp.default_url=/lab/tree/{lab.start_page(tmp_path)}" in became[0]


def test_a_port_that_is_taken_is_said(became, capsys) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["lab", "--port", str(port)]) == 2
    assert f"toolkit: port {port} cannot be used" in capsys.readouterr().err
    assert became == []


def test_without_jupyterlab_the_line_that_installs_it_is_said(became, capsys, monkeypatch) -> None:
    monkeypatch.setattr(lab, "find_spec", lambda name: None)
    assert main(["lab"]) == 2
    assert "-m pip install jupyterlab" in capsys.readouterr().err
    assert became == []


def test_without_shipped_notebooks_copying_says_where_it_looked(became, capsys, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(lab, "__file__", str(tmp_path / "site" / "toolkit" / "lab.py"))
    monkeypatch.setattr(lab.sysconfig, "get_path", lambda name: str(tmp_path / "data"))
    assert main(["lab", "--copy"]) == 2
    assert str(Path("data", lab.SHIPPED)) in capsys.readouterr().err
    there = tmp_path / "data" / lab.SHIPPED
    there.mkdir(parents=True)
    (there / "01_x.ipynb").write_text("{}", encoding="utf-8")
    lab.serve(tmp_path, None, None, print, browser=True, copy=True)
    assert (tmp_path / "notebooks" / "01_x.ipynb").exists()
