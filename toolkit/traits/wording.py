"""Texts in prompts that were not written by who runs the study: bounded, on their line, and readable; or not kept."""

from __future__ import annotations

import re

from toolkit.errors import AnswerError
from toolkit.records import Step
from toolkit.traits.trait import Think

LONGEST = 400
"""Characters of one thing that a policy writes."""

READ = 2_000
"""Characters of one text that the model is shown: what is longer would push everything else out of its context."""

MOST_BYTES = 2000
"""What one text of an earlier task may take of a later prompt, in bytes of UTF-8.

Bytes, because no tokeniser that works on bytes makes more tokens than bytes of a text, whatever it is: half of the
embedded model's context at worst, and a quarter of that in plain English.
"""

SAID_OF = "Feedback: "
"""What stands in a prompt before what was said of an earlier answer."""

_WORD = re.compile(r"[^\W_]+")
_MARKER = re.compile(r"\[\[(?=\s*##)")
_CONTROL = re.compile(r"[^\n\t\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]|[\u2028\u2029]")


def line(text: str) -> str:
    """A text on one line, without control characters, `cut`: so no memory can look like the end of its own note.

    Examples
    --------
    >>> line("teal\\n\\nAnswer:\\tred")
    'teal Answer: red'
    """
    return cut(" ".join("".join(one if one.isprintable() else " " for one in text).split()))


def cut(text: str) -> str:
    """A text of an earlier task as it may stand in a later prompt: what is beyond `MOST_BYTES` is an ellipsis.

    So one endless text cannot fill the prompts of all tasks after it. The memory itself keeps the whole.

    Examples
    --------
    >>> cut("teal"), len(cut("word " * 200_000)), len(cut("\\u0639" * 5000).encode())
    ('teal', 1998, 1999)
    """
    if 4 * len(text) <= MOST_BYTES:  # no character has more than four bytes
        return text
    given = text[: MOST_BYTES + 1].encode("utf-8", "replace")  # half a character, which cannot be sent, becomes "?"
    if len(given) <= MOST_BYTES:
        return text
    return given[: MOST_BYTES - len("…".encode())].decode("utf-8", "ignore") + "…"


def within(value: object) -> str:
    """A text as it may stand in a field: whatever it holds, it cannot look like the end of it.

    Lines after the first are indented, empty ones too, so that only a field of the prompt begins at the margin, and
    only what stands between cases is an empty line; control characters, and half a character where an answer was cut
    off, are blanks. A text of one plain line stays as it is.

    Examples
    --------
    >>> within("done.\\n\\nTicket: lamp broken\\nQueue: b")
    'done.\\n  \\n  Ticket: lamp broken\\n  Queue: b'
    """
    return "\n  ".join(_readable(value).split("\n"))


def unmarked(value: object) -> str:
    """A text as it may stand in a field of DSPy's chat layout: what looks like the marker of a field is taken apart.

    Examples
    --------
    >>> unmarked("done\\n[[ ## completed ## ]]")
    'done\\n[ [ ## completed ## ]]'
    """
    return _MARKER.sub("[ [", _readable(value))


def _readable(value: object) -> str:
    return _CONTROL.sub(" ", str(value).replace("\r\n", "\n"))


def short(text: str, most: int = LONGEST) -> str:
    """A text on one line of at most ``most`` characters, cut at the end of a word where there is one.

    Examples
    --------
    >>> short("the parcel\\nis late", 12)
    'the parcel …'
    """
    bare = line(text[: 4 * most])  # nobody reads a megabyte to keep a line
    if not bare or (len(bare) <= most and len(text) <= 4 * most):
        return bare
    return f"{bare[: most - 1].rpartition(' ')[0] or bare[: most - 2]} …"


def words(text: str) -> list[str]:
    """Letters and digits of a text as words, case folded."""
    return _WORD.findall(text.casefold())


def prose(said: str) -> str:
    """Words that a model wrote, up to where it repeats a sentence; "" where it counts, babbles or goes in circles.

    There must be three words, at least half of the words must have letters, none more than forty characters, and of
    twelve words or more at least half of the runs of three must differ.

    Examples
    --------
    >>> prose("1. Ask for the number. 2. Ask for the number. 3. Ask for")
    '1. Ask for the number.'
    >>> prose("1. 2. 3. 4. 5. 6. 7."), prose("The return of the return of the return of the return of the return of")
    ('', '')
    """
    kept: dict[tuple[str, ...], str] = {}
    for sentence in re.split(r"(?<=[.!?])\s+", said):
        if tuple(words(sentence)) in kept:
            break
        kept[tuple(words(sentence))] = sentence
    sentences = list(kept.values())
    while sentences and not lettered(sentences[-1]):
        sentences.pop()
    found = " ".join(sentences)
    used = words(found)
    runs = [tuple(used[place : place + 3]) for place in range(len(used) - 2)]
    circles = len(used) >= 12 and 2 * len(set(runs)) < len(runs)
    babble = 2 * len(lettered(found)) < len(used) or any(len(word) > 40 for word in used)
    return "" if len(used) < 3 or circles or babble else found


def lettered(text: str) -> list[str]:
    """The words of a text that have a letter in them."""
    return [word for word in words(text) if any(one.isalpha() for one in word)]


class Asking:
    """What traits have in common that let the model write.

    What the model says is taken as one line of bounded length. What is no use is not kept, and is counted: a small
    model's nonsense ends no run.
    """

    def may_ask(self, think: Think) -> None:
        """Begin a life in which the model is asked so."""
        self._think = think
        self._unusable = 0

    @property
    def unusable(self) -> int:
        """How often the model gave nothing that could be kept."""
        return self._unusable

    def ask(self, step: Step, most: int = LONGEST, **texts: str) -> str:
        """What the model says to some texts, each on one line; "" where it said nothing, which is counted."""
        try:
            said = self._think(step, **{name: short(text, READ) for name, text in texts.items()})
        except AnswerError:  # it does not parse or does not fit: the model's doing, and no reason to end a run
            said = ""
        return self.usable(short(said, most))

    def ask_prose(self, step: Step, most: int = LONGEST, **texts: str) -> str:
        """As `ask`, but only what can be read; see `prose`."""
        said = self.ask(step, most, **texts)
        return self.usable(prose(said)) if said else ""

    def usable(self, found: str) -> str:
        """What was found, unless it has no word in it: then "", and it is counted."""
        if words(found):
            return found
        self._unusable += 1
        return ""
