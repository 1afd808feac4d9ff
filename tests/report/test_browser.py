"""The page in a browser: what a reader sees, does and takes home."""

import contextlib
import csv
import io
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from made_up_report import HOSTILE, LENGTH, RUNGS, WINDOW, couplings_of, maps_of, report_run

from jaxmaxent.analysis import FoundSite, information_bits
from jaxmaxent.report import Detail, write_report
from jaxmaxent.report._rows import rows_of

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed; pip install 'jaxmaxent[browser]' installs it"
)
NAMES = next((name for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name)), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NAMES is None, reason="Chromium is not installed; apt-get install chromium installs it"),
]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=shutil.which(NAMES), args=["--no-sandbox"])
        yield opened
        opened.close()


@contextlib.contextmanager
def reading(browser, path, *, errors=(), **context):
    """Open a page offline; no script may fail, and nothing may be fetched."""
    given = {"viewport": {"width": 1200, "height": 900}, "offline": True, "accept_downloads": True} | context
    opened = browser.new_context(**given)
    page, said, asked = opened.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    if given.get("java_script_enabled", True) and page.locator("section.anchor").count():
        page.wait_for_selector(
            "section.anchor:not([hidden]) .logo svg, section.anchor:not([hidden]):not(:has(.explorer))"
        )
    yield page
    assert said == list(errors)
    assert {url.split(":")[0] for url in asked} <= {"file", "data", "blob"} and asked[0].startswith("file")
    opened.close()


def written(folder, run, *, name="report.html", title="Report", **detail):
    path = folder / name
    write_report(path, title=title, detail=Detail(run=run, **detail))
    return path


@pytest.fixture(scope="module")
def run():
    return report_run(40, failing=(3, 7, 20), names=[f"peak {a}" if a != 1 else HOSTILE for a in range(40)])


@pytest.fixture(scope="module")
def many(run, tmp_path_factory):
    return written(tmp_path_factory.mktemp("many"), run)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A page of three anchors with everything that it can show, and its run."""
    run = report_run(3)
    necessity, sufficiency = maps_of(run)
    path = written(
        tmp_path_factory.mktemp("few"), run, necessity=necessity, sufficiency=sufficiency, rungs_at=(40.0,),
        sites=[FoundSite(0, 20, 29, False, 1, 0.1, 1, 0.1), FoundSite(0, 40, 50, True, 1, 0.1, 1, 0.1)],
        couplings=[couplings_of([(21, 27), (22, 24)]), None, None],
    )  # fmt: skip
    return path, run


def downloaded(page, act):
    with page.expect_download() as waited:
        act()
    return waited.value.suggested_filename, Path(waited.value.path()).read_bytes()


def table_of(data):
    return list(csv.DictReader(io.StringIO(data.decode()), delimiter="\t"))


def set_rung(section, k):
    section.get_by_role("slider").evaluate(
        "(slider, k) => { slider.value = k; slider.dispatchEvent(new Event('input')); }", k
    )


def names_of(page):
    return page.locator("#overview tbody tr:not([hidden]) th").all_text_contents()


@pytest.mark.parametrize("rung", [0, 2, RUNGS - 1])
def test_the_slider_shows_the_numbers_of_the_rung(browser, few, rung):
    path, run = few
    with reading(browser, path) as page:
        section = page.locator("#anchor-1")
        set_rung(section, rung)
        assert f"β = {run.beta[1, rung]:g}" in section.locator(".told").text_content()
        name, data = downloaded(page, section.get_by_role("button", name="download TSV").click)
    assert name == f"anchor_1_beta-{run.beta[1, rung]:g}.tsv"
    rows = table_of(data)
    assert [row["letter"] for row in rows] == list("ACGT") * LENGTH

    def column(label):
        values = [float(row[label]) if row[label] else np.nan for row in rows]
        return np.array(values).reshape(LENGTH, 4)

    # Half a step of the packed numbers; the last letter of a position has the rounding of all others.
    np.testing.assert_allclose(column("frequency"), run.frequencies[1, rung], atol=0.00151)
    np.testing.assert_allclose(column("frequency")[:, :3], run.frequencies[1, rung, :, :3], atol=0.000501)
    np.testing.assert_allclose(column("frequency_error"), run.frequency_errors[1, rung], rtol=0.055)
    np.testing.assert_allclose(column("rhat") - 0.98, run.frequency_rhat[1, rung] - 0.98, rtol=0.04, atol=0.006)
    np.testing.assert_allclose(column("ess"), run.frequency_ess[1, rung], rtol=0.12)
    assert np.isnan(column("frequency_error")[0]).all() and column("ess")[0, 0] == 0


def test_letters_are_as_high_as_their_information(browser, few):
    path, run = few
    with reading(browser, path) as page:
        section = page.locator("#anchor-0")
        for rung in (1, RUNGS - 1):
            set_rung(section, rung)
            tops = section.locator(".logo svg").evaluate(
                """svg => [...svg.querySelectorAll('path[fill-opacity], path:not([stroke])')]
                    .filter(path => !path.getAttribute('d').includes('Q'))
                    .flatMap(path => path.getAttribute('d').match(/-?[\\d.]+ -?[\\d.]+/g))
                    .map(point => point.split(' ').map(Number))"""
            )
            bits = information_bits(run.frequencies[0, rung])
            width = page.locator("#anchor-0 .logo svg").evaluate("svg => Number(svg.getAttribute('width'))")
            step, high = (width - 58) / LENGTH, np.zeros(LENGTH)
            for x, y in tops:
                if y <= 158:
                    p = min(int((x - 46) / step), LENGTH - 1)
                    high[p] = max(high[p], (158 - y) / 150 * 2)
            inside = slice(*WINDOW)
            np.testing.assert_allclose(high[inside], bits[inside], atol=0.02)


def test_positions_are_told_by_mouse_and_keyboard(browser, few):
    path, run = few
    with reading(browser, path) as page:
        logo = page.locator("#anchor-0 .logo")
        box = logo.bounding_box()
        step = (box["width"] - 58) / LENGTH
        logo.hover(position={"x": 46 + 24.5 * step, "y": 90})
        tip = page.locator("#anchor-0 .tip")
        best = run.frequencies[0, -1, 24].argmax()
        told = tip.text_content()
        assert told.startswith(f"position 24 · anchor {run.letters[run.anchors[0, 24]]} · ")
        f, error = (values[0, -1, 24, best] for values in (run.frequencies, run.frequency_errors))
        first = tip.locator("tr").nth(1).locator("td").all_text_contents()
        assert first[0] == run.letters[best]
        assert float(first[1].split(" ± ")[0]) == pytest.approx(f, abs=0.00151)
        assert float(first[1].split(" ± ")[1]) == pytest.approx(error, rel=0.06, abs=0.0006)
        assert "necessity" in told and "sufficiency" in told
        logo.focus()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        assert page.locator("#anchor-0 [aria-live]").text_content().startswith("position 1 ·")
        page.keyboard.press("End")
        assert page.locator("#anchor-0 [aria-live]").text_content().startswith(f"position {LENGTH - 1} ·")
        page.keyboard.press("+")
        assert f"positions {LENGTH // 2} to {LENGTH - 1}" in logo.get_attribute("aria-label")
        page.keyboard.press("Escape")
        assert f"positions 0 to {LENGTH - 1}" in logo.get_attribute("aria-label")


def test_a_brush_zooms_and_a_double_click_shows_the_whole_sequence(browser, few):
    with reading(browser, few[0]) as page:
        logo = page.locator("#anchor-0 .logo")
        box = logo.bounding_box()
        at = [box["x"] + 46 + p * (box["width"] - 58) / LENGTH for p in (20.5, 29.5)]
        page.mouse.move(at[0], box["y"] + 80)
        page.mouse.down()
        page.mouse.move(at[1], box["y"] + 80, steps=3)
        assert page.locator("#anchor-0 .brush").is_visible()
        page.mouse.up()
        assert "positions 20 to 29" in logo.get_attribute("aria-label")
        logo.dblclick(position={"x": 200, "y": 80})
        assert f"positions 0 to {LENGTH - 1}" in logo.get_attribute("aria-label")
        page.locator("#anchor-0").get_by_role("button", name="informative letters").click()
        assert "positions 16 to 32" in logo.get_attribute("aria-label")


def test_sites_maps_and_couplings_stand_below_their_logo(browser, few):
    with reading(browser, few[0]) as page:
        assert [page.locator(f"#anchor-{a} .logo .site").count() for a in range(3)] == [2, 0, 0]
        assert [page.locator(f"#anchor-{a} .logo .arc").count() for a in range(3)] == [2, 0, 0]
        arc = page.locator("#anchor-0 .arc title").first.text_content()
        assert arc == "21 and 27: 0.300 ± 0.020 bits; most favored together: AT"
        text = page.locator("#anchor-0 .logo svg").text_content()
        assert "necessity of windows of 6" in text and "sufficiency of windows of 12" in text
        page.locator("#anchor-0").get_by_role("button", name="β = 40").click()
        assert page.locator("#anchor-0").get_by_role("slider").input_value() == "2"


def test_the_reference_is_the_other_end_of_the_second_leg(browser, few):
    path, run = few
    with reading(browser, path) as page:
        section = page.locator("#anchor-1")
        assert section.locator(".legs").text_content().startswith("Both legs agree: log Z is 10.25 from the background")
        at_target = section.locator(".logo svg").evaluate("svg => svg.outerHTML")
        section.get_by_role("button", name="reference").click()
        assert section.locator("[aria-pressed=true]").text_content() == "reference"
        assert section.locator(".told").text_content().startswith("Reference, the other end")
        assert section.locator(".logo svg").evaluate("svg => svg.outerHTML") != at_target
        name, data = downloaded(page, section.get_by_role("button", name="download TSV").click)
        rows = table_of(data)
        found = np.array([float(row["frequency"]) for row in rows]).reshape(LENGTH, 4)
        assert name == "anchor_1_reference.tsv" and {row["ess"] + row["frequency_error"] for row in rows} == {""}
        np.testing.assert_allclose(found, run.reference[1], atol=0.00151)
        section.locator(".logo").hover(position={"x": 400, "y": 90})
        assert "±" not in section.locator(".tip table").text_content()
        section.get_by_role("slider").focus()
        page.keyboard.press("ArrowLeft")
        assert f"rung {RUNGS - 1} of {RUNGS}" in section.locator(".told").text_content()
        assert section.locator("[aria-pressed=true]").count() == 0
        section.get_by_role("button", name="target").click()
        assert section.locator(".logo svg").evaluate("svg => svg.outerHTML") == at_target
        # The end of the curve of swaps is the reference; the other curves do not reach it.
        curve = section.locator(".curve svg").last
        curve.click(position={"x": curve.bounding_box()["width"] - 11, "y": 60})
        assert section.locator(".told").text_content().startswith("Reference, the other end")
        told = page.locator("#anchor-2 .legs").text_content()
        assert told.startswith("The legs do not agree: ") and "up to" in told


def test_a_run_without_a_second_leg_has_no_reference(browser, many):
    with reading(browser, many) as page:
        page.get_by_role("link", name="peak 3", exact=True).click()
        page.wait_for_selector("#anchor-3 .logo svg")
        assert page.locator("#anchor-3 .legs").count() == 0
        assert page.locator("#anchor-3").get_by_role("button", name="reference").count() == 0


def test_curves_lead_to_their_rung(browser, few):
    with reading(browser, few[0]) as page:
        curve = page.locator("#anchor-0 .curve svg").first
        box = curve.bounding_box()
        curve.click(position={"x": 45, "y": box["height"] / 2})
        assert page.locator("#anchor-0").get_by_role("slider").input_value() == "0"
        headings = page.locator("#anchor-0 .curve strong").all_text_contents()
        assert headings == ["Mean energy E", "Information", "Acceptance of swaps"]


def test_pictures_are_downloaded_as_files_of_their_own(browser, few):
    with reading(browser, few[0], color_scheme="dark") as page:
        section = page.locator("#anchor-0")
        name, svg = downloaded(page, section.get_by_role("button", name="download SVG").click)
        assert name.endswith(".svg")
        root = ElementTree.fromstring(svg)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "#009E73" in svg.decode() and "#2CC79B" not in svg.decode()  # colours for paper
        name, png = downloaded(page, section.get_by_role("button", name="download PNG").click)
        assert name.endswith(".png") and png.startswith(b"\x89PNG\r\n\x1a\n")
        assert int.from_bytes(png[16:20], "big") == 3 * int(root.attrib["width"])


def test_the_table_is_sorted_searched_and_filtered(browser, many, run):
    with reading(browser, many) as page:
        assert names_of(page) == list(run.names)
        page.get_by_role("button", name="information (bits)").click()
        order = np.argsort(run.total_information[:, -1], kind="stable")
        assert names_of(page) == [run.names[a] for a in order]
        page.get_by_role("button", name="information (bits)").click()
        assert page.locator("th[aria-sort=descending]").text_content() == "information (bits)"
        assert names_of(page)[0] == run.names[np.nanargmax(run.total_information[:, -1])]
        assert names_of(page)[-1] == run.names[1]  # its information is not known
        page.get_by_label("not converged").check()
        assert set(names_of(page)) == {"peak 3", "peak 7", "peak 20"}
        assert page.get_by_role("status").text_content() == "3 of 40 anchors"
        page.get_by_role("searchbox").fill("PEAK 2")
        assert names_of(page) == ["peak 20"]
        name, data = downloaded(page, page.get_by_role("button", name="download the table as TSV").click)
        (row,) = table_of(data)
        assert (name, row["anchor"]) == ("Report.tsv", "peak 20")
        assert float(row["information (bits)"]) == pytest.approx(run.total_information[20, -1])


def test_one_of_many_anchors_is_shown_at_a_time(browser, many, run):
    with reading(browser, many) as page:

        def seen():
            return page.locator("section.anchor:visible h3").all_text_contents()

        assert seen() == [run.names[0]]
        page.get_by_role("link", name="peak 5", exact=True).click()
        page.wait_for_selector("#anchor-5 .logo svg")
        assert seen() == ["peak 5"]
        page.get_by_role("button", name="next").click()
        page.wait_for_selector("#anchor-6 .logo svg")
        assert seen() == ["peak 6"] and page.url.endswith("#anchor-6")
        # Only the anchors that were looked at are drawn.
        assert page.locator(".logo svg").count() == 3
        assert page.locator("#overview svg.small").count() < 40


def test_a_small_logo_shows_the_informative_letters(browser, many, run):
    with reading(browser, many) as page:
        small = page.locator("#overview tbody tr").first.locator("svg.small")
        words = small.get_attribute("aria-label")
        start, stop = (int(end) for end in words.split(" ")[-1].split("–"))
        assert (start, stop) == (WINDOW[0] - 1, WINDOW[1] + 1)
        best = run.frequencies[0, -1, start:stop]
        assert words.split(" ")[0] == "".join("ACGT"[f.argmax()] if f.max() > 0.5 else "·" for f in best)


def test_the_page_is_used_without_a_mouse(browser, many):
    with reading(browser, many) as page:
        page.get_by_role("searchbox").focus()
        page.keyboard.type("peak 9")
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent") == "peak 9":
                break
        page.keyboard.press("Enter")
        page.wait_for_selector("#anchor-9 .logo svg")
        page.locator("#anchor-9").get_by_role("slider").focus()
        page.keyboard.press("ArrowLeft")
        assert f"rung {RUNGS - 1} of {RUNGS}" in page.locator("#anchor-9 .told").text_content()


def test_a_hostile_name_is_text(browser, many):
    with reading(browser, many) as page:
        assert page.title() == "Report"
        page.get_by_role("link", name="owned").click()
        page.wait_for_selector("#anchor-1 .logo svg")
        assert page.locator("#anchor-1 h3").text_content() == HOSTILE
        page.locator("#anchor-1 .logo").hover()
        assert page.title() == "Report" and page.locator("img").count() == 0


def test_other_scripts_are_refused(browser, many):
    refused, page = [], browser.new_page()
    page.on("console", lambda message: refused.append(message.text))
    page.goto(many.as_uri())
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = \"document.title = 'owned'\";"
        " document.body.append(s); }"
    )
    assert page.title() == "Report"
    page.close()
    assert any("Content Security Policy" in text for text in refused)


def test_without_script_the_page_says_the_essentials(browser, many, run):
    with reading(browser, many, java_script_enabled=False) as page:
        assert names_of(page) == list(run.names)
        assert page.locator("section.anchor:visible").count() == 40
        assert "Not converged after 640 steps" in page.locator("#anchor-3").text_content()
        assert not page.locator("#tools").is_visible()


def test_dark_paper_has_lighter_letters_and_print_has_not(browser, few):
    def fills():
        return page.locator("#anchor-0 .logo path").evaluate_all("paths => paths.map(p => p.getAttribute('fill'))")

    with reading(browser, few[0], color_scheme="dark") as page:
        assert "#2CC79B" in fills()
        page.emulate_media(media="print")
        assert "#009E73" in fills() and "#2CC79B" not in fills()


def test_a_phone_shows_the_informative_letters_and_never_scrolls_sideways(browser, tmp_path):
    run = report_run(5, length=200)
    with reading(browser, written(tmp_path, run), viewport={"width": 390, "height": 800}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        label = page.locator("#anchor-0 .logo").get_attribute("aria-label")
        start, stop = (int(word) for word in label.split("positions ")[1].split(" at")[0].split(" to "))
        assert start <= WINDOW[0] and WINDOW[1] - 1 <= stop and stop - start < 60
        assert page.get_by_label("sort by").is_visible()


@pytest.mark.parametrize(("letters", "count"), [("ACDEFGHIKLMNPQRSTVWY", 1), ("AB", 2), ("ACGU", 1)])
def test_other_alphabets_and_a_single_beta(browser, tmp_path, letters, count):
    run = report_run(count, letters=letters, rungs=1 if count == 1 else RUNGS)
    with reading(browser, written(tmp_path, run)) as page:
        assert page.locator(".logo svg").count() == count
        _, data = downloaded(page, page.get_by_role("button", name="download TSV").first.click)
        found = np.array([float(row["frequency"]) for row in table_of(data)]).reshape(LENGTH, -1)
        np.testing.assert_allclose(found, run.frequencies[0, -1], atol=0.0005 * len(letters))


def test_a_page_of_five_hundred_anchors_is_small_and_opens(browser, tmp_path):
    run = report_run(500, length=101, rungs=14)
    path = written(tmp_path, run)
    assert path.stat().st_size <= 12e6
    with reading(browser, path) as page:
        assert page.locator("#overview tbody tr").count() == 500
        page.get_by_role("link", name="anchor 499", exact=True).click()
        page.wait_for_selector("section.anchor:visible h3")
        assert page.locator("section.anchor:visible").count() == 1


def test_what_does_not_fit_is_told(browser, tmp_path):
    run = report_run(6)
    size = written(tmp_path, run, name="whole.html").stat().st_size
    path, megabytes = tmp_path / "report.html", (size - 8000) / 1e6
    write_report(path, title="Report", anchors=rows_of(run), detail=Detail(run=run), megabytes=megabytes)
    with reading(browser, path) as page:
        page.get_by_role("link", name="anchor 5").click()
        assert "is not in this page" in page.locator("#anchor-5").text_content()
        told = page.locator("p", has_text="Logos at every β are in this page for the first").text_content()
        count = page.locator("script[type='text/plain']").count()
        assert f"the first {count} of 6 anchors" in told and 0 < count < 6
    assert path.stat().st_size <= megabytes * 1e6
