"""The page is read back with a parser: a reader must see every value, and no name may become HTML."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from made_up_report import WINDOW, maps_of, report_run

from jaxmaxent import plot
from jaxmaxent.report import AnchorRow, Detail, Picture, Setting, Table, write_report
from jaxmaxent.report._images import PNG_SIGNATURE

HOSTILE = "<script>alert(1)</script>"
QUOTES = """A" onmouseover="alert(1)' & <b> ${title} $facts"""
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
        if {"style", "script"} & set(self.open):
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
    given = {
        "beta": 100.0,
        "mu": -0.1234567,
        "mean_energy": np.float32(0.0901234),
        "acceptance": 0.25,
        "consensus": "ACGN" * 25,
        "mobility": 0.23,
        "information_bits": 3.75,
        "proposals_per_second": 398765.4,
        "compile_seconds": 3.21987,
        "converged": True,
        "max_rhat": 1.00321,
        "min_ess": np.float64(1234.56),
    }
    return AnchorRow(name=name, **given | change)


def written(tmp_path, anchors, **change):
    given = {"title": "CTCF", "settings": [Setting("steps", 100000)]} | change
    path = tmp_path / "report.html"
    write_report(path, anchors=anchors, **given)
    return path.read_text("utf-8")


def embedded(page):
    """Return the PNG files of a page."""
    sources = [image["src"].removeprefix("data:image/png;base64,") for image in page.all("img")]
    return [base64.b64decode(source, validate=True) for source in sources]


def test_every_anchor_has_a_row_that_leads_to_its_logo(tmp_path, picture):
    other = plot.png(plot.logo(np.eye(4)[:2]))
    anchors = [entry(logo=picture), entry("two", beta=1, mu=[0.5, np.float64(-2)], information_bits=0.0, logo=other)]
    page = Page(written(tmp_path, anchors))
    head, first, second = page.cells
    assert head == [
        "anchor", "information (bits)", "E", "R-hat", "ESS", "converged", "β", "μ", "acceptance", "mobility",
        "consensus",
    ]  # fmt: skip
    numbers = ["3.75", "0.09012", "1.003", "1,235", "yes"]
    assert first == ["chr1:1-4", *numbers, "100", "−0.1235", "0.25", "0.23", "ACGN" * 25]
    assert second == ["two", "0", *numbers[1:], "1", "0.5, −2", "0.25", "0.23", "ACGN" * 25]
    # On a narrow screen each number has its column's name beside it.
    assert [cell["data-label"] for cell in page.all("td")] == 2 * head[1:]

    links = [a["href"] for a in page.all("a") if a["href"] != "#anchors"]
    assert links == [f"#{section['id']}" for section in page.all("section")]
    assert embedded(page) == [picture, other]
    assert "speed 398,800 proposals/s" in page.lines() and "compiled in 3.22 s" in page.lines()


def test_pictures_are_never_enlarged_and_scroll_before_letters_get_too_small(tmp_path, picture):
    text = written(tmp_path, [entry(logo=picture, pictures=[Picture("h", "c", picture)])])
    logo, below = Page(text).all("img")
    assert (logo["width"], logo["height"]) == ("390", "297")
    # 390 pixels at 150 per inch are 249 CSS pixels at 96 per inch, and 55 % of these are 136.
    assert logo["style"] == below["style"] == "min-width: 136px; max-width: 249px"
    assert re.search(r"\n\.card \{[^}]* overflow-x: auto;", text)
    assert re.search(r"\n\.card img \{[^}]* height: auto; width: 100%;", text)


def test_lines_of_the_page_have_a_readable_width(tmp_path):
    text = written(tmp_path, [entry()])
    assert re.search(r"\nbody \{[^}]* max-width: 72rem;", text)
    assert re.search(r"\n\.lead \{ max-width: 48rem;", text)
    assert "\n@media (max-width: 44rem) {\n" in text  # below it, the table becomes one box per anchor
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text


def test_every_string_from_outside_is_text(tmp_path, picture):
    more = [Picture(HOSTILE, QUOTES, picture)]
    anchors = [
        entry(HOSTILE, logo=picture),
        entry(QUOTES, consensus=HOSTILE, mu=HOSTILE, beta_reason=QUOTES, logo=picture, pictures=more),
    ]
    text = written(
        tmp_path,
        anchors,
        title=QUOTES + HOSTILE,
        settings=[Setting(HOSTILE, HOSTILE), Setting(QUOTES, QUOTES)],
        notes=[HOSTILE, QUOTES],
    )
    page = Page(text)
    assert len(page.all("script")) == 1 and not page.all("b")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    seen = " ".join(page.lines())
    assert "javascript:" not in text
    # Title, heading, a name in table and section, a consensus, a μ, a setting and its value, a note, a picture.
    assert seen.count(HOSTILE) == 2 + 2 + 2 + 2 + 1 + 1
    # Title, heading, a name in table and section, the reason of a β, a setting and its value, a note, a caption.
    assert seen.count(QUOTES) == 2 + 2 + 1 + 2 + 1 + 1
    assert [image["alt"] for image in page.all("img")] == [
        f"Sequence logo of {HOSTILE}: 3.75 bits in total",
        f"Sequence logo of {QUOTES}: 3.75 bits in total",
        f"{HOSTILE}: {QUOTES}",
    ]


@pytest.mark.parametrize(
    "name",
    ["x" * 5000, "染色体1:1–4 «Ärger» 🧬", "{{ 7 * 7 }} {% raw %} {# gone #}", "&lt;b&gt; &amp;amp; &#0;", "</style>"],
)
def test_unusual_names_are_shown_as_they_are(tmp_path, picture, name):
    page = Page(written(tmp_path, [entry(name, logo=picture)], title=name))
    assert page.cells[1][0] == name
    assert [line for line in page.lines() if line == " ".join(name.split())] == 4 * [name]
    assert page.all("img")[0]["alt"] == f"Sequence logo of {name}: 3.75 bits in total"


def test_control_characters_do_not_reach_the_page(tmp_path):
    text = written(tmp_path, [entry("a\x00b\udc80c\u202ed\u00a0é")])
    assert Page(text).cells[1][0] == "a\ufffdb\ufffdc\ufffdd\u00a0é"


def test_the_file_needs_nothing_else(tmp_path, picture):
    settings = [Setting("home", "https://example.org")]
    text = written(tmp_path, [entry(logo=picture)], settings=settings, notes=["n"])
    page = Page(text)
    references = [
        value
        for tag, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "data", "poster", "background")
    ]
    assert len(references) == 3
    assert all(value.startswith(("#", "data:image/png;base64,")) for value in references)
    assert not page.all("link") and not page.all("iframe")
    (style,) = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    assert "url(" not in style and "@import" not in style and "//" not in style
    # The setting, as text, and the name that marks drawings as SVG.
    assert text.count("https://") == 1 and text.count("http://") == text.count('"http://www.w3.org/2000/svg"')
    policies = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    (script,) = re.findall("<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policies == [
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'"
    ]
    assert "prefers-color-scheme: dark" in style and "@media print" in style
    assert text.startswith("<!DOCTYPE html>\n") and text.endswith("</html>\n")


def test_where_sites_are_stands_above_a_logo_that_does_not_show_it(tmp_path, picture):
    where = plot.png(plot.logo(np.eye(4)[:3]))
    told = "sites count wherever they stand (mobility 0.23 ± 0.01); sites needed at 3–9"
    leading = entry("a", logo=picture, mobility_told=told, leading=[Picture("Where", "How to read it.", where)])
    page = Page(written(tmp_path, [leading, entry("b", logo=picture)]))
    assert embedded(page) == [where, picture, picture]
    lines = page.lines()
    order = [lines.index(line) for line in (f"{told[0].upper()}{told[1:]}.", "Where", "Logo of the draws")]
    assert order == sorted(order) and lines.count("Logo of the draws") == 1


def test_a_table_stands_below_the_leading_pictures_or_else_last(tmp_path, picture):
    table = Table("K-mers", f"How to {HOSTILE}", ("k-mer", "copies"), [("ACG", "0.5"), (HOSTILE, "2")])
    leading, last = [Picture("Where", "How to read it.", picture)], [Picture("More", "Read on.", picture)]
    anchors = [entry("a", logo=picture, table=table, leading=leading), entry("b", logo=picture, table=table)]
    anchors.append(entry("c", mobility=0.8, pictures=last, table=table._replace(rows=())))
    page = Page(written(tmp_path, anchors))
    lines = page.lines()
    assert lines.index("Where") < lines.index("K-mers") < lines.index("Logo of the draws")
    assert page.cells[4:] == 2 * [["k-mer", "copies"], ["ACG", "0.5"], [HOSTILE, "2"]]
    assert lines.index("More") < len(lines) - 1 - lines[::-1].index("K-mers")


def test_ids_are_unique_for_equal_and_missing_names(tmp_path):
    anchors = [entry("same"), entry("same"), entry(" "), AnchorRow(name="")]
    page = Page(written(tmp_path, anchors))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids) and {f"anchor-{a}" for a in range(len(anchors))} <= set(ids)
    assert [row[0] for row in page.cells[1:]] == ["same", "same", "anchor 2", "anchor 3"]


def test_unknown_values_are_dashes_and_no_warning(tmp_path):
    page = Page(written(tmp_path, [AnchorRow(name="a"), entry("b", mean_energy=np.nan, information_bits=np.nan)]))
    assert page.cells[1] == ["a"] + 10 * ["–"]
    assert page.cells[2][1:3] == ["–", "–"]
    assert not [tag for tag, attributes in page.elements if "warning" in attributes.get("class", "")]


def test_only_anchors_that_did_not_converge_are_in_a_box_with_advice(tmp_path):
    good = entry(outcome="converged after 640 steps: largest R-hat 1.004", advice="not shown")
    bad = entry(
        "bad", converged=np.bool_(False), max_rhat=np.inf, min_ess=np.nan,
        outcome=f"not converged after 20 steps: R-hat is {HOSTILE}", advice=f"Take more steps {QUOTES}",
    )  # fmt: skip
    page = Page(written(tmp_path, [good, bad]))
    warned = [tag for tag, attributes in page.elements if "warning" in attributes.get("class", "").split()]
    assert warned == ["tr", "p"]  # its row and its sentence
    assert page.cells[2][3:6] == ["∞", "–", "no"]
    lines = page.lines()
    assert "Converged after 640 steps: largest R-hat 1.004." in lines
    assert "not shown" not in " ".join(lines)
    where = lines.index("Not converged after 20 steps")
    assert page.all("strong") and lines[where + 1] == f": R-hat is {HOSTILE}. Take more steps {QUOTES}."


def test_the_reason_of_beta_is_shown_as_a_sentence(tmp_path):
    page = Page(written(tmp_path, [entry(beta_reason="chosen so that half of the changes are rejected"), entry()]))
    assert page.lines().count("Chosen so that half of the changes are rejected.") == 1


def test_further_pictures_stand_below_the_logo_with_their_captions(tmp_path, picture):
    other = plot.png(plot.swap_acceptance_along([0, 1], [0.5]))
    more = [Picture("Along β", f"how to read it {HOSTILE}", other)]
    page = Page(written(tmp_path, [entry(logo=picture, pictures=more), entry("without a logo"), entry(logo=picture)]))
    assert embedded(page) == [picture, other, picture]
    assert [image["alt"].split(":")[0] for image in page.all("img")][1] == "Along β"
    lines = page.lines()
    where = lines.index("Along β")
    assert lines[where + 1] == f"how to read it {HOSTILE}"
    assert len(page.all("h4")) == 1


def test_notes_are_in_a_box_that_is_absent_without_any(tmp_path):
    quiet = Page(written(tmp_path, [entry()]))
    assert not quiet.all("aside")
    loud = Page(written(tmp_path / "loud", [entry()], notes=["R-hat is 1.2.", "One temperature."]))
    assert len(loud.all("aside")) == 1
    lines = loud.lines()
    start = lines.index("Please note")
    assert lines[start + 1 : start + 3] == ["R-hat is 1.2.", "One temperature."]


def test_settings_keep_their_order_and_values(tmp_path):
    given = {"seed": 1234567, "speed": 401234.5, "β ladder": [0, 0.5, 1.0], "jax": "0.10.2", "ladder": True}
    lines = Page(written(tmp_path, [entry()], settings=[Setting(*pair) for pair in given.items()])).lines()
    start = lines.index("Settings") + 1
    assert lines[start : start + 10] == [
        *("seed", "1234567", "speed", "401,200", "β ladder", "0, 0.5, 1", "jax", "0.10.2", "ladder", "yes"),
    ]
    assert "None recorded." in Page(written(tmp_path / "none", [], settings=[])).lines()


def test_a_run_without_anchors_is_a_page(tmp_path):
    page = Page(written(tmp_path, []))
    assert "This run has no anchors." in page.lines() and not page.all("table")


def test_bad_input(tmp_path):
    with pytest.raises(ValueError, match=r"logo must be the bytes of a PNG file, got b'GIF89a'"):
        entry(logo=b"GIF89a")
    with pytest.raises(ValueError, match=r"png must be the bytes of a PNG file, got b'\\x89PNG\\r\\n\\x1a\\n'"):
        Picture("h", "c", PNG_SIGNATURE)
    path, given = tmp_path / "r.html", {"title": "t", "anchors": []}
    with pytest.raises(ValueError, match="notes must be a list of sentences, got the string 'careful'"):
        write_report(path, notes="careful", **given)
    assert not path.exists()
    write_report(path, **given)
    with pytest.raises(ValueError, match="exists already"):
        write_report(path, **given)
    write_report(path, force=True, **given | {"title": "second"})
    assert "second" in path.read_text("utf-8")


def test_the_details_of_a_run_are_in_the_page_once(tmp_path):
    run = report_run(3)
    write_report(tmp_path / "r.html", title="t", detail=Detail(run=run))
    page = Page((tmp_path / "r.html").read_text("utf-8"))
    assert [row[1] for row in page.cells[1:]] == list(run.names)
    parts = [script["id"] for script in page.all("script") if script.get("type") == "text/plain"]
    assert parts == [f"detail-{a}" for a in range(3)]
    assert [row[0].split(" ")[-1] for row in page.cells[1:]] == 3 * [f"{WINDOW[0] - 1}–{WINDOW[1] + 1}"]


def test_regions_are_told_and_known_to_the_script(tmp_path):
    rows = [entry(region=("chr1", 1000, 1101, "-")), entry("b")]
    page = Page(written(tmp_path, rows))
    assert page.cells[1][1] == "chr1:1,000–1,101 (−)" and page.cells[2][1] == ""
    first, second = page.all("section")
    assert [first[f"data-{key}"] for key in ("chromosome", "start", "end", "strand")] == ["chr1", "1000", "1101", "-"]
    assert "data-start" not in second


def test_names_that_are_regions_are_told_once(tmp_path):
    place = ("chr1", 1000, 1101, "-")
    both = [entry("chr1:1000-1101(-)", region=place), entry("b")]
    page = Page(written(tmp_path, both))
    assert "region" not in page.cells[0]
    assert page.all("section")[0]["data-start"] == "1000"  # the script still knows it
    page = Page(written(tmp_path / "other", [*both, entry("c", region=place)]))
    assert page.cells[0][1] == "region" and [cells[1] for cells in page.cells[1:]] == ["", "", "chr1:1,000–1,101 (−)"]


def test_bad_details(tmp_path):
    run, path = report_run(3), tmp_path / "r.html"
    with pytest.raises(ValueError, match="couplings must have one entry for each of the 3 anchors, got 1"):
        Detail(run=run, couplings=[None])
    with pytest.raises(ValueError, match="necessity must be that of the 3 anchors of the run, with positions"):
        Detail(run=run, necessity=maps_of(report_run(2))[0])
    with pytest.raises(ValueError, match="beta must be that of a rung of the anchor"):
        Detail(run=run, rungs_at=(7.0,))
    with pytest.raises(ValueError, match="anchors must be given if detail is not, got None"):
        write_report(path, title="t")
    with pytest.raises(ValueError, match="anchors must have the names of the run of detail"):
        write_report(path, title="t", anchors=[entry("other")], detail=Detail(run=run))
    with pytest.raises(ValueError, match="megabytes must be a finite number above 0, got 0"):
        write_report(path, title="t", detail=Detail(run=run), megabytes=0)
    assert not path.exists()
