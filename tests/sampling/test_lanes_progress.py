"""The line on anchors in lanes, and the steps that a run probably needs."""

import io
import math
import sys
from types import SimpleNamespace

import pytest

from jaxmaxent import console
from jaxmaxent.sampling import Precision
from jaxmaxent.sampling.host import _lanes_progress as module
from jaxmaxent.sampling.host._lanes_progress import Course, LanesProgress, in_hand
from jaxmaxent.sampling.host._progress import Progress

WANTED = Precision(rhat=1.01, ess=400)


def course(name="a", steps=0, *, until=WANTED, done=0):
    """An anchor with so many steps, of at most 10,000, of which 1,000 are burn-in."""
    one = Course(SimpleNamespace(names=(name,), until=until, burn_in=1000, steps=10_000), done=done)
    one.advance("sampling", steps)
    return one


def test_the_end_of_an_anchor_is_extrapolated():
    one = course(steps=1500)
    assert math.isnan(one.left)
    one.looked(1.03)
    assert one.left == 3 * 500 - 500
    one.looked(1.005, 100.0)
    assert one.left == 4 * 500 - 500
    one.looked(1.005, 900.0, least=750)  # it has to be good twice
    assert one.left == 250
    one.advance("sampling", 260)
    assert one.left == 0  # until it is looked at again
    one.looked(1.005, 900.0, least=750)
    assert math.isnan(one.left)  # it waits for something else
    one.looked(1.5, 1.0)
    assert one.left == 10_000 - 1760  # it ends there, good or not
    one.looked(math.nan)
    assert math.isnan(one.left)


def test_an_anchor_says_how_far_it_is():
    one = course(steps=500)
    assert one.told() == "burn-in, 500 of 1,000 steps"
    one.advance("sampling", 1500)
    assert one.told() == "sampling, 2,000 steps"
    one.looked(1.03)
    assert one.told() == "R-hat 1.030 (wanted 1.01)"
    one.looked(1.03, 140.2)
    assert one.told() == "R-hat 1.030 (wanted 1.01), ESS 140 (wanted 400)"
    assert course(steps=500, done=2000, until=None).told() == "2,500 of 10,000 steps"
    assert course(steps=500, done=2000, until=None).left == 7500


def test_the_anchor_nearest_to_its_end_is_told():
    unknown, early = course("unknown", 3000), course("early", 500)
    assert in_hand([early, unknown], 0.01) == "2 in hand, nearest: unknown, sampling, 3,000 steps"
    near, far = course("chr1:10-90(+)", 1500), course("far", 4000)
    near.looked(1.02, 200.0)
    far.looked(1.02, 200.0)
    told = "chr1:10-90(+), R-hat 1.020 (wanted 1.01), ESS 200 (wanted 400), about 5 s left"
    assert in_hand([early, far, unknown, near], 0.01) == f"4 in hand, nearest: {told}"
    assert in_hand([near], 0.01) == f"1 in hand: {told}"


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.4, "0 s"), (119, "119 s"), (121, "2 min"), (7100, "118 min"), (9000, "2 h")]
)
def test_times_have_the_unit_that_suits_them(seconds, told):
    one = course(steps=9999, until=None)
    assert in_hand([one], seconds).endswith(f", about {told} left")


def test_names_are_short_and_harmless():
    line = in_hand([course("x\x1b[2J\n" + 100 * "y", 500)], 1.0)
    assert line.startswith(r"1 in hand: x\x1b[2J\nyyy") and "…, burn-in" in line and len(line) < 100


def shown(monkeypatch, *, show=True, blocks=3):
    """Return what a log has of a line on an anchor that takes so many blocks."""
    log, one = io.StringIO(), course()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", log)
        line = LanesProgress(show=show)
        line.compiled(2.0)
        for _ in range(blocks):
            one.advance("burn-in", 100)
            line.advance(100, [one])
        line.advance(100, [])
        line.close()
    return log.getvalue().splitlines()


def test_a_log_has_a_line_a_minute(monkeypatch):
    told = [f"1 in hand: a, burn-in, {steps} of 1,000 steps" for steps in (100, 200, 300)]
    monkeypatch.setattr(console, "_LOG_SECONDS", 0.0)
    lines = shown(monkeypatch)
    assert lines[:5] == ["compiling", "compiled in 2.0 s", *told]
    monkeypatch.undo()
    assert shown(monkeypatch)[:3] == ["compiling", "compiled in 2.0 s", told[-1]]  # the last one as it ends


def test_nothing_is_shown_if_nothing_is_to_be(monkeypatch):
    monkeypatch.setattr(console, "_LOG_SECONDS", 0.0)
    assert shown(monkeypatch, show=False) == []


def test_the_time_left_is_by_the_time_that_steps_took_lately(monkeypatch):
    now = iter([0.0, 10.0, *(10.0 + i for i in range(1, 201)), *(210.0 + 4 * i for i in range(1, 201))])
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: next(now)))
    told = []
    monkeypatch.setattr(module, "in_hand", lambda courses, pace: told.append(pace) or "")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    line = LanesProgress(show=True)
    line.compiled(10.0)
    for _ in range(400):
        line.advance(100, [course()])
    assert told[0] == pytest.approx(0.01) and told[199] == pytest.approx(0.01)
    assert told[399] == pytest.approx(0.04, rel=1e-3)


def test_the_bar_of_one_anchor_ends_where_it_may_end(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with Progress(10_000, until=WANTED, show=True) as bar:
        bar.advance("burn-in", 1000)
        bar.advance("sampling", 500)
        for least, total in ((0, 1500), (750, 1750)):
            bar.looked(1.005, 900.0, least=least)
            bar.advance("sampling", 0)
            assert bar._bar.total == total
