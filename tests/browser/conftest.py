"""A real JupyterLab and a real browser: watched for everything they ask for or complain of."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from errands import ROOT
from ports import await_port, free_port

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
LOCAL = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:", "file:")
PATIENCE = 240_000  # milliseconds: a busy machine is no failure
SHOTS = os.environ.get("TOOLKIT_SCREENSHOTS", "")
NO_SERVER = "/lsp/status"  # JupyterLab asks for a language server, which need not be there
SETTINGS = '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}'


@dataclass
class Watched:
    """A page, with every request that left the machine and every error that the console showed."""

    page: Page
    outside: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._watch(self.page)

    def another(self) -> Page:
        """A second page of the same browser, watched as the first."""
        page = self.page.context.new_page()
        self._watch(page)
        return page

    def _watch(self, page: Page) -> None:
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: self.outside.update(_elsewhere(request.url)))
        page.on("console", lambda said: self.errors.extend(_complaint(said)))
        page.on("pageerror", lambda error: self.errors.append(str(error)[:300]))

    def shoot(self, name: str) -> None:
        """Keep a picture where ``TOOLKIT_SCREENSHOTS`` names a folder."""
        if SHOTS:
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=str(Path(SHOTS) / f"{name}.png"))


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Chromium; where it is absent the tests are skipped, unless ``BROWSER_TESTS=required``."""
    if not CHROMIUM:
        told = "no chromium on this machine: apt-get install chromium"
        pytest.fail(told) if os.environ.get("BROWSER_TESTS") == "required" else pytest.skip(told)
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def watched(browser) -> Iterator[Watched]:
    """A new page of an empty profile. When the test is over: nothing left the machine, nothing was complained of."""
    context = browser.new_context(viewport={"width": 1400, "height": 1300})
    seen = Watched(context.new_page())
    yield seen
    seen.shoot("last")
    context.close()
    assert seen.outside == set()
    assert seen.errors[:5] == [], f"{len(seen.errors)} complaints"


def _elsewhere(url: str) -> list[str]:
    return [] if url.startswith(LOCAL) else [url[:150]]


def _complaint(said) -> list[str]:
    expected = said.type != "error" or NO_SERVER in said.location.get("url", "")
    return [] if expected else [f"{said.text[:300]} ({said.location.get('url', '')[:150]})"]


@dataclass
class Lab:
    """A running JupyterLab on a copy of the notebooks."""

    folder: Path
    port: int
    token: str
    opened: int = 0

    def address(self, notebook: str) -> str:
        """Where a notebook is: a copy, a workspace and a kernel of its own each time.

        The kernel runs before the page is opened: a busy JupyterLab that has to start it may ask which one is wanted.
        """
        self.opened += 1
        copy = f"{self.opened}_{notebook}"
        shutil.copyfile(self.folder / notebook, self.folder / copy)
        session = {"path": copy, "name": copy, "type": "notebook", "kernel": {"name": "python3"}}
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/sessions",
            json.dumps(session).encode(),
            {"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=PATIENCE / 1000) as answer:
            assert answer.status == 201
        return f"http://127.0.0.1:{self.port}/lab/workspaces/w{self.opened}/tree/{copy}?token={self.token}"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A running JupyterLab, home, ledger and settings its own."""
    tmp_path = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks", ignore=shutil.ignore_patterns("ledger", ".*"))
    settings = tmp_path / "home" / ".jupyter" / "lab" / "settings"
    settings.mkdir(parents=True)
    (settings / "overrides.json").write_text(SETTINGS, encoding="utf-8")
    port = free_port()
    token = secrets.token_hex(8)
    cache = os.environ.get("TOOLKIT_CACHE") or str(_cache())
    own = {"HOME": str(tmp_path / "home"), "TOOLKIT_LEDGER": str(tmp_path / "ledger"), "TOOLKIT_CACHE": cache}
    own |= {
        "JUPYTERLAB_SETTINGS_DIR": str(settings.parent / "user-settings"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "home" / ".jupyter"),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    command += ["--expose-app-in-browser"]  # as window.jupyterapp, which knows whether a notebook has its kernel
    command += [f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    command += [f"--ServerApp.root_dir={tmp_path / 'notebooks'}", f"--LabApp.app_settings_dir={settings}"]
    log = tmp_path / "lab.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(command, env=os.environ | own, stdout=out, stderr=subprocess.STDOUT, cwd=tmp_path)
    try:
        await_port(port, process, log)
        yield Lab(tmp_path / "notebooks", port, token)
    finally:
        process.terminate()
        process.wait(600)


def _cache() -> Path:
    from toolkit.lm.weights import cache_folder

    return cache_folder()
