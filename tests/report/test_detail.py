"""The packed numbers are read back as the script reads them, with an unpacking written here."""

import base64
import json
import zlib

import numpy as np
import pytest
from made_up_report import couplings_of, maps_of, report_run

from jaxmaxent.analysis import FoundSite
from jaxmaxent.report import Detail
from jaxmaxent.report._detail import packed, small_logo


def unpacked(text):
    data = zlib.decompress(base64.b64decode(text, validate=True))
    size = int.from_bytes(data[:4], "little")
    head, rest, planes = json.loads(data[4 : 4 + size]), data[4 + size :], {}
    for name, length in head["planes"]:
        planes[name], rest = np.frombuffer(rest[:length], np.uint8).astype(int), rest[length:]
    assert not rest
    return head, planes


@pytest.mark.parametrize("letters", ["ACGT", "AB", "ACDEFGHIKLMNPQRSTVWY"])
def test_numbers_are_rounded_only(letters):
    run = report_run(2, letters=letters)
    head, planes = unpacked(packed(Detail(run=run), 1))
    shape = run.frequencies[1].shape
    rungs = (shape[0] + 1, shape[1], -1)  # and the reference
    high, low = (planes[f"frequency_{name}"].reshape(rungs) for name in ("high", "low"))
    found = (256 * high + low) / 1000
    np.testing.assert_allclose(found[:-1], run.frequencies[1][..., :-1], atol=0.0005001)
    np.testing.assert_allclose(found[-1], run.reference[1][:, :-1], atol=0.0005001)
    errors, rhat, ess = (planes[name].reshape(shape) for name in ("error", "rhat", "ess"))
    known = np.isfinite(run.frequency_errors[1])
    assert (errors[~known] == 0).all() and (~known).any()
    np.testing.assert_allclose(1e-4 ** (1 - (errors[known] - 2) / 100), run.frequency_errors[1][known], rtol=0.05)
    given = run.frequency_rhat[1]
    np.testing.assert_allclose(0.01 * np.exp((rhat - 1) / 15), given - 0.98, rtol=0.034)
    np.testing.assert_allclose(np.exp((ess - 2) / 5)[known], run.frequency_ess[1][known], rtol=0.11)
    assert ess[0, 0, 0] == 1  # 0 draws
    np.testing.assert_allclose(head["beta"], run.beta[1], rtol=1e-4)
    np.testing.assert_allclose(head["energy"], run.energy[1], rtol=1e-4)
    assert head["tokens"] == run.anchors[1].tolist()


def test_unknown_and_extreme_numbers_have_levels_of_their_own():
    run = report_run(1)
    run.frequency_rhat[0, 0, 0] = [np.nan, np.inf, 0.5, 1.0]
    run.frequency_errors[0, 0, 0] = [np.nan, 0, 1e-9, 3]
    run.frequency_ess[0, 0, 0] = [np.nan, 0, 0.5, 1e30]
    run.energy[0, 0] = np.nan
    head, planes = unpacked(packed(Detail(run=run), 0))
    assert planes["rhat"][:4].tolist() == [0, 255, 1, 11]
    assert planes["error"][:4].tolist() == [0, 1, 2, 102]
    assert planes["ess"][:4].tolist() == [0, 1, 2, 255]
    assert head["energy"][0] is None


def test_maps_sites_and_couplings_are_those_of_the_anchor():
    run = report_run(3)
    necessity, sufficiency = maps_of(run)
    necessity.positions[1, 5] = np.nan
    necessity.positions[1, 6] = -0.25
    sites = [FoundSite(1, 20, 29, True, 1, 0.1, 0.5, 0.05), FoundSite(2, 1, 3, False, 1, 0.1, 1, 0.1)]
    couplings = [None, couplings_of([(3, 9)]), None]
    detail = Detail(
        run=run, necessity=necessity, sufficiency=sufficiency, sites=sites, couplings=couplings, rungs_at=(20.0, 40.0)
    )  # fmt: skip
    head, planes = unpacked(packed(detail, 1))
    for track, found in zip(head["tracks"], (necessity, sufficiency), strict=True):
        levels = 256 * planes[f"{track['name']}_high"] + planes[f"{track['name']}_low"]
        values = np.where(levels == 65535, np.nan, track["low"] + levels * track["step"])
        both = np.concatenate([found.positions[1], found.position_errors[1]])
        np.testing.assert_allclose(values, both, atol=track["step"])
        assert track["width"] == found.width
    assert head["sites"] == [[20, 29, True, 1.0, 0.1, 0.5, 0.05]]
    assert head["couplings"] == [[3, 9, 0.3, 0.02, "AT"]]
    assert head["offered"] == [1, 2]


def test_whether_the_legs_agree_is_told():
    run = report_run(4)
    heads = [unpacked(packed(Detail(run=run), a))[0] for a in range(4)]
    assert [head["legs"] and head["legs"][0] for head in heads] == [True, True, False, None]
    told = "log Z is 10.25 from the background and 10.30 from the reference, apart by 0.05 ± 0.02"
    assert heads[0]["legs"][1] == told
    assert dict(heads[3]["planes"])["frequency_high"] == run.frequencies[3][..., :-1].size  # no reference


def test_a_small_logo_has_a_byte_per_letter():
    assert base64.b64decode(small_logo(np.array([[0, 0.5, 0.5, 0], [1, 0, 0, 0]]))) == bytes(
        [0, 128, 128, 0, 255, 0, 0, 0]
    )
