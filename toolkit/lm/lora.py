"""Training of an embedded model's weights by pairs of small matrices (LoRA), and the files that these are kept in."""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.lm.training import Trained
from toolkit.lm.weights import cache_folder

if TYPE_CHECKING:
    from toolkit.lm.finetuned import FineTuned

_IGNORED = -100  # a label that torch's cross entropy leaves out
_NOTE = "training"  # under what name a file's header holds the record


@dataclass(frozen=True, slots=True)
class Lesson:
    """One example as tokens."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]


def place_of(recipe: str) -> Path:
    """Where the matrices of a training are kept."""
    return cache_folder() / "finetuned" / f"{recipe[:32]}.safetensors"


@contextmanager
def steady(threads: int) -> Iterator[None]:
    """torch with so many threads and deterministic algorithms; as it was before, afterwards."""
    torch = _torch()
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])


def load(path: Path, threads: int) -> Any:
    """The untouched model of a ``.gguf`` file, in float32, for answering."""
    with steady(threads):
        torch = _torch()
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging

        bar = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        here = {"local_files_only": True, "trust_remote_code": False}  # no code that lies beside the file is run
        made = AutoModelForCausalLM.from_pretrained(  # nosec B615  # a file that is here, nothing is downloaded
            path.parent, gguf_file=path.name, dtype=torch.float32, **here
        )
        if bar:
            logging.enable_progress_bar()
    for weight in made.parameters():
        weight.requires_grad_(False)
    return made.eval()


def fitted(model: Any, name: str, rank: int) -> Any:
    """The model with one more set of matrices, which change nothing yet; the first makes it a model of peft's."""
    from peft import LoraConfig, PeftModel, get_peft_model

    wanted = LoraConfig(
        r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    if not isinstance(model, PeftModel):
        return get_peft_model(model, wanted, adapter_name=name)
    if name in model.peft_config:  # left behind by a training that was cut off
        model.delete_adapter(name)
    model.add_adapter(name, wanted)
    return model


def train(model: Any, name: str, lessons: Sequence[Lesson], settings: FineTuned) -> Trained:
    """Train one set of matrices; the loss counts answers only.

    The steps are those of AdamW without weight decay, at a rate that falls linearly to 0, with gradients cut to length
    1. Equal lessons and settings give equal matrices, on one machine.
    """
    torch = _torch()
    model.set_adapter(name)
    ours = [weight for key, weight in model.named_parameters() if f".{name}." in key]
    for weight in ours:
        weight.requires_grad_(True)
    steps = settings.epochs * math.ceil(len(lessons) / settings.batch)
    rule = torch.optim.AdamW(ours, lr=settings.rate, weight_decay=0.0)
    falling = torch.optim.lr_scheduler.LambdaLR(rule, lambda step: 1 - step / steps)
    order, losses, started = np.random.default_rng(settings.seed), [], time.perf_counter()
    for _ in range(settings.epochs):
        places, lost, counted = order.permutation(len(lessons)), 0.0, 0
        for start in range(0, len(lessons), settings.batch):
            chosen = [lessons[place] for place in places[start : start + settings.batch]]
            loss, many = _loss(model, chosen)
            rule.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(ours, 1.0)
            rule.step()
            falling.step()
            lost, counted = lost + float(loss.detach()) * many, counted + many
        losses.append(lost / counted)
    seconds = time.perf_counter() - started
    for weight in ours:
        weight.requires_grad_(False)
    tokens = settings.epochs * sum(len(one.prompt) + len(one.answer) for one in lessons)
    return Trained(_digest(matrices(model, name)), len(lessons), tokens, seconds, tuple(losses))


def _loss(model: Any, lessons: Sequence[Lesson]) -> tuple[Any, int]:
    """Mean loss of a batch's answers, and how many tokens these have."""
    torch = _torch()
    longest = max(len(one.prompt) + len(one.answer) for one in lessons)
    tokens = torch.zeros((len(lessons), longest), dtype=torch.long)
    wanted, seen = torch.full_like(tokens, _IGNORED), torch.zeros_like(tokens)
    for row, one in enumerate(lessons):
        whole = (*one.prompt, *one.answer)
        tokens[row, : len(whole)] = torch.tensor(whole)
        seen[row, : len(whole)] = 1
        wanted[row, len(one.prompt) : len(whole)] = torch.tensor(one.answer)
    # What stands at a place is foretold by the place before it; logits are had for the answers' places only.
    rows, places = (wanted[:, 1:] != _IGNORED).nonzero(as_tuple=True)
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden = inner.model(input_ids=tokens, attention_mask=seen).last_hidden_state
    logits = inner.lm_head(hidden[rows, places])
    return torch.nn.functional.cross_entropy(logits, wanted[rows, places + 1]), len(rows)


def matrices(model: Any, name: str) -> dict[str, Any]:
    """The trained matrices by the name of their place."""
    from peft import get_peft_model_state_dict

    return dict(get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False))


def keep(file: Path, held: Mapping[str, Any], record: Trained) -> None:
    """Write matrices aside, then rename: nobody ever reads half a file."""
    from safetensors.torch import save_file

    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_suffix(f".{os.getpid()}")
    save_file({key: value.contiguous() for key, value in held.items()}, aside, {_NOTE: record.wire()})
    os.replace(aside, file)


def kept(file: Path) -> tuple[dict[str, Any], Trained] | None:
    """The matrices of a file and their record; None if there is none, or its bytes are not those that were written."""
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    if not file.is_file():
        return None
    with suppress(SafetensorError, ValueError, KeyError, TypeError):
        with safe_open(file, "pt") as opened:
            record = Trained.read(opened.metadata()[_NOTE])
        held = load_file(file)
        if _digest(held) == record.weights:
            return held, record
    return None


def put(model: Any, name: str, held: Mapping[str, Any]) -> None:
    """Give a set of matrices that is there already these values."""
    from peft import set_peft_model_state_dict

    set_peft_model_state_dict(model, dict(held), adapter_name=name)
    for key, weight in model.named_parameters():
        if f".{name}." in key:
            weight.requires_grad_(False)


def _digest(held: Mapping[str, Any]) -> str:
    found = hashlib.sha256()
    for key in sorted(held):
        found.update(f"{key} {tuple(held[key].shape)} ".encode())
        found.update(held[key].detach().contiguous().numpy().tobytes())
    return found.hexdigest()


def _torch() -> Any:
    """torch, with threads that sleep while they wait for one another; see `toolkit.lm.llama_server`."""
    from toolkit.lm.llama_server import patient

    with patient():
        import torch
    return torch
