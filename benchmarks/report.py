"""How large and how fast is the report? Pages of 1 to 500 anchors, in Chromium.

    python benchmarks/report.py run/run.npz [--anchors 1 3 40 500] [--moves 60]

The anchors of a saved run are repeated. For every number of anchors it prints the size of the page, the seconds that
writing it takes, the seconds from opening it to the first logo, and the median and largest milliseconds in which the
slider redraws a logo, until the browser has laid it out. Playwright and Chromium are needed: the extra `browser`, and
`apt-get install chromium`.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

import jaxmaxent as jme
from jaxmaxent.analysis import thermodynamics
from jaxmaxent.report import Detail, write_report

# Moves the slider over all rungs and back; forces the layout, so that all work but the painting is measured.
MOVES = """moves => {
  const slider = document.querySelector("section.anchor:not([hidden]) input[type=range]"), times = [];
  const last = Number(slider.max);
  for (let i = 0; i < moves; i++) {
    slider.value = Math.abs((i % (2 * last)) - last);
    const begin = performance.now();
    slider.dispatchEvent(new Event("input"));
    document.querySelector("section.anchor:not([hidden]) .logo svg").getBoundingClientRect();
    times.push(performance.now() - begin);
  }
  return times;
}"""


def main() -> None:
    """Print a line for every number of anchors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a saved run")
    parser.add_argument("--anchors", type=int, nargs="+", default=[1, 3, 40, 500])
    parser.add_argument("--moves", type=int, default=60)
    given = parser.parse_args()
    run = jme.Run.load(given.run)
    heat = [thermodynamics(run, anchor=a) for a in range(len(run.names))]
    print(f"{run.beta.shape[1]} rungs, {run.anchors.shape[1]} letters")
    print("anchors      MB  writing (s)  first logo (s)  redraw, median (ms)  largest (ms)")
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for count in given.anchors:
            chosen = np.arange(count) % len(run.names)
            path, begin = Path(folder) / f"{count}.html", time.perf_counter()
            detail = Detail(run=run.take(chosen), thermodynamics=[heat[a] for a in chosen])
            write_report(path, title=f"{count} anchors", detail=detail)
            writing = time.perf_counter() - begin
            page, begin = browser.new_page(viewport={"width": 1280, "height": 900}), time.perf_counter()
            page.goto(path.as_uri(), wait_until="commit")
            page.wait_for_selector("section.anchor:not([hidden]) .logo svg")
            opening = time.perf_counter() - begin
            times = page.evaluate(MOVES, given.moves)
            size = path.stat().st_size / 1e6
            redraw = f"{statistics.median(times):20.1f} {max(times):13.1f}"
            print(f"{count:7} {size:7.2f} {writing:12.1f} {opening:15.2f} {redraw}")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
