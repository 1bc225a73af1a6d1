"""Model files from the Hugging Face hub, kept in the user's own hub cache, where other programs find them too.

Endpoint, cache, token, proxy and offline mode are those of `huggingface_hub` (``HF_ENDPOINT``, ``HF_HOME``,
``HF_HUB_CACHE``, ``HF_TOKEN``, ``HF_HUB_OFFLINE``). Its own download is not used: since 1.0 it throws away what came
when a connection breaks, and a gigabyte over a poor line must be able to go on where it stopped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import Outage
from toolkit.lm.sources import hashed

if TYPE_CHECKING:
    import httpx
    from huggingface_hub.utils import tqdm

_TRIES = 5  # connections in one call, as long as each brings something
_REFUSED = {
    401: "it wants a token, or does not accept the one it got: set, renew or unset HF_TOKEN, or type 'hf auth logout'",
    403: "it does not let this token read the repository; unset HF_TOKEN or use one that may",
    404: "there is no such file under HF_ENDPOINT; a mirror may lack the repository",
    407: "the proxy wants a password",
    429: "too many requests; wait some minutes and ask again",
}


@dataclass(frozen=True, slots=True)
class HubSource:
    """A file of a repository on the hub.

    Parameters
    ----------
    repo
        Owner and name.
    revision
        The commit, in full: so that the file in the cache needs no question to the hub.
    file
        Its name in the repository.
    """

    repo: str
    revision: str
    file: str

    @property
    def told(self) -> str:
        """The repository."""
        return f"repository {self.repo} on the Hugging Face hub"

    def places(self, own: Path) -> tuple[Path, ...]:
        """The hub cache: under the pinned commit, then under any other; then the toolkit's own."""
        first = self._folder() / "snapshots" / self.revision / self.file
        others = sorted(self._folder().glob(f"snapshots/*/{self.file}"))
        return (first, *(path for path in others if path != first), own)

    def bring(self, target: Path, sha256: str, size: int) -> None:
        """See `Source.bring`. What came before a break is kept beside the cache's blobs and the next call goes on."""
        from huggingface_hub.utils import WeakFileLock

        blob = self._folder() / "blobs" / sha256
        part = blob.with_name(f"{sha256}.incomplete")
        lock = self._folder().parent / ".locks" / self._folder().name / f"{sha256}.lock"  # the library's own
        for path in (part, target, lock):
            path.parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(lock):
            if _is(target, sha256, size):  # another process was faster
                return
            self._receive(part, size)
            with part.open("rb") as file:
                found = hashed(file)
            if found != sha256:
                part.unlink()
                raise Outage(f"the file has sha256 {found} instead of {sha256} and was thrown away; ask again")
            _shelve(part, blob, target)

    def _folder(self) -> Path:
        from huggingface_hub import constants

        return Path(constants.HF_HUB_CACHE) / f"models--{self.repo.replace('/', '--')}"

    def _receive(self, part: Path, size: int) -> None:
        """Append to ``part`` until it has ``size`` bytes."""
        why = ""
        for _ in range(_TRIES):
            have = _size(part)
            if have == size:
                return
            if have > size:
                part.unlink()
                have = 0
            _check_room(part, size - have)
            why = self._append(part, have, size)
            if _size(part) <= have:
                break
        if _size(part) != size:
            kept = f"{_size(part) / 1e6:.1f} of {size / 1e6:.1f} MB are kept: ask again and it goes on from there"
            raise Outage(f"the hub cannot be reached, or the connection broke ({why or 'it ended early'}); {kept}")

    def _append(self, part: Path, have: int, size: int) -> str:
        """Append what one connection brings, and tell what ended it early, if anything did."""
        import httpx

        try:
            with self._answer(have) as answer:
                start = have if answer.status_code == 206 else 0  # 200: a server that knows no ranges sends it all
                _check_offer(answer, start, size)
                with part.open("ab" if start else "wb") as file, self._bar(start, size) as bar:
                    for chunk in answer.iter_bytes():  # as they come: what a break leaves is on the disk
                        start += len(chunk)
                        if start > size:
                            raise Outage(f"more than the file's {size} bytes came; is HF_ENDPOINT a hub?")
                        file.write(chunk)
                        bar.update(len(chunk))
        except httpx.TransportError as error:
            return f"{type(error).__name__}: {error}"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Not chained, nor is its text told: it may hold an address, and an address may hold a password.
            raise Outage(f"the address does not work ({type(error).__name__}); check HF_ENDPOINT") from None
        return ""

    def _bar(self, start: int, size: int) -> tqdm:
        """The library's own bar: on a terminal only, and none where ``HF_HUB_DISABLE_PROGRESS_BARS`` is set."""
        from huggingface_hub.utils import tqdm

        options = {"unit": "B", "unit_scale": True, "desc": self.file, "disable": None}
        return tqdm(total=size, initial=start, **options)  # type: ignore[no-untyped-call]

    @contextmanager
    def _answer(self, have: int) -> Iterator[httpx.Response]:
        """The hub's answer to a request for everything after the first ``have`` bytes."""
        from huggingface_hub import constants, get_session, get_token, hf_hub_url
        from huggingface_hub.errors import OfflineModeIsEnabled

        url = hf_hub_url(self.repo, self.file, revision=self.revision)
        token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
        head = {"Accept-Encoding": "identity"}
        head |= {"Authorization": f"Bearer {token}"} if token else {}  # httpx leaves it out on the way to another host
        head |= {"Range": f"bytes={have}-"} if have else {}
        wait = constants.HF_HUB_DOWNLOAD_TIMEOUT
        try:
            with get_session().stream("GET", url, headers=head, timeout=wait, follow_redirects=True) as answer:
                if answer.status_code not in (200, 206):
                    hint = _REFUSED.get(answer.status_code, "this is trouble of the hub's own; ask again later")
                    raise Outage(f"the hub answered {answer.status_code}: {hint}")
                yield answer
        except OfflineModeIsEnabled:
            # Not chained: its text holds the address.
            raise Outage("HF_HUB_OFFLINE is set and the file is not in the hub cache; unset it, once") from None


def _check_offer(answer: httpx.Response, start: int, size: int) -> None:
    """Refuse another file, such as the login page of a hotel's network, before it is taken for the beginning."""
    length = answer.headers.get("Content-Length", "")
    if length.isdigit() and start + int(length) != size:
        raise Outage(
            f"{start + int(length)} bytes are offered instead of {size}; is HF_ENDPOINT a hub, is this a login?"
        )


def _check_room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if free < needed:
        raise Outage(
            f"{needed / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free in {part.parent}; "
            "name a larger disk with HF_HOME"
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _is(path: Path, sha256: str, size: int) -> bool:
    if not path.is_file() or _size(path) != size:
        return False
    with path.open("rb") as file:
        return hashed(file) == sha256


def _shelve(part: Path, blob: Path, target: Path) -> None:
    """As the hub's library keeps files: the bytes under their hash, the name a link, else the file."""
    os.replace(part, blob)
    link = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        link.symlink_to(os.path.relpath(blob, target.parent))
    except OSError:
        os.replace(blob, target)
    else:
        os.replace(link, target)
