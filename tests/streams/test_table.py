"""A user's own table: what works, and the one clear error for what does not."""

from __future__ import annotations

import csv
import datetime
import json
import pickle
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from toolkit.errors import SpecError
from toolkit.streams.table import Table, table


@pytest.fixture
def write(tmp_path):
    """Write a file of the given name and return its path as text."""

    def writer(content: str | bytes, name: str = "data.csv") -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return writer


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Frames go to a cache of this test's own."""
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def read(path: str, **given):
    return Table(path, **({"inputs": "text", "answer": "label"} | given)).pairs()


def mistakes(path: str, **given) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        read(path, **given)
    return caught.value.mistakes


def only(path: str, **given) -> str:
    found = mistakes(path, **given)
    assert len(found) == 1, found
    return found[0]


def texts(pairs) -> list[str]:
    return [task.inputs["text"] for task, _ in pairs]


# --- what works


def test_a_plain_table_becomes_tasks_and_keys(write):
    (first, key), (second, _) = read(write("text,label\nhello,greet\nbye,leave\n"), delay=2)
    assert (first.id, dict(first.inputs), first.options, first.user, first.session, first.time) == (
        "1",
        {"text": "hello"},
        (),
        "",
        "",
        0.0,
    )
    assert (key.answers, key.delay) == (("greet",), 2)
    assert second.id == "2"


def test_values_stay_the_text_of_the_file(write):
    pairs = read(write("text,label\n007,1.0\nNA,nan\n  spaced ,1e3\n"))
    assert texts(pairs) == ["007", "NA", "  spaced "]
    assert [key.answers[0] for _, key in pairs] == ["1.0", "nan", "1e3"]


@pytest.mark.parametrize("number", ["1.10", "1e3", "-0", "10000000000000000000001", "0.1000000000000000055511151231"])
def test_json_numbers_stay_as_written(write, number):
    ((task, key),) = read(write(f'{{"text": {number}, "label": [{number}, true]}}', "d.jsonl"))
    assert task.inputs["text"] == number
    assert key.answers == (number, "true")


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbftext,label\na,x\nb,y\n",
        b"text,label\r\na,x\r\nb,y\r\n",
        b"text,label\ra,x\rb,y\r",
        b"text,label\n\na,x\n\n\nb,y",
        b'"text","label"\n"a","x"\n"b","y"\n',
    ],
    ids=["bom", "crlf", "cr", "blank lines", "quoted"],
)
def test_harmless_forms_of_the_same_table_work(write, content):
    assert [(task.inputs["text"], key.answers[0]) for task, key in read(write(content))] == [("a", "x"), ("b", "y")]


def test_tab_separated_and_an_upper_case_ending(write):
    assert texts(read(write("text\tlabel\na, b\tx\n", "DATA.TSV"))) == ["a, b"]


def test_a_long_text_and_one_beyond_the_csv_modules_limit(write):
    long, longer = "ä" * 10_000, "b" * 200_000
    assert texts(read(write(f"text,label\n{long},x\n{longer},y\n"))) == [long, longer]


def test_an_encoding_that_is_named_is_used(write):
    assert texts(read(write("text,label\nGrüße,x\n".encode("cp1252")), encoding="cp1252")) == ["Grüße"]
    assert texts(read(write("text,label\nGrüße,x\n".encode("utf-16")), encoding="utf-16")) == ["Grüße"]


def test_several_inputs_answers_and_the_other_columns(write):
    path = write("n,subject,body,label,who,talk,when\nk1,hi,,a | b|a,ann,s1,3\nk2,,there,c,,,1.5\n")
    stream = Table(
        path, inputs=("subject", "body"), answer="label", separator="|", user="who", session="talk", time="when", id="n"
    )
    (early, _), (late, key) = stream.pairs()
    assert (early.id, early.time, dict(early.inputs)) == ("k2", 1.5, {"subject": "", "body": "there"})
    assert (late.id, late.user, late.session, key.answers) == ("k1", "ann", "s1", ("a", "b"))
    assert stream.step.inputs == ("subject", "body")


def test_order_by_time_is_stable_and_dates_are_seconds(write):
    path = write("text,label,when\nc,x,1970-01-02\na,x,1970-01-01T00:00:01+00:00\nb,x,1970-01-01T01:00:01+01:00\n")
    pairs = read(path, time="when")
    assert texts(pairs) == ["a", "b", "c"]
    assert [task.time for task, _ in pairs] == [1.0, 1.0, 86400.0]


def test_dates_without_a_zone_do_not_depend_on_the_machines(write, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        ((task, _),) = read(write("text,label,when\na,x,1970-01-02\n"), time="when")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert task.time == 86400.0


def test_options_from_the_answers_a_column_or_the_call(write):
    path = write("text,label,choice\nq,b,a|b\nr,a,b | a\n")
    assert [task.options for task, _ in read(path, options="answers")] == [("a", "b")] * 2
    assert [task.options for task, _ in read(path, options="choice")] == [("a", "b"), ("b", "a")]
    assert [task.options for task, _ in read(path, options=("b", "a", "c"))] == [("b", "a", "c")] * 2


def test_lists_in_jsonl_are_options_and_answers(write):
    row = {"text": "q", "label": ["b|", "c"], "choice": ["a", "b|", "c", "a"]}
    ((task, key),) = read(write(json.dumps(row), "d.jsonl"), options="choice")
    assert (task.options, key.answers) == (("a", "b|", "c"), ("b|", "c"))


def test_the_step_says_what_to_do(write):
    path = write("ticket text,2nd queue\nq,1\n")
    step = Table(path, inputs="ticket text", answer="2nd queue", number=True).step
    assert (step.inputs, step.output, step.answer) == (("ticket_text",), "field_2nd_queue", "number")
    assert step.instruction == "Give the field 2nd queue as a number."
    assert Table(path, inputs="a", answer="b", instruction="Route it.").step.instruction == "Route it."
    assert Table(path, inputs="a", answer="b", options="answers").step.instruction == "Choose the b."


def test_metrics_follow_the_answers():
    assert Table("d.csv", inputs="a", answer="b").scorers == ("exact",)
    assert Table("d.csv", inputs="a", answer="b", number=True).scorers == ("numeric",)
    assert Table("d.csv", inputs="a", answer="b", scorers=("set", "exact")).scorers == ("set", "exact")


def test_config_round_trips_and_content_identifies(write):
    content = "text,label\nq,a\nr,b\n"
    one = Table(write(content), inputs=("text",), answer="label", options=("a", "b"), tasks=1, draw=3)
    assert Table.from_config(one.config()) == one == one.clone()
    other = Table(write(content, "copy.csv"), inputs="text", answer="label", options=("a", "b"), tasks=1, draw=3)
    assert one.fingerprint() == other.fingerprint()
    changed = Table(write(content.replace("r", "s"), "x.csv"), inputs="text", answer="label", options=("a", "b"))
    assert changed.fingerprint() != replace_tasks(one).fingerprint()
    assert pickle.loads(pickle.dumps(one)).pairs() == one.pairs()


def replace_tasks(stream: Table) -> Table:
    return Table.from_config(stream.config() | {"tasks": 0})


# --- subsets


def rows(count: int, sessions: int = 0) -> str:
    return "text,label,talk\n" + "".join(f"t{n},x,{f's{n % sessions}' if sessions else ''}\n" for n in range(count))


def test_a_subset_is_seeded_ordered_and_leaves_the_rest_to_the_pool(write):
    path = write(rows(50))
    streams = [Table(path, inputs="text", answer="label", tasks=20, draw=draw) for draw in (0, 0, 1)]
    taken = [[task.id for task, _ in stream.pairs()] for stream in streams]
    assert taken[0] == taken[1] != taken[2]
    assert len(taken[0]) == 20
    assert taken[0] == sorted(taken[0], key=int)
    rest = [task.id for task, _ in streams[0].pool()]
    assert rest == sorted(rest, key=int)
    assert sorted(taken[0] + rest, key=int) == [str(n) for n in range(1, 51)]
    assert taken[0] != [str(n) for n in range(1, 21)]
    assert Table(path, inputs="text", answer="label").pool() == ()


def test_a_subset_takes_whole_sessions(write):
    stream = Table(write(rows(40, sessions=8)), inputs="text", answer="label", session="talk", tasks=12)
    sizes = sorted(np.unique([task.session for task, _ in stream.pairs()], return_counts=True)[1])
    assert sizes == [2, 5, 5]


# --- what does not work


def test_a_wrong_encoding_names_file_line_byte_and_way_out(write):
    found = only(write("text,label\nplain,x\nGrüße,y\n".encode("latin-1")))
    assert found.startswith("data.csv line 3: byte 21 (0xfc) is not utf-8 text")
    assert "encoding='cp1252'" in found


@pytest.mark.parametrize("encoding", ["utf8x", "hex", "\0"])
def test_an_unknown_encoding(write, encoding):
    assert f"there is no text encoding {encoding!r}" in only(write("text,label\na,x\n"), encoding=encoding)


def test_utf16_that_is_not_declared(write):
    assert "'utf-16'" in only(write("text,label\na,x\n".encode("utf-16")))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data.csv", "text,labels\nq,a\n"),
        ("data.tsv", "text\tlabels\nq\ta\n"),
        ("data.jsonl", '{"text": "q", "labels": "a"}\n'),
    ],
)
def test_a_missing_column_names_the_nearest(write, name, content):
    assert only(write(content, name)) == f"{name}: there is no column 'label'; did you mean 'labels'?"


def test_every_missing_column_is_named_once(write):
    found = mistakes(write("text,label\nq,a\n"), user="who", session="talk", options="choise", time="who")
    assert [text.split("'")[1] for text in found] == ["who", "talk", "choise"]


def test_another_delimiter_is_recognised(write):
    assert "parted by ';'" in mistakes(write("text;label\nq;a\n"))[0]


@pytest.mark.parametrize("cell", ["", "  "])
def test_an_empty_answer(write, cell):
    assert only(write(f"text,label\nq,a\nr,{cell}\n")) == (
        "data.csv line 3, column 'label': the answer is empty; fill it or leave the row out"
    )


def test_an_answer_of_separators_only_is_empty(write):
    assert "line 2, column 'label': the answer is empty" in only(write("text,label\nq,| |\n"), separator="|")


def test_an_empty_input(write):
    assert only(write("text,label\n ,a\n")).startswith("data.csv line 2, column 'text': the input is empty")
    assert "inputs must name at least one column" in mistakes(write("text,label\nq,a\n"), inputs=())[0]


def test_a_single_option(write):
    path = write("text,label,choice\nq,a,a\n")
    assert "at least two options but has 'a'" in only(path, options=("a",))
    assert "line 2, column 'choice': a choice needs at least two options but has 'a'" in only(path, options="choice")
    assert "at least two options but the only answer is 'a'" in only(path, options="answers")


@pytest.mark.parametrize("options", [("a", "a"), ("a", " "), ("a", 1)])
def test_options_that_are_no_choice(write, options):
    assert "options must be texts that differ" in only(write("text,label\nq,a\n"), options=options)


def test_duplicate_ids_name_both_lines(write):
    found = only(write('n,text,label\nk,"two\nlines",a\nm,q,a\nk,r,a\n'), id="n")
    assert found == "data.csv line 5, column 'n': ids must differ but 'k' is also that of line 2"


def test_an_empty_id(write):
    assert "line 2, column 'n': the id is empty" in only(write("n,text,label\n,q,a\n"), id="n")


@pytest.mark.parametrize(
    ("name", "content"), [("d.csv", "text,label\n"), ("d.csv", ""), ("d.jsonl", ""), ("d.jsonl", "\n\n")]
)
def test_zero_rows(write, name, content):
    assert f"{name}: there are no rows" in only(write(content, name))


def test_zero_rows_of_parquet(tmp_path):
    path = tmp_path / "d.parquet"
    pq.write_table(pa.table({"text": pa.array([], pa.string()), "label": pa.array([], pa.string())}), path)
    assert "there are no rows" in only(str(path))


def test_ragged_rows(write):
    few, many = mistakes(write('text,label\nq,a\n"x\ny",b\nr\ns,a,b\n'))
    assert few.startswith("data.csv line 5: a row must have 2 cells, like the header, but has 1")
    assert many.startswith("data.csv line 6: a row must have 2 cells, like the header, but has 3")


@pytest.mark.parametrize("rest", ['"open,a\nr,b\n', '"q"x,a\nr,b\n'])
def test_broken_quotes_name_the_line_where_the_row_starts(write, rest):
    assert only(write(f"text,label\nok,a\n{rest}")).startswith("data.csv line 3: the quotes of this row are broken")


def test_a_nul_character(write):
    assert "data.csv line 3, column 'text': holds a NUL" in only(write("text,label\nq,a\nr\0,b\n"))
    assert "d.jsonl line 1, column 'label': holds a NUL" in only(write('{"text": "q", "label": "\\u0000"}', "d.jsonl"))


def test_half_a_character(write):
    found = only(write('{"text": "\\ud83d", "label": "a"}', "d.jsonl"))
    assert "line 1, column 'text': holds half a character" in found


@pytest.mark.parametrize(
    ("cell", "way"),
    [
        ('"1,000"', "write 1000"),
        ("$5", "write 5"),
        ("five", "digits"),
        ("1e9999", "digits"),
        ('"1,5"', "digits"),
        ("nan", "digits"),
        ("1_0", "digits"),
    ],
)
def test_a_number_column_holds_plain_numbers(write, cell, way):
    found = only(write(f"text,label\nq,-1.5e3\nr,{cell}\n"), number=True)
    assert found.startswith("data.csv line 3, column 'label': ")
    assert "is not a plain number" in found
    assert way in found


def test_broken_lines_of_jsonl(write):
    good = '{"text": "q", "label": "a"}'
    found = mistakes(
        write(
            f'{good}\n{{"text": "r", "label"\n\n["q", "a"]\n{good[:-1]}, "text": "q"}}\n'
            '{"text": NaN, "label": "a"}\n',
            "d.jsonl",
        )
    )
    assert [text.split(":")[0] for text in found] == [f"d.jsonl line {line}" for line in (2, 4, 5, 6)]
    assert ["broken" in found[0], "one object" in found[1], "twice" in found[2], "write null" in found[3]] == [True] * 4


def test_very_deep_json_is_a_broken_line(write):
    assert "line 1: the JSON of this line is broken" in only(write("[" * 100_000, "d.jsonl"))


def test_a_nested_object_matters_only_where_it_is_used(write):
    line = '{"text": {"body": "q"}, "label": "a", "more": {"x": [1]}}'
    found = only(write(line, "d.jsonl"))
    assert found.startswith("d.jsonl line 1, column 'text': a cell must be text or a number")
    assert '{"body": "q"}' in found
    assert len(read(write('{"text": "q", "label": "a", "more": {"x": [1]}, "": [1]}', "d.jsonl"))) == 1


def test_a_list_where_one_text_is_wanted(write):
    assert "the cell holds a list: ['q', 'r']" in only(write('{"text": ["q", "r"], "label": "a"}', "d.jsonl"))


def test_parquet_with_nulls_types_and_rows(tmp_path):
    path = tmp_path / "d.parquet"
    pq.write_table(
        pa.table(
            {
                "text": pa.array([0.1, None, 2.5], pa.float32()),
                "label": ["a", "b", None],
                "who": pa.array([7, None, 9]),
                "day": [datetime.date(2024, 1, 2)] * 3,
            }
        ),
        path,
    )
    found = mistakes(str(path), user="who")
    assert [text.split(":")[0] for text in found] == [
        "d.parquet row 2, column 'text'",
        "d.parquet row 3, column 'label'",
    ]
    pq.write_table(pq.read_table(path).slice(0, 1), path)
    ((task, key),) = read(str(path), user="who", session="day")
    assert (task.inputs["text"], task.user, task.session, key.answers) == ("0.1", "7", "2024-01-02", ("a",))


def test_a_file_that_is_no_parquet(write):
    assert "is no readable Parquet file" in only(write("text,label\n", "d.parquet"))


def test_an_answer_beside_the_options_lists_them(write):
    path = write("text,label,choice\nq,a,a|b\nr,c,a|b\n")
    expected = "data.csv line 3, column 'label': the answer 'c' is not among the options: a, b"
    assert only(path, options="choice") == only(path, options=("a", "b")) == expected


@pytest.mark.parametrize("given", ["inputs", "user", "session", "time", "id"])
def test_the_answer_is_never_shown(write, given):
    path = write("text,label\nq,1\n")
    shown = ("text", "label") if given == "inputs" else "label"
    assert any("the agent must not see the answer column 'label'" in text for text in mistakes(path, **{given: shown}))


def test_paths_that_are_no_table(write, tmp_path):
    write("text,label\nq,a\n")
    assert "did you mean 'data.csv'?" in only(str(tmp_path / "dada.csv"))
    assert "nor a folder" in only(str(tmp_path / "nowhere" / "data.csv"))
    assert "this is a folder; in it: data.csv" in only(str(tmp_path))
    (tmp_path / "folder.csv").mkdir()
    assert "this is a folder; in it: nothing" in only(str(tmp_path / "folder.csv"))
    assert "this is '.xlsx'" in only(write("", "data.xlsx"))
    assert "this is ''" in only(write("", "data"))


def test_times_of_two_sorts_or_none(write):
    path = write("text,label,when\na,x,2024-01-01\nb,x,5\nc,x,2024-01-02\nd,x,soon\ne,x,inf\n")
    mixed, none, infinite = mistakes(path, time="when")
    assert mixed == "data.csv line 3, column 'when': '5' is a number but line 2 has a date: use one"
    assert "line 5" in none
    assert "'soon'" in none
    assert "line 6" in infinite


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tasks": -1}, "tasks must be at least 0 but is -1"),
        ({"draw": -1}, "draw must be"),
        ({"delay": -2}, "delay must be"),
        ({"tasks": 3}, "tasks=3 are asked for but the file has 2"),
        ({"inputs": ("text", "text")}, "inputs must differ"),
    ],
)
def test_parameters_out_of_range(write, given, said):
    assert said in only(write("text,label\nq,a\nr,b\n"), **given)


def test_two_columns_of_one_name(write):
    assert "column 'text': two columns have this name" in only(write("text,text,label\nq,r,a\n"))
    path = write("the text,the-text,label\nq,r,a\n")
    assert "both be the field 'the_text'" in only(path, inputs=("the text", "the-text"))


def test_all_mistakes_at_once_in_order_and_no_more_than_twenty(write):
    path = write("text,label\n" + "q,\nr\n" * 20)
    found = mistakes(path)
    assert len(found) == 21
    assert found[-1] == "data.csv: and 20 more mistakes like these"
    assert [int(text.split("line ")[1].split(":")[0].split(",")[0]) for text in found[:-1]] == list(range(2, 22))


# --- frames


RECORDS = [{"text": "007", "label": "a", "n": 1}, {"text": "é", "label": "b", "n": 2}]


@pytest.mark.parametrize(
    "frame",
    [
        RECORDS,
        pd.DataFrame(RECORDS),
        pa.Table.from_pylist(RECORDS),
        tuple(RECORDS),
        pd.DataFrame(RECORDS, index=[5, 5]),
    ],
    ids=["dicts", "pandas", "arrow", "tuple", "index"],
)
def test_frames_of_every_sort_are_the_same_table(frame, cache):
    stream = table(frame, inputs="text", answer="label", id="n", options="answers")
    assert [(task.id, task.inputs["text"], key.answers[0]) for task, key in stream.pairs()] == [
        ("1", "007", "a"),
        ("2", "é", "b"),
    ]
    path = Path(stream.data)
    assert path.parent == cache / "frames"
    assert len(path.stem) == 64
    assert stream.label == "table"
    assert table(RECORDS, inputs="text", answer="label", id="n", options="answers") == stream
    assert [child.name for child in path.parent.iterdir()] == [path.name]
    assert Table.from_config(stream.config()).pairs() == stream.pairs()


def test_cells_of_a_frame_are_written_as_they_look():
    frame = pd.DataFrame(
        {
            "text": np.array([0.1, 2], "float32"),
            "label": [True, False],
            "when": pd.to_datetime(["2024-01-01", "2024-01-02"]),
            "who": pd.array([7, None], "Int64"),
            "talk": pd.Series(["s", "s"], dtype="category"),
            "choice": [np.array(["true", "false"]), ["false", "true"]],
            "odd": [{1}, b"x"],
        }
    )
    (first, key), (second, _) = table(
        frame, inputs="text", answer="label", time="when", user="who", session="talk", options="choice"
    ).pairs()
    assert (first.inputs["text"], first.user, first.session, key.answers) == ("0.1", "7", "s", ("true",))
    assert (second.inputs["text"], second.user, second.options) == ("2.0", "", ("false", "true"))
    assert second.time - first.time == 86400


def test_mistakes_in_a_frame_name_its_row():
    with pytest.raises(SpecError, match="frame row 2, column 'label': the answer is empty"):
        table([{"text": "q", "label": "a"}, {"text": "r", "label": None}], inputs="text", answer="label").pairs()
    with pytest.raises(SpecError, match=r"frame row 1, column 'text': a cell must be text .*bytes"):
        table([{"text": b"q", "label": "a"}], inputs="text", answer="label").pairs()
    with pytest.raises(SpecError, match="columns must differ"):
        table(pd.DataFrame([[1, 2]], columns=["text", "text"]), inputs="text", answer="label")


def test_a_frame_whose_copy_is_gone_says_so():
    stream = table(RECORDS, inputs="text", answer="label")
    Path(stream.data).unlink()
    with pytest.raises(SpecError, match=r"make it again with table\(frame, ...\)"):
        stream.pairs()


@pytest.mark.parametrize("source", [3, {"text": ["q"]}, [1, 2], None])
def test_what_is_no_table_is_refused(source):
    with pytest.raises(TypeError, match="a table needs a path"):
        table(source, inputs="text", answer="label")


def test_a_path_makes_a_plain_table(write):
    path = write("text,label\nq,a\n")
    made = table(Path(path), inputs="text", answer="label", delay=1)
    assert made == Table(path, inputs="text", answer="label", delay=1)


def test_without_the_variable_frames_go_to_the_cache_of_the_desktop(monkeypatch, tmp_path):
    monkeypatch.delenv("TOOLKIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    path = Path(table(RECORDS, inputs="text", answer="label").data)
    assert path.parent == tmp_path / "xdg" / "adaptive-agents-toolkit" / "frames"


def test_a_file_written_by_the_csv_module_is_read_back(tmp_path):
    path = tmp_path / "d.csv"
    cells = ['say "hi"', "a,b", "two\nlines", "two\r\nlines", " ", "\ufeff", "\u2028", "0"]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text", "label"], *([cell, "x"] for cell in cells if cell.strip())])
    assert texts(read(str(path))) == [cell for cell in cells if cell.strip()]
