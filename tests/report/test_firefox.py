"""The page in Firefox, which is driven by WebDriver BiDi (W3C): no further program stands between it and the test."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from typing import Any

import numpy as np
import pytest
from made_up_report import HOSTILE, LENGTH, RUNGS, report_run

from jaxmaxent.report import Detail, write_report

websocket = pytest.importorskip("tornado.websocket", reason="tornado is not installed; the extra 'cluster' brings it")
PROGRAM = shutil.which("firefox-esr") or shutil.which("firefox")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="Firefox is not installed; apt-get install firefox-esr installs it"),
]
SECONDS = 60


class Firefox:
    """A browser with one page, and what was said on its console."""

    socket: Any = None

    def __init__(self, folder):
        self.count, self.said, self.runner = 0, [], asyncio.Runner()
        command = [PROGRAM, "--headless", "--no-remote", "--profile", str(folder), "--remote-debugging-port", "0"]
        with (folder / "said").open("wb") as said:
            home = os.environ | {"HOME": str(folder)}
            self.process = subprocess.Popen(command, stderr=said, stdout=subprocess.DEVNULL, env=home)
        try:
            self.runner.run(self._connect(folder / "said"))
            self.ask("session.new", capabilities={})
            self.page = self.ask("browsingContext.getTree")["contexts"][0]["context"]
            self.ask("session.subscribe", events=["log.entryAdded"])
        except BaseException:
            self._end()
            raise

    async def _connect(self, said):
        for _ in range(SECONDS * 10):
            if found := re.search(r"BiDi listening on (ws://\S+)", said.read_text("utf-8", "replace")):
                self.socket = await websocket.websocket_connect(f"{found[1]}/session")
                return
            await asyncio.sleep(0.1)
        raise TimeoutError(f"Firefox does not listen: {said.read_text('utf-8', 'replace')}")

    async def _answer(self, command):
        await self.socket.write_message(json.dumps(command))
        while True:
            answer = json.loads(await asyncio.wait_for(self.socket.read_message(), SECONDS))
            if answer["type"] == "event":
                self.said.append(answer["params"]["text"])
            elif answer["id"] == command["id"]:
                return answer

    def ask(self, method, **params):
        """Return the answer to a command; what the console says meanwhile is kept."""
        self.count += 1
        answer = self.runner.run(self._answer({"id": self.count, "method": method, "params": params}))
        assert answer["type"] == "success", answer
        return answer["result"]

    def open(self, path):
        self.ask("browsingContext.navigate", context=self.page, url=path.as_uri(), wait="complete")

    def value(self, script):
        """Return the value of a script, which may be a promise."""
        found = self.ask("script.evaluate", expression=script, target={"context": self.page}, awaitPromise=True)
        assert found["type"] == "success", found
        return found["result"].get("value")

    def wait_for(self, selector):
        self.value(
            "new Promise((found, fail) => { const look = (left) => document.querySelector("
            f"{json.dumps(selector)}) ? found() : left ? setTimeout(look, 50, left - 1) : fail('nothing found');"
            f" look({SECONDS * 20}); }})"
        )

    def close(self):
        try:
            self.ask("browser.close")
            self.process.wait(SECONDS)
        finally:
            self._end()

    async def _leave(self):
        self.socket.close()
        while await self.socket.read_message() is not None:
            pass

    def _end(self):
        if self.socket:
            self.runner.run(self._leave())
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.runner.close()


@pytest.fixture(scope="module")
def firefox(tmp_path_factory):
    browser = Firefox(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def run():
    return report_run(5, failing=(2,), names=["a", HOSTILE, "b", "c", "d"])


@pytest.fixture(scope="module")
def path(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(path, title="Report", detail=Detail(run=run))
    return path


def test_the_slider_shows_the_numbers_of_the_rung(firefox, path, run):
    firefox.said.clear()
    firefox.open(path)
    firefox.wait_for("#anchor-0 .logo svg")
    logos = []
    for rung in (RUNGS - 1, 1):
        firefox.value(
            "{ const slider = document.querySelector('#anchor-0 input[type=range]');"
            f" slider.value = {rung}; slider.dispatchEvent(new Event('input')); }}"
        )
        assert f"β = {run.beta[0, rung]:g}" in firefox.value("document.querySelector('#anchor-0 .told').textContent")
        logos.append(firefox.value("document.querySelector('#anchor-0 .logo svg').outerHTML"))
        # What a position says are the numbers of the run.
        firefox.value(
            "{ const logo = document.querySelector('#anchor-0 .logo'); logo.dispatchEvent(new FocusEvent('blur'));"
            " for (const key of ['Home', ...Array(24).fill('ArrowRight')])"
            " logo.dispatchEvent(new KeyboardEvent('keydown', { key })); }"
        )
        spoken = firefox.value("document.querySelector('#anchor-0 [aria-live]').textContent")
        assert spoken.startswith("position 24 ·") and LENGTH > 24
        told = {letter: float(f) for letter, f in re.findall(r"; ([ACGT]) (\d\.\d+) ±", spoken)}
        np.testing.assert_allclose([told[b] for b in "ACGT"], run.frequencies[0, rung, 24], atol=0.00151)
    assert logos[0] != logos[1]
    assert firefox.said == []


def test_the_table_is_sorted_and_searched_and_names_are_text(firefox, path, run):
    def names():
        return json.loads(
            firefox.value(
                "JSON.stringify([...document.querySelectorAll('#overview tbody tr:not([hidden]) th')]"
                ".map(cell => cell.textContent))"
            )
        )

    firefox.said.clear()
    firefox.open(path)
    firefox.wait_for("#anchor-0 .logo svg")
    assert names() == list(run.names)
    firefox.value("[...document.querySelectorAll('thead button')].find(b => b.textContent === 'E').click()")
    assert names() == [run.names[a] for a in np.argsort(run.energy[:, -1])]
    firefox.value(
        "{ const field = document.querySelector('input[type=search]'); field.value = 'OWNED';"
        " field.dispatchEvent(new Event('input')); }"
    )
    assert names() == [HOSTILE]
    firefox.value("document.querySelector('#overview tbody tr:not([hidden]) a').click()")
    firefox.wait_for("#anchor-1:not([hidden]) .logo svg")
    assert firefox.value("document.title") == "Report" and firefox.value("document.images.length") == 0
    # A script from outside is refused, and Firefox says so.
    firefox.value(
        "{ const script = document.createElement('script'); script.textContent = \"document.title = 'owned'\";"
        " document.body.append(script); }"
    )
    assert firefox.value("document.title") == "Report"
    for _ in range(SECONDS * 20):  # the message may come later than the answer
        if firefox.said:
            break
        firefox.value("new Promise(go => setTimeout(go, 50))")
    assert len(firefox.said) == 1 and "Content-Security-Policy" in firefox.said[0]
