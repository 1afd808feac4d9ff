"""The page is read back with a parser: what a reader sees, and what a hostile name must not become."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from jaxmaxent import plot
from jaxmaxent.report import Picture, write_report
from jaxmaxent.report._page import _format

HOSTILE = "<script>alert(1)</script>"
QUOTES = """a" onmouseover="alert(1)' & <b> ${title} $facts"""
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Elements with their attributes, visible text, and a check that every tag is closed in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.text, self.open = [], [], []
        self.cells, self.row = [], None
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.text.append(data)
        if {"td", "th"} & set(self.open):
            self.cells[-1][-1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def lines(self):
        return [" ".join(piece.split()) for piece in self.text if piece.strip()]


@pytest.fixture(scope="module")
def picture():
    return plot.png(plot.logo(np.eye(4)))


def entry(name="chr1:1-4", **change):
    return {
        "name": name,
        "beta": 100.0,
        "mu": -0.1234567,
        "mean_energy": np.float32(0.0901234),
        "acceptance": 0.25,
        "consensus": "ACGN" * 25,
        "information_bits": [0.5, 1.25, 2.0],
        "proposals_per_second": 398765.4,
        "compile_seconds": 3.21987,
        "converged": True,
        "max_rhat": 1.00321,
        "min_ess": np.float64(1234.56),
    } | change


def written(tmp_path, picture, summary, **change):
    given = {"title": "CTCF", "facts": {"steps": 100000}, "notes": []} | change
    path = tmp_path / "report.html"
    write_report(path, summary=summary, logos=[picture] * len(summary), **given)
    return path.read_text("utf-8")


def test_a_row_an_anchor_that_leads_to_its_logo(tmp_path, picture):
    other = plot.png(plot.logo(np.eye(4)[:2]))
    path = tmp_path / "report.html"
    summary = [entry(), entry("two", beta=1, mu=[0.5, np.float64(-2)], information_bits=np.zeros(3))]
    write_report(path, title="CTCF", summary=summary, logos=[picture, other], facts={}, notes=[])
    page = Page(path.read_text("utf-8"))
    head, first, second = page.cells
    assert head == [
        "anchor", "β", "μ", "mean energy", "acceptance", "information (bits)", "R-hat", "ESS", "converged", "consensus",
    ]  # fmt: skip
    assert first == ["chr1:1-4", "100", "−0.1235", "0.09012", "0.25", "3.75", "1.003", "1,235", "yes", "ACGN" * 25]
    assert second == ["two", "1", "0.5, −2", "0.09012", "0.25", "0", "1.003", "1,235", "yes", "ACGN" * 25]

    links = [a["href"] for a in page.all("a") if a["href"] != "#anchors"]
    assert links == [f"#{section['id']}" for section in page.all("section")]
    sources = [image["src"].removeprefix("data:image/png;base64,") for image in page.all("img")]
    assert [base64.b64decode(source, validate=True) for source in sources] == [picture, other]
    assert (page.all("img")[0]["width"], page.all("img")[0]["height"]) == ("390", "297")
    assert "speed 398,800 proposals/s" in page.lines() and "compiled in 3.22 s" in page.lines()


def test_every_string_from_outside_is_text(tmp_path, picture):
    summary = [entry(HOSTILE), entry(QUOTES, consensus=HOSTILE, mu=HOSTILE)]
    text = written(
        tmp_path,
        picture,
        summary,
        title=QUOTES + HOSTILE,
        facts={HOSTILE: HOSTILE, QUOTES: QUOTES},
        notes=[HOSTILE, QUOTES],
    )
    page = Page(text)
    assert not page.all("script") and not page.all("b")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    seen = " ".join(page.lines())
    assert "javascript" not in text
    # Title, head, two names (table, logo), a consensus, a μ, a fact and its value, a note.
    assert seen.count(HOSTILE) == 2 + 2 + 2 + 2 + 1
    assert seen.count(QUOTES) == 2 + 2 + 2 + 1
    assert page.all("img")[1]["alt"].startswith(f"Sequence logo of {QUOTES}: ")


def test_control_characters_do_not_reach_the_page(tmp_path, picture):
    text = written(tmp_path, picture, [entry("a\x00b\udc80c\u202ed\u00a0é")])
    assert Page(text).cells[1][0] == "a\ufffdb\ufffdc\ufffdd\u00a0é"


def test_the_file_needs_nothing_else(tmp_path, picture):
    text = written(tmp_path, picture, [entry()], facts={"home": "https://example.org"}, notes=["n"])
    page = Page(text)
    references = [
        value
        for tag, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "data", "poster", "background")
    ]
    assert len(references) == 3
    assert all(value.startswith(("#", "data:image/png;base64,")) for value in references)
    assert not page.all("link") and not page.all("script") and not page.all("iframe")
    (style,) = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    assert "url(" not in style and "@import" not in style and "//" not in style
    assert "http://" not in text and text.count("https://") == 1  # the fact, as text
    policies = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert "prefers-color-scheme: dark" in style and "@media print" in style


def test_ids_are_unique_for_equal_and_missing_names(tmp_path, picture):
    summary = [entry("same"), entry("same"), entry(" "), {"name": None}, {}]
    page = Page(written(tmp_path, picture, summary))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids) == 1 + len(summary)
    assert [row[0] for row in page.cells[1:]] == ["same", "same", "anchor 2", "anchor 3", "anchor 4"]


def test_absent_and_unknown_values_are_dashes_and_further_keys_ignored(tmp_path, picture):
    summary = [
        {"name": "a", "colour": object()},
        entry("b", mean_energy=np.nan, information_bits=[1, np.nan]),
    ]
    page = Page(written(tmp_path, picture, summary))
    assert page.cells[1] == ["a"] + 9 * ["–"]
    assert page.cells[2][3] == page.cells[2][5] == "–"
    assert not [tag for tag, attributes in page.elements if "warning" in attributes.get("class", "")]


def test_what_converged_is_said_quietly_and_what_did_not_with_what_to_do(tmp_path, picture):
    good = entry(outcome="converged after 640 steps: largest R-hat 1.004")
    bad = entry(
        "bad", converged=np.bool_(False), max_rhat=np.inf, min_ess=np.nan,
        outcome=f"not converged after 20 steps: R-hat is {HOSTILE}", advice=f"Take more steps {QUOTES}",
    )  # fmt: skip
    page = Page(written(tmp_path, picture, [good, bad]))
    warned = [tag for tag, attributes in page.elements if "warning" in attributes.get("class", "").split()]
    assert warned == ["tr", "p"]  # its row and its sentence
    assert page.cells[2][6:9] == ["∞", "–", "no"]
    lines = page.lines()
    assert "Converged after 640 steps: largest R-hat 1.004." in lines
    where = lines.index("Not converged after 20 steps")
    assert page.all("strong") and lines[where + 1] == f": R-hat is {HOSTILE}. Take more steps {QUOTES}."


def test_further_pictures_stand_below_the_logo_with_their_captions(tmp_path, picture):
    other = plot.png(plot.swap_acceptance_along([0, 1], [0.5]))
    more = [[Picture("Along β", f"how to read it {HOSTILE}", other)], []]
    page = Page(written(tmp_path, picture, [entry(), entry(HOSTILE)], pictures=more))
    sources = [image["src"].removeprefix("data:image/png;base64,") for image in page.all("img")]
    assert [base64.b64decode(source, validate=True) for source in sources] == [picture, other, picture]
    assert [image["alt"].split(":")[0] for image in page.all("img")][1] == "Along β"
    lines = page.lines()
    where = lines.index("Along β")
    assert lines[where + 1] == f"how to read it {HOSTILE}"
    assert len(page.all("h4")) == 1


def test_notes_are_in_a_box_that_is_absent_without_any(tmp_path, picture):
    quiet = Page(written(tmp_path, picture, [entry()]))
    assert not quiet.all("aside")
    loud = Page(written(tmp_path / "loud", picture, [entry()], notes=["R-hat is 1.2.", "One temperature."]))
    assert len(loud.all("aside")) == 1
    lines = loud.lines()
    start = lines.index("Please note")
    assert lines[start + 1 : start + 3] == ["R-hat is 1.2.", "One temperature."]


def test_facts_keep_their_order_and_values(tmp_path, picture):
    facts = {"seed": 1234567, "speed": 401234.5, "β ladder": [0, 0.5, 1.0], "jax": "0.10.2", "ladder": True}
    lines = Page(written(tmp_path, picture, [entry()], facts=facts)).lines()
    start = lines.index("Settings") + 1
    assert lines[start : start + 10] == [
        *("seed", "1234567", "speed", "401,200", "β ladder", "0, 0.5, 1", "jax", "0.10.2", "ladder", "yes"),
    ]


def test_a_run_without_anchors_is_a_page(tmp_path):
    page = Page(written(tmp_path, b"", []))
    assert "This run has no anchors." in page.lines() and not page.all("table")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1234567"),
        (np.int32(-3), "−3"),
        (1 / 3, "0.3333"),
        (100.0, "100"),
        (-0.0, "0"),
        (9999.96, "10,000"),
        (9999.4, "9999"),
        (123456.0, "123,500"),
        (0.0000123456, "1.235e−05"),
        (1.23456e20, "1.235e+20"),
        (float("nan"), "–"),
        (None, "–"),
        (np.float32("inf"), "∞"),
        (-np.inf, "−∞"),
        (np.bool_(True), "yes"),
        (False, "no"),
        ([], "–"),
        ((1, np.nan, 2.5), "1, –, 2.5"),
        ("1.000000", "1.000000"),
    ],
)
def test_numbers_have_four_significant_digits(value, text):
    assert _format(value) == text


def test_bad_input(tmp_path, picture):
    path = tmp_path / "r.html"
    given = {"title": "t", "facts": {}, "notes": []}
    with pytest.raises(ValueError, match="logos must hold one picture an anchor, got 1 for the 2 of summary"):
        write_report(path, summary=[entry(), entry()], logos=[picture], **given)
    with pytest.raises(ValueError, match="logos must hold the bytes of PNG files, but entry 1 is none"):
        write_report(path, summary=[entry(), entry()], logos=[picture, b"GIF89a"], **given)
    with pytest.raises(ValueError, match="pictures must have an entry an anchor, got 1 for the 2 of summary"):
        write_report(path, summary=[entry(), entry()], logos=[picture, picture], pictures=[[]], **given)
    with pytest.raises(ValueError, match="pictures must hold the bytes of PNG files, but 'h' of entry 0 is none"):
        write_report(path, summary=[entry()], logos=[picture], pictures=[[Picture("h", "c", b"GIF89a")]], **given)
    with pytest.raises(ValueError, match="notes must be a list of sentences, got the string 'careful'"):
        write_report(path, summary=[], logos=[], **given | {"notes": "careful"})
    assert not path.exists()
    write_report(path, summary=[], logos=[], **given)
    with pytest.raises(ValueError, match="exists already"):
        write_report(path, summary=[], logos=[], **given)
    write_report(path, summary=[], logos=[], force=True, **given | {"title": "second"})
    assert "second" in path.read_text("utf-8")
