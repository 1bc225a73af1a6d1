"""Conversations that are told first and asked about then: LoCoMo's, LongMemEval's and one's own; and who is told."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

import toolkit as tk
from toolkit.errors import SpecError
from toolkit.streams.conversations import NOT_MENTIONED, ChatLog, Locomo, LongMemEval
from toolkit.streams.kept import Kept, written

FILE = Path(__file__).parents[3] / "shared" / "data" / "locomo" / "locomo10_dev6.json"
needs_locomo = pytest.mark.skipif(not FILE.exists(), reason="LoCoMo is not beside the project")

HISTORY = {
    "question_id": "q1",
    "question_type": "knowledge-update",
    "question": "Where do I live now?",
    "question_date": "2023/06/01",
    "answer": "Lima",
    "haystack_session_ids": ["s1", "s2"],
    "haystack_dates": ["2023/01/01", "2023/05/01"],
    "haystack_sessions": [
        [{"role": "user", "content": "I live in Oslo."}, {"role": "assistant", "content": "Cold!"}],
        [{"role": "user", "content": "I moved to Lima.", "has_answer": True}],
    ],
    "answer_session_ids": ["s2"],
}
LOG = [
    {"text": "My badge is teal.", "speaker": "Mara", "user": "mara", "session": "1", "time": "Monday"},
    {"text": "Lunch is at noon."},
    {"question": "Which colour is the badge?", "answer": ["teal", "blue-green"], "user": "mara"},
    {"question": "Who is on call?", "answer": None, "options": ["Jan", "not mentioned"]},
]


def log(tmp_path: Path, rows: list[object]) -> Path:
    file = tmp_path / "log.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


@needs_locomo
def test_locomo_is_read_whole_with_its_oddities() -> None:
    rows = json.loads(FILE.read_text("utf-8"))
    kinds, strange = Counter[str](), 0
    for number, row in enumerate(rows):
        stream = Locomo(str(FILE), conversation=number)
        assert len(stream.pairs()) == len(row["qa"])
        assert len(stream.told()) == sum(len(v) for k, v in row["conversation"].items() if isinstance(v, list))
        for (task, key), asked in zip(stream.pairs(), row["qa"], strict=True):
            kinds[task.id[:2]] += 1
            assert key.answers == (NOT_MENTIONED if asked["category"] == 5 else (str(asked["answer"]),))
            strange += not isinstance(asked.get("answer", ""), str)
    assert kinds["c5"] == 272
    assert strange > 0
    first = Locomo(str(FILE))
    assert first.told()[0].inputs["said"].startswith("Caroline (1:56 pm on 8 May, 2023): Hey Mel!")
    assert first.told()[0].session == "session 1"
    assert {task.session for task, _ in first.pairs()} == {""}


@needs_locomo
def test_memory_is_told_everything_before_the_first_question_and_the_report_warns(tmp_path: Path) -> None:
    stream = Locomo(str(FILE), categories=(4,), questions=6)
    arms = [tk.Arm.static(), tk.Arm("memory", memory=tk.Retrieval(k=3)), tk.Arm("window", memory=tk.SlidingWindow(k=2))]
    lm = tk.Scripted(p=0.2)
    given = {"seeds": 2, "ledger": tmp_path, "tracking": "off", "channel": tk.NoFeedback()}
    study = tk.Study("locomo", stream, arms=arms, lm=lm, **given)
    study.run()
    frame = study.ledger.sql("SELECT arm, t, turns[1].recalled AS ids, labels FROM episodes ORDER BY arm, t")
    own = frame[frame.arm == "memory"]
    assert all(len(ids) == 3 for ids in own.ids)
    assert all(name.startswith("prepare/told-") for name in own.ids.iloc[0])
    last = len(stream.told()) - 1
    window = frame[(frame.arm == "window") & (frame.t == 0)].ids.iloc[0]
    assert list(window) == [f"prepare/told-{last - 1}", f"prepare/told-{last}"]
    assert frame.labels.sum() == 0
    assert "published scores are contested" in str(study.compare())
    assert "published scores are contested" in study.report().read_text(encoding="utf-8")
    assert study.replay().identical


def test_longmemeval_keeps_histories_apart_by_user(tmp_path: Path) -> None:
    absent = HISTORY | {"question_id": "q2_abs", "question": "What is my cat called?", "answer": "You did not say."}
    file = tmp_path / "s.json"
    file.write_text(json.dumps([HISTORY, absent]), encoding="utf-8")
    stream = LongMemEval(str(file))
    assert [turn.user for turn in stream.told()] == ["q1"] * 3 + ["q2_abs"] * 3
    assert stream.told()[2].inputs == {"said": "user (2023/05/01): I moved to Lima."}
    assert [key.answers for _, key in stream.pairs()] == [("Lima",), NOT_MENTIONED]
    assert [task.id for task, _ in stream.pairs()] == ["knowledge-update-q1", "knowledge-update-q2_abs"]
    assert len(LongMemEval(str(file), questions=1).told()) == 3


def test_a_chat_log_tells_and_asks(tmp_path: Path) -> None:
    stream = ChatLog(str(log(tmp_path, LOG)))
    assert [turn.inputs["said"] for turn in stream.told()] == ["Mara (Monday): My badge is teal.", "Lunch is at noon."]
    assert [key.answers for _, key in stream.pairs()] == [("teal", "blue-green"), NOT_MENTIONED]
    assert stream.pairs()[1][0].options == ("Jan", "not mentioned")
    kept = Kept(written(stream))
    assert kept.fingerprint() == stream.fingerprint()
    assert list(kept.told()) == list(stream.told())


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([*LOG, {"text": "late"}], "line 5 tells after a question was asked"),
        (LOG[:2], "no line asks"),
        ([{"question": "x"}], 'line 1 asks but has no "answer"'),
        ([{"txet": "x"}], 'line 1 must have a "text" or a "question"'),
        (["text"], 'line 1 must have a "text"'),
    ],
)
def test_what_is_wrong_with_a_log_is_told_with_its_line(tmp_path: Path, rows: list[object], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        ChatLog(str(log(tmp_path, rows))).pairs()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no json", "cannot be read"),
        ("[]", "from 0 to one less than 0"),
        ('[{"qa": []}]', "not as LoCoMo writes it"),
        ('[{"qa": [], "conversation": {}}]', "no question of the categories"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=told):
        Locomo(str(file)).pairs()
    with pytest.raises(SpecError, match=r"cannot be read|must be a JSON list|not as LongMemEval"):
        LongMemEval(str(file)).pairs()


def test_scorers_of_free_text() -> None:
    task, key = tk.Task("1", {}), tk.Key(("7 May 2023", "not mentioned"))
    assert [tk.TokenF1()(task, text, key) for text in ("7 May 2023.", "", "May")] == [1.0, 0.0, 0.5]
    assert [tk.Contains()(task, text, key) for text in ("It was 7 May, 2023", "", "17 May 2023")] == [1.0, 0.0, 0.0]
