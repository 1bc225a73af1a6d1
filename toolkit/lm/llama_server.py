"""llama.cpp on this machine: a model file opened behind a loopback port, in a form whose arithmetic repeats to the bit.

What makes it repeat: one request at a time, in a slot of whose prefix nothing is kept across prompts but whole pieces
that were read as they would be read again, no flash attention (its sums depend on the number of threads from about 256
tokens on), and nothing that tunes itself to the machine's memory.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from toolkit.errors import SpecError, ToolkitError

if TYPE_CHECKING:
    from dspy.lm15 import Request

_SLOTS = 2  # an agent's actions and its thoughts take turns, and each begin as the one before of their kind
_WAIT = 3600  # seconds: a long prompt on a busy machine takes minutes, and a dead server closes its socket at once
_MARK = "\ue000{}\ue001"  # private use: no chat template writes it, and user text is put in only after the cut
_MARKS = re.compile("\ue000([0-9]+)\ue001")


def check_file(path: Path) -> None:
    """Refuse what is no model file, before llama.cpp says so in its own way.

    Raises
    ------
    SpecError
        If there is nothing, a folder, or a file that does not begin as a GGUF file does.
    """
    if not path.exists():
        raise SpecError([f"gguf: there is no file {str(path)!r}; give the path of a .gguf file"])
    if path.is_dir():
        held = sorted(p.name for p in path.glob("*.gguf"))
        hint = f"it holds {', '.join(held[:3])}" if held else "it holds no .gguf file"
        raise SpecError([f"gguf: {str(path)!r} is a folder; name the file itself ({hint})"])
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise SpecError([f"gguf: {str(path)!r} cannot be read: {error.strerror}; check its permissions"]) from error
    if magic != b"GGUF":
        raise SpecError([f"gguf: {str(path)!r} begins with {magic!r}, not with b'GGUF'; convert it to GGUF first"])


def threads_for(wanted: int) -> int:
    """The number of threads: as wanted, or for 0 the cores this process may use, at most 4."""
    if wanted < 0:
        raise SpecError([f"threads: at least 0 (0 = up to 4 of the cores), got {wanted}"])
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return wanted or max(1, min(4, usable))


class LlamaServer:
    """A model file behind llama.cpp's own server, reached through one persistent loopback connection.

    Not safe for several threads at once: the engine holds a lock for each decision.

    Parameters
    ----------
    path
        The ``.gguf`` file.
    context
        Tokens that a prompt and its answer may have together.
    threads
        See `threads_for`.
    reuse
        Tokens in a piece of a prompt; pieces that a prompt has in common with the one before in its slot are kept.
        None = none, and one slot.
    """

    def __init__(self, path: Path, context: int, threads: int, reuse: int | None = None) -> None:
        check_file(path)
        if context < 1:
            raise SpecError([f"context: at least 1 token, got {context}"])
        self._key = secrets.token_hex(16)  # the port is open to every user of the machine
        self._server: Any = _start(path, context, threads_for(threads), self._key, reuse)
        self._piece = reuse
        self.forget()
        self._address = urlsplit(self._server.listening_address).netloc
        self._connection: http.client.HTTPConnection | None = None
        self._process = os.getpid()
        limit = int(self.ask("/props", None)["default_generation_settings"]["n_ctx"])
        if limit < context:
            self.close()
            raise SpecError(
                [f"context: {path.name} was trained for {limit} tokens, got {context}; use at most {limit}"]
            )

    def ask(self, route: str, body: dict[str, Any] | None) -> dict[str, Any]:
        """Send one request and return the answer.

        Raises
        ------
        dspy.lm15.LM15Error
            Of the kind that fits: too long a prompt, a bad request, trouble of the server, a lost connection.
        """
        from dspy.lm15 import ServerError, TransportError

        if self._server is None or self._process != os.getpid():
            raise ServerError("this engine is closed, or was opened before a fork; open one in each process")
        payload = None if body is None else json.dumps(body).encode()
        try:
            status, text = self._send(route, payload)
        except (ConnectionError, http.client.HTTPException):
            # An idle connection is closed by the server after seconds; asking again changes no answer.
            self._hang_up()
            try:
                status, text = self._send(route, payload)
            except (OSError, http.client.HTTPException) as error:
                raise self._lost(error) from error
        except OSError as error:
            raise self._lost(error) from error
        try:
            answer = json.loads(text)
        except ValueError as error:
            raise TransportError(f"llama.cpp answered {status} with {text[:80]!r} instead of JSON") from error
        if status != 200:
            raise _error(status, answer)
        return dict(answer)

    def begin(self, prompt: list[int], body: dict[str, Any], slot: int) -> dict[str, Any]:
        """Have a prompt read that no step of this decision has read yet, and return the answer to it.

        Raises
        ------
        dspy.lm15.LM15Error
            As of `ask`.
        """
        slot %= len(self._held)
        kept, where = self._cut(prompt, slot), {"prompt": prompt, "id_slot": slot}
        answer = self.ask("/completion", {**body, **where, "cache_prompt": kept > 0})
        if kept and answer["timings"]["prompt_n"] != len(prompt) - kept:  # the slot was not as it was left
            answer = self.ask("/completion", {**body, **where, "cache_prompt": False})
        self._held[slot] = prompt
        return answer

    def forget(self) -> None:
        """Keep nothing of the prompts that were read so far."""
        self._held: list[list[int]] = [[] for _ in range(_SLOTS if self._piece else 1)]

    def _cut(self, prompt: list[int], slot: int) -> int:
        """Leave in the slot the whole pieces that ``prompt`` begins with; how many tokens that are.

        llama.cpp keeps all that two prompts have in common, and reads on from there: in pieces that begin elsewhere
        than they do without a prompt before, so that sums differ in their last bits. One foreign token at the end of
        the pieces makes it forget the rest. At least one token is left to be read.
        """
        held, self._held[slot] = self._held[slot], []
        if not self._piece:
            return 0
        shared = next((place for place, two in enumerate(zip(held, prompt, strict=False)) if two[0] != two[1]), None)
        most = min(len(held), len(prompt)) if shared is None else shared
        kept = min(most, len(prompt) - 1) // self._piece * self._piece
        if kept:
            foreign = int(prompt[kept] == 0)  # any token but the one that follows
            body = {"prompt": [*prompt[:kept], foreign], "n_predict": 1, "temperature": 0}
            self.ask("/completion", {**body, "cache_prompt": True, "id_slot": slot})
        return kept

    def tokens(self, text: str, *, special: bool = False, parse: bool = False) -> list[int]:
        """Token ids: with ``special`` the model's own beginning, with ``parse`` control tokens read as such."""
        body = {"content": text, "add_special": special, "parse_special": parse}
        return list(self.ask("/tokenize", body)["tokens"]) if text or special else []

    def end(self) -> int:
        """The token with which the model ends its turn."""
        text = str(self.ask("/props", None).get("eos_token", ""))
        return (self.tokens(text, parse=True) or self.tokens("\n"))[-1]

    def prompt(self, messages: Sequence[dict[str, str]], style: str) -> tuple[list[int], str]:
        """The tokens of a prompt and its last character. Text from outside never becomes a control token.

        Parameters
        ----------
        messages
            Role and content of each.
        style
            ``"completion"``: the contents as they are; else through the model's own chat template.
        """
        contents = [m["content"] for m in messages]
        if style == "completion":
            text = "\n\n".join(contents)
            return self.tokens(text, special=True), text[-1:]
        said = "\n".join(contents)
        if self.tokens(said, parse=True) == self.tokens(said):
            text = self._template(messages)
            return self.tokens(text, special=True, parse=True), text[-1:]
        return self._apart(messages, contents)

    def _apart(self, messages: Sequence[dict[str, str]], contents: Sequence[str]) -> tuple[list[int], str]:
        """The same where a content spells a control token: template and contents are turned into tokens apart."""
        marked = [{**m, "content": _MARK.format(i)} for i, m in enumerate(messages)]
        first, *rest = _MARKS.split(self._template(marked))
        found = self.tokens(first, special=True, parse=True)
        for index, piece in zip(rest[::2], rest[1::2], strict=True):
            found += self.tokens(contents[int(index)]) + self.tokens(piece, parse=True)
        return found, (rest[-1] or contents[-1])[-1:]

    def close(self) -> None:
        """Give the memory back; further requests raise `ServerError`."""
        self._hang_up()
        self._server = None

    def _template(self, messages: Sequence[dict[str, str]]) -> str:
        return str(self.ask("/apply-template", {"messages": list(messages)})["prompt"])

    def _send(self, route: str, payload: bytes | None) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._address, timeout=_WAIT)
        head = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        self._connection.request("POST" if payload is not None else "GET", route, payload, head)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _lost(self, error: Exception) -> Exception:
        from dspy.lm15 import TransportError

        self._hang_up()  # a reply that comes late must not be taken for the next one
        lost: Exception = TransportError(f"the connection to llama.cpp was lost: {type(error).__name__}: {error}")
        return lost


def _start(path: Path, context: int, threads: int, key: str, reuse: int | None) -> Any:
    xllamacpp = _library()
    wanted = xllamacpp.CommonParams()
    wanted.model.path = str(path)
    slots = _SLOTS if reuse else 1
    wanted.n_ctx, wanted.n_parallel, wanted.verbosity = context * slots, slots, -1
    if reuse:
        wanted.n_batch = wanted.n_ubatch = reuse
    wanted.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    wanted.fit_params, wanted.cache_ram_mib, wanted.ui = False, 0, False
    wanted.api_keys, wanted.hostnames, wanted.port = [key], ["127.0.0.1"], 0
    wanted.timeout_read = wanted.timeout_write = _WAIT
    # Single tokens are made by one thread: two that sleep while they wait for one another take twice as long.
    for cores, count in ((wanted.cpuparams, 1), (wanted.cpuparams_batch, threads)):
        cores.n_threads, cores.poll = count, 0
    try:
        return xllamacpp.Server(wanted)
    except RuntimeError as error:
        hint = "is the file complete, of a kind llama.cpp knows, and is there memory for it?"
        raise SpecError([f"gguf: llama.cpp cannot load {str(path)!r} ({error}); {hint}"]) from error


def _library() -> Any:
    """llama.cpp, with threads that sleep while they wait for one another."""
    import importlib

    try:
        with patient():
            return importlib.import_module("xllamacpp")
    except ImportError as error:
        hint = "python -m pip install xllamacpp; where libgomp is what is missing: apt-get install libgomp1"
        raise ToolkitError(f"llama.cpp cannot be loaded ({error}); {hint}") from error


@contextmanager
def patient() -> Iterator[None]:
    """Within it, a library that is loaded for the first time has threads that sleep while they wait for one another.

    By default they spin: measured beside one busy program on two cores, two threads then took 3 to 30 times as long as
    one. Such a library reads the setting once, when it is loaded; a setting of the user's own stands.
    """
    own = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys()
    if not own:
        os.environ["OMP_WAIT_POLICY"] = "passive"
    try:
        yield
    finally:
        if not own:
            os.environ.pop("OMP_WAIT_POLICY", None)  # no business of other libraries and child processes


def _error(status: int, answer: dict[str, Any]) -> Exception:
    from dspy.lm15 import ContextLengthError, InvalidRequestError, ServerError

    said = answer.get("error", answer)
    kind, message = (said.get("type"), said.get("message")) if isinstance(said, dict) else (None, said)
    if kind == "exceed_context_size_error":
        found: Exception = ContextLengthError(str(message), status=status)
    else:
        found = (InvalidRequestError if status < 500 else ServerError)(f"llama.cpp: {message}", status=status)
    return found


def texts(request: Request) -> list[dict[str, str]]:
    """The request's system text and messages as role and plain text.

    Raises
    ------
    dspy.lm15.UnsupportedFeatureError
        For what is not text, for tools and for token log-probabilities, but of a choice by likelihood: the embedded
        engine has text only.
    """
    from dspy.lm15 import UnsupportedFeatureError

    parts = [("system", request.system)] if isinstance(request.system, str) else []
    if request.system and not isinstance(request.system, str):
        parts = [("system", "".join(getattr(p, "text", "") for p in request.system))]
    found = [*parts, *((m.role, m.text) for m in request.messages)]
    odd = [role for role, text in found if text is None or role == "tool"]
    said = request.config.extensions or {}
    choice = said.get("answer") == "choice" and said.get("deciding", "likelihood") == "likelihood"
    if odd or request.tools or (request.config.logprobs is not None and not choice):
        what = f"a {odd[0]} message that is not plain text" if odd else "tools" if request.tools else "logprobs"
        raise UnsupportedFeatureError(f"llama.cpp is given text only, got {what}; leave it out of the request")
    clean = [(("system" if role == "developer" else role), text or "") for role, text in found]
    # A lone surrogate, as from a badly decoded file, cannot be sent; a question mark stands for it.
    named = [{"role": role, "content": text.encode("utf-8", "replace").decode()} for role, text in clean]
    return [m for m in named if m["content"] or m["role"] != "system"]
