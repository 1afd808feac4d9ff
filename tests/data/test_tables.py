import csv
import time

import numpy as np
import pytest

from jaxmaxent.data import LeftOut, read_table
from jaxmaxent.ensembles import BINARY, DNA


@pytest.fixture
def table(write_file):
    return lambda text, name="x.tsv": write_file(name, text)


@pytest.mark.parametrize("compressed", ["", ".gz"])
@pytest.mark.parametrize(
    ("name", "delimiter"),
    [("x.tsv", "\t"), ("x.csv", ","), *((f"x.{s}", d) for s in ("txt", "data") for d in "\t,")],
)
def test_columns_by_their_default_names(table, name, delimiter, compressed):
    text = "ID,Seq,other,Label\na,ACG,x,1\n\nb,ttt,,0.0\r\n".replace(",", delimiter)
    read = read_table(table(text, name + compressed))
    assert DNA.decode(read.tokens) == ["ACG", "TTT"]
    assert read.labels is not None and read.labels.tolist() == [1, 0]
    assert read.names == ("a", "b")


def test_named_columns_and_absent_labels_and_names(table):
    path = table("seq\tother\ttask\nAC\tGT\t0\nAA\tTT\t1\n")
    read = read_table(path)
    assert DNA.decode(read.tokens) == ["AC", "AA"]
    assert read.labels is None and read.names == ("sequence_0", "sequence_1")
    read = read_table(path, sequence_column="other", label_column="task")
    assert DNA.decode(read.tokens) == ["GT", "TT"]
    assert read.labels is not None and read.labels.tolist() == [0, 1]


def test_two_columns_without_header(table):
    read = read_table(table("AC\t1\nGT\t0\n", "x.data"))
    assert DNA.decode(read.tokens) == ["AC", "GT"]
    assert read.labels is not None and read.labels.tolist() == [1, 0]
    assert len(read_table(table("0110,1\n0111,0\n", "x.csv"), alphabet=BINARY)) == 2
    assert len(read_table(table("AC,1\n", "x.txt"))) == 1


@pytest.mark.parametrize(
    ("no", "yes"),
    [("False", "True"), ("FALSE", "TRUE"), ("false", "true"), ("0.000", "1.00"), ("0.", "1."), (" 0 ", "1 ")],
)
def test_labels_in_other_words(table, no, yes):
    read = read_table(table(f"seq,label\nAC,{yes}\nGT,{no}\n", "x.csv"))
    assert read.labels is not None and read.labels.tolist() == [1, 0]
    read = read_table(table(f"AC\t{yes}\nGT\t{no}\n"))  # also without a header
    assert read.labels is not None and read.labels.tolist() == [1, 0]


@pytest.mark.parametrize("label", ["2", "01", "1.5", "0.01", "-0", "1e0", "yes", "T", "nan", "1,0", "TrueFalse"])
def test_other_labels_are_refused(table, label):
    with pytest.raises(ValueError, match="x.tsv, line 2: the label must be 0 or 1, got"):
        read_table(table(f"seq\tlabel\nAC\t{label}\n"))


@pytest.mark.parametrize("name", ["x.csv", "x.txt", "x.data", "x.csv.gz"])
def test_semicolons(table, name):
    read = read_table(table('id;seq;label\n"a;b";AC;1\n"c, ""d""";GT;0\n', name))
    assert read.names == ("a;b", 'c, "d"') and DNA.decode(read.tokens) == ["AC", "GT"]
    assert read_table(table("\n\nid,seq,label\na;b,AC,1\n", name)).names == ("a;b",)


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_cells_of_any_length(table, quote, delimiter):
    if quote and delimiter == "\t":
        return  # a quote means nothing between tabs
    length, limit = 196_608, csv.field_size_limit()
    letters = DNA.decode(np.random.default_rng(0).integers(0, 4, length))
    rows = [
        ["id", "seq", "label"],
        ["a", f"{quote}{letters}{quote}", "1"],
        ["b", f"{quote}{letters[::-1]}{quote}", "0"],
    ]
    read = read_table(table("\n".join(map(delimiter.join, rows)), "x.txt"))
    assert DNA.decode(read.tokens) == [letters, letters[::-1]]
    assert csv.field_size_limit() == limit
    with pytest.raises(ValueError, match="not a valid row"):
        read_table(table('seq,label\n"AC"x,1\n', "x.csv"))
    assert csv.field_size_limit() == limit


def test_quoted_cells_may_go_over_lines(table):
    path = table('id,seq\n"a\nb",AC\nc,GN\n', "x.csv")
    with pytest.raises(ValueError, match="x.csv, line 4: "):
        read_table(path)
    assert read_table(path, limit=1).names == ("a\nb",)


def test_invalid_rows_can_be_left_out_and_the_others_keep_their_numbers(table):
    path = table("seq\tlabel\nAC\t1\nNC\t0\n\nRT\t0\nGT\t0\n")
    with pytest.warns(LeftOut, match=r"x.tsv: 2 of 4 sequences are left out, the first: line 3: .* has 'N'"):
        read = read_table(path, skip_invalid=True)
    assert read.names == ("sequence_0", "sequence_3") and DNA.decode(read.tokens) == ["AC", "GT"]
    assert read.labels is not None and read.labels.tolist() == [1, 0]
    with pytest.warns(LeftOut, match="2 of 4"):
        assert read_table(path, skip_invalid=True, limit=2).names == read.names
    assert read_table(path, skip_invalid=True, limit=1).names == ("sequence_0",)
    with pytest.raises(ValueError, match="x.tsv, line 2: the label"):  # only letters can be left out
        read_table(table("seq\tlabel\nNC\tx\n"), skip_invalid=True)


def test_quotes_and_a_byte_order_mark_of_spreadsheets(table):
    read = read_table(table('\ufeff"name","seq"\n"a, or ""b""","ACG"\n', "x.csv"))
    assert read.names == ('a, or "b"',) and DNA.decode(read.tokens) == ["ACG"]
    assert read_table(table('name\tseq\n5"\tACG\n')).names == ('5"',)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.tsv is empty"),
        ("\n\n", "x.tsv is empty"),
        ("seq\tlabel\n", "x.tsv has a header but no row"),
        (
            "dna\tlabel\nAC\t1\n",
            r"no column called 'seq' or 'sequence', .*its columns are \['dna', 'label'\]",
        ),
        ("seq\tsequence\nAC\tAC\n", "2 columns called 'seq' or 'sequence'"),
        ("seq\tlabel\nAC\t1\nGT\n", "x.tsv, line 3: expected 2 columns as in line 1, got 1"),
        ("seq\tlabel\nAC\t1\nGT\t0\t\n", "x.tsv, line 3: expected 2 columns as in line 1, got 3"),
        ("seq\tlabel\nAC\t1\n\nGT\t2\n", "x.tsv, line 4: the label must be 0 or 1, got '2'"),
        ("seq\tlabel\nAC\t\n", "x.tsv, line 2: the label must be 0 or 1, got ''"),
        ("AC\t1\nGT\tyes\n", "x.tsv, line 2: the label must be 0 or 1, got 'yes'"),
        ("seq\nAC\nGTA\n", "line 2 has 2 letters and line 3 has 3"),
        ("seq\nAC\nGN\n", r"x.tsv, line 3: .*'N' \(IUPAC for any letter\) at position 1"),
        ("seq\tlabel\n\t1\n\t0\n", "x.tsv, line 2: sequence is empty"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(table, text, message):
    with pytest.raises(ValueError, match=message):
        read_table(table(text))


def test_wrong_columns_and_quotes(table):
    path = table("seq\tlabel\nAC\t1\n")
    with pytest.raises(ValueError, match="no column called 'task'"):
        read_table(path, label_column="task")
    with pytest.raises(ValueError, match=r"no column called 'dna', .*\['seq', 'label'\]"):
        read_table(path, sequence_column="dna")
    with pytest.raises(ValueError, match=r"no column called 'seq', .*'AC', '1'"):
        read_table(table("AC\t1\n"), sequence_column="seq")
    with pytest.raises(ValueError, match="x.csv, line 2: not a valid row of a table with quotes: "):
        read_table(table('seq,label\n"AC,1\n', "x.csv"))


@pytest.mark.parametrize(
    ("name", "count", "bound"), [("train", 77174, 38536), ("valid", 1000, 500), ("test", 19544, 9823)]
)
def test_real_tables(data, name, count, bound):
    start = time.perf_counter()
    read = read_table(data / "ctcf" / f"{name}.tsv.gz")
    assert time.perf_counter() - start < 5
    assert read.tokens.shape == (count, 101)
    assert read.labels is not None and read.labels.sum() == bound
    assert len(set(read.names)) > 0.99 * count


def test_real_tables_without_header_follow_their_rule(data):
    paths = sorted((data / "xor").glob("*.data"))
    assert len(paths) == 30
    for path in paths:
        read = read_table(path)
        first_weak = np.isin(read.tokens[:, 0], DNA.encode("AT"))
        second_g = read.tokens[:, 1] == DNA.encode("G")[0]
        assert read.tokens.shape == (2000, 2) and read.labels is not None
        np.testing.assert_array_equal(read.labels, first_weak ^ second_g)


def test_a_real_table_with_several_tasks(data):
    path = data / "simulated" / "tal_gata.tsv.gz"
    for task, bound in (("task1", 2000), ("task2", 4000), ("task3", 4000)):
        read = read_table(path, label_column=task)
        assert read.tokens.shape == (8000, 200)
        assert read.labels is not None and read.labels.sum() == bound
        assert read.names[0] == "empty_1732"
