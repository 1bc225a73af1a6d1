"""Weights from the hub: one request for what is missing, the right bytes or an error, no secret in a message."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from huggingface_hub import close_session, constants, hf_hub_download
from loopback_hub import LoopbackHub

from toolkit.cli import main
from toolkit.errors import Outage, SpecError
from toolkit.lm import weights
from toolkit.lm.embedded import Embedded
from toolkit.lm.hub import HubSource
from toolkit.lm.model import model

BYTES = b"GGUF" + bytes(range(256)) * 3000
SHA256 = hashlib.sha256(BYTES).hexdigest()
COMMIT, OTHER = "a" * 40, "b" * 40
SOURCE = HubSource("Owner/Toy-GGUF", COMMIT, "toy-q4.gguf")
TOY = weights.Weights("toy", SOURCE, SHA256, len(BYTES), "Apache-2.0", "Owner/Toy-GGUF", "turns")
PAGE = f"/Owner/Toy-GGUF/resolve/{COMMIT}/toy-q4.gguf"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """A loopback hub that is asked for small weights, and empty caches."""
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setitem(weights.known, "toy", TOY)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    close_session()
    with LoopbackHub(BYTES, COMMIT).running() as running:
        towards(monkeypatch, running.endpoint)
        yield running
        close_session()  # else the server waits for idle connections


def towards(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """What ``HF_ENDPOINT`` does when the library is loaded."""
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")


def in_hub_cache() -> list[str]:
    """The files of the hub cache beside the locks."""
    root = Path(constants.HF_HUB_CACHE)
    found = (p.relative_to(root) for p in root.rglob("*") if not p.is_dir())
    return sorted(p.as_posix() for p in found if p.parts[0] != ".locks")


# What goes well


def test_one_request_brings_the_file_into_the_hub_cache(hub: LoopbackHub) -> None:
    assert not weights.present("toy")
    path = weights.fetch("toy")
    assert path == weights.location("toy")
    assert path.read_bytes() == BYTES
    assert (hub.asked, hub.served) == ([("GET", PAGE)], [""])
    folder = "models--Owner--Toy-GGUF"
    assert in_hub_cache() == [f"{folder}/blobs/{SHA256}", f"{folder}/snapshots/{COMMIT}/toy-q4.gguf"]


def test_the_second_call_asks_nothing_and_hashes_nothing(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    weights.fetch("toy")
    monkeypatch.setattr(weights, "hashed", lambda *_: pytest.fail("hashed again"))
    assert weights.present("toy")
    assert weights.fetch("toy").read_bytes() == BYTES
    assert len(hub.asked) == 1


def test_the_hubs_own_library_finds_what_was_fetched(hub: LoopbackHub) -> None:
    weights.fetch("toy")
    found = hf_hub_download("Owner/Toy-GGUF", "toy-q4.gguf", revision=COMMIT, local_files_only=True)
    assert Path(found) == weights.location("toy")
    hub.commit = OTHER  # the same bytes under another commit: linked, not fetched
    assert Path(hf_hub_download("Owner/Toy-GGUF", "toy-q4.gguf")).read_bytes() == BYTES
    assert hub.served == [""]


@pytest.mark.parametrize("commit", [COMMIT, OTHER])
def test_what_the_hubs_own_library_fetched_is_used_offline(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch, commit: str
) -> None:
    hub.commit = commit
    found = hf_hub_download("Owner/Toy-GGUF", "toy-q4.gguf")
    asked = len(hub.asked)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert weights.present("toy")
    assert weights.fetch("toy") == Path(found)
    assert len(hub.asked) == asked


def test_a_file_put_where_the_message_says_is_used(hub: LoopbackHub) -> None:
    hub.status = 404
    with pytest.raises(Outage) as caught:
        weights.fetch("toy")
    place = Path(str(caught.value).partition(f"{SHA256} at ")[2].partition(" (its home")[0])
    place.parent.mkdir(parents=True)
    place.write_bytes(BYTES)
    assert weights.fetch("toy") == place == weights.location("toy")
    assert len(hub.asked) == 1


def test_a_file_where_links_cannot_be_made(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("a required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    assert weights.fetch("toy").read_bytes() == BYTES
    assert in_hub_cache() == [f"models--Owner--Toy-GGUF/snapshots/{COMMIT}/toy-q4.gguf"]


def test_the_token_goes_to_the_hub_alone(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_pa55word")
    weights.fetch("toy")
    assert hub.authorised == [("hub", "Bearer hf_pa55word"), ("store", "")]


def test_progress_is_shown_on_a_terminal_only(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for screen, shown in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", screen)
        weights.fetch("toy")
        assert ("toy-q4.gguf" in screen.getvalue()) is shown
        shutil.rmtree(constants.HF_HUB_CACHE)


# Breaks


def test_the_next_call_goes_on_where_a_break_left_off(hub: LoopbackHub) -> None:
    hub.cuts = [300_000, 0]
    with pytest.raises(Outage, match=r"0\.3 of 0\.8 MB are kept"):
        weights.fetch("toy")
    assert not weights.present("toy")
    assert weights.fetch("toy").read_bytes() == BYTES
    assert hub.served == ["", "bytes=300000-", "bytes=300000-"]


def test_a_break_is_mended_within_the_call(hub: LoopbackHub) -> None:
    hub.cuts = [300_000, 200_000]
    assert weights.fetch("toy").read_bytes() == BYTES
    assert hub.served == ["", "bytes=300000-", "bytes=500000-"]


def test_a_line_that_always_breaks_is_given_up_but_goes_on_later(hub: LoopbackHub) -> None:
    hub.cuts = [1000] * 5
    with pytest.raises(Outage, match="broke"):
        weights.fetch("toy")
    assert len(hub.served) == 5
    assert weights.fetch("toy").read_bytes() == BYTES
    assert hub.served[-1] == "bytes=5000-"


def test_a_server_without_ranges_sends_all_again(hub: LoopbackHub) -> None:
    hub.cuts, hub.ranges = [300_000], False
    assert weights.fetch("toy").read_bytes() == BYTES
    assert hub.served == ["", "bytes=300000-"]


def test_an_end_that_nobody_announced_is_a_break(hub: LoopbackHub) -> None:
    hub.cuts, hub.lengths = [300_000, 0], False
    with pytest.raises(Outage, match="it ended early"):
        weights.fetch("toy")
    assert weights.fetch("toy").read_bytes() == BYTES
    assert hub.served[-1] == "bytes=300000-"


def test_an_interrupted_call_goes_on_later(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    hub.cuts = [300_000]
    with monkeypatch.context() as during:
        during.setattr("huggingface_hub.utils.tqdm.update", interrupt)
        with pytest.raises(KeyboardInterrupt):
            weights.fetch("toy")
    assert not weights.present("toy")
    assert weights.fetch("toy").read_bytes() == BYTES
    assert hub.served[-1].startswith("bytes=")


@pytest.mark.parametrize(("left", "served"), [(BYTES, []), (BYTES + b"?", [""])])
def test_a_part_that_is_whole_or_too_long(hub: LoopbackHub, left: bytes, served: list[str]) -> None:
    part = SOURCE.places(Path())[0].parents[2] / "blobs" / f"{SHA256}.incomplete"
    part.parent.mkdir(parents=True)
    part.write_bytes(left)
    assert weights.fetch("toy").read_bytes() == BYTES
    assert hub.served == served


# Wrong bytes


def test_wrong_bytes_are_refused_thrown_away_and_fetched_anew(hub: LoopbackHub) -> None:
    hub.content = BYTES[:-1] + b"?"
    with pytest.raises(Outage, match=rf"has sha256 .* instead of {SHA256} and was thrown away.*Way out.*gguf:PATH"):
        weights.fetch("toy")
    assert in_hub_cache() == []
    hub.content = BYTES
    assert weights.fetch("toy").read_bytes() == BYTES
    assert hub.served == ["", ""]


def test_wrong_bytes_before_a_break_are_found_after_it(hub: LoopbackHub) -> None:
    hub.content, hub.cuts = b"?" * len(BYTES), [300_000, 0]
    with pytest.raises(Outage, match="kept"):
        weights.fetch("toy")
    hub.content = BYTES
    with pytest.raises(Outage, match="thrown away"):
        weights.fetch("toy")
    assert weights.fetch("toy").read_bytes() == BYTES


@pytest.mark.parametrize("content", [b"<html>log in here</html>", BYTES * 2])
def test_another_file_is_not_begun(hub: LoopbackHub, content: bytes) -> None:
    hub.content = content
    with pytest.raises(Outage, match=rf"{len(content)} bytes are offered instead of {len(BYTES)}"):
        weights.fetch("toy")
    assert in_hub_cache() == []


def test_bytes_without_end_are_not_written(hub: LoopbackHub) -> None:
    hub.content, hub.lengths = BYTES * 2, False
    with pytest.raises(Outage, match=f"more than the file's {len(BYTES)} bytes came"):
        weights.fetch("toy")
    assert not weights.present("toy")


def test_a_damaged_file_in_the_hub_cache_is_replaced(hub: LoopbackHub) -> None:
    path = weights.fetch("toy")
    path.write_bytes(BYTES[:-1] + b"?")
    os.utime(path, ns=(1, 1))
    assert not weights.present("toy")
    assert weights.fetch("toy").read_bytes() == BYTES
    assert path.resolve().name == SHA256


# Nothing to be had


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, "answered 401: it wants a token.*HF_TOKEN"),
        (403, "answered 403: .*unset HF_TOKEN"),
        (404, "answered 404: there is no such file"),
        (429, "answered 429: too many requests"),
        (500, "answered 500: .*ask again later"),
    ],
)
def test_a_refusal_has_a_way_out_and_tells_no_secret(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch, status: int, told: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_pa55word")
    towards(monkeypatch, hub.endpoint.replace("//", "//me:pa55word@"))
    hub.status = status
    assert "pa55word" not in said(told)
    assert in_hub_cache() == []


def said(told: str) -> str:
    """The whole traceback of the outage that a fetch ends in."""
    with pytest.raises(Outage, match=rf"(?s)({told}).*Way out: put the file toy-q4\.gguf .*gguf:PATH") as caught:
        weights.fetch("toy")
    assert str(weights.cache_folder()) in str(caught.value)
    return "".join(traceback.format_exception(caught.value))


def test_a_break_tells_no_secret(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    towards(monkeypatch, hub.endpoint.replace("//", "//me:pa55word@"))
    hub.cuts = [0]
    assert "pa55word" not in said("RemoteProtocolError: peer closed connection")


def test_offline_without_the_file(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    towards(monkeypatch, hub.endpoint.replace("//", "//me:pa55word@"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "pa55word" not in said("HF_HUB_OFFLINE is set")
    assert hub.asked == []


def test_no_server(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # bound and not listening: every connection is refused
        taken.bind(("127.0.0.1", 0))
        towards(monkeypatch, f"http://me:pa55word@127.0.0.1:{taken.getsockname()[1]}")
        assert "pa55word" not in said("cannot be reached.*ConnectError")


@pytest.mark.parametrize("endpoint", ["http://me:pa55word@127.0.0.1:pa55word", "hub://me:pa55word@127.0.0.1"])
def test_an_endpoint_that_is_no_address(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    towards(monkeypatch, endpoint)
    assert "pa55word" not in said("InvalidURL.*check HF_ENDPOINT|cannot be reached.*UnsupportedProtocol")


def test_a_disk_without_room_is_not_begun(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    said("1 MB are needed and 0 MB are free in .*HF_HOME")
    assert hub.asked == []


def test_a_hub_cache_that_cannot_be_made(hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "taken"))
    said("writing to .*taken.* failed")


# Several at once


def test_threads_at_once_fetch_once(hub: LoopbackHub) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: weights.fetch("toy").read_bytes(), range(8)))
    assert found == [BYTES] * 8
    assert hub.served == [""]


def test_processes_at_once_fetch_once_by_the_environments_settings(hub: LoopbackHub, tmp_path: Path) -> None:
    code = "import sys; from test_hub import TOY, weights; weights.known['toy'] = TOY; print(weights.fetch('toy'))"
    paths = os.pathsep.join(map(str, (Path(__file__).parent, Path(__file__).parents[1])))
    own = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "home"), "PYTHONPATH": paths, "HF_HUB_CACHE": ""}
    room = {key: value for key, value in (os.environ | own).items() if value}
    started = [
        subprocess.Popen([sys.executable, "-c", code], env=room, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    printed = [process.communicate()[0].strip() for process in started]
    place = tmp_path / "home" / "hub" / "models--Owner--Toy-GGUF" / "snapshots" / COMMIT / "toy-q4.gguf"
    assert printed == [str(place)] * 2
    assert place.read_bytes() == BYTES
    assert hub.served == [""]


# As it is typed


def test_get_prints_where_the_file_is(hub: LoopbackHub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.status = 404
    assert main(["lm", "get", "toy"]) == 2
    assert capsys.readouterr().err.startswith("toolkit: the weights 'toy' (1 MB, repository Owner/Toy-GGUF on the")
    hub.status = 0
    assert main(["lm", "get", "toy"]) == 0
    assert capsys.readouterr().out == f"{weights.location('toy')}\n"


def test_ls_has_a_line_for_each(hub: LoopbackHub, capsys: pytest.CaptureFixture[str]) -> None:
    weights.fetch("toy")
    assert main(["lm", "ls"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(weights.known)
    qwen, toy = lines[1], lines[-1]
    assert qwen.split()[:5] == ["qwen2.5-coder-0.5b", "491", "MB", "Apache-2.0", "absent"]
    assert qwen.endswith("Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF on the Hugging Face hub")
    assert toy.split() == ["toy", "1", "MB", "Apache-2.0", "present", "Owner/Toy-GGUF"]


# Names


def test_every_known_name_is_a_model_in_the_layout_that_suits_it() -> None:
    found = {name: model(name) for name in ("smollm2-135m", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b")}
    assert found.keys() == weights.known.keys()
    assert [one.adapter for one in found.values()] == ["completion", "turns", "turns"]
    assert [one.label for one in found.values()] == list(found)
    assert found["qwen2.5-coder-0.5b"] == Embedded("qwen2.5-coder-0.5b", adapter="turns")
    assert Embedded("qwen2.5-coder-0.5b", adapter="completion").adapter == "completion"


def test_an_unknown_name_is_refused_before_anything_is_fetched() -> None:
    with pytest.raises(SpecError, match=r"did you mean 'qwen2\.5-coder-0\.5b'"):
        Embedded("qwen-coder-0.5b").check()
    with pytest.raises(SpecError, match=r"lm: no weights are called 'qwen-coder-0.5b'"):
        model({"use": "Embedded", "name": "qwen-coder-0.5b"})


def test_hub_weights_are_pinned_by_commit_and_sha256() -> None:
    for known in weights.known.values():
        if isinstance(known.source, HubSource):
            assert constants.REGEX_COMMIT_OID.fullmatch(known.source.revision)
            assert len(known.source.revision) == 40
            assert len(known.sha256) == 64
