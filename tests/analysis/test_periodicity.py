import numpy as np
import pytest
from genomes import windows_inside
from matplotlib.figure import Figure

from jaxmaxent.analysis import KmerProfile, kmer_profile, periodicity
from jaxmaxent.analysis._profiles.kmers import error_of_mean
from jaxmaxent.plot import periodic_profile, spectrum

OFFSETS = np.arange(147) - 73.0


def profile_of(rows, offsets=OFFSETS):
    return KmerProfile(("AA",), offsets, rows.mean(0), error_of_mean(rows), rows)


def wave(period, amplitude, phase, offsets=OFFSETS):
    return amplitude * np.cos(2 * np.pi * offsets / period - phase)


def independent_letters(rng, groups=4, draws=60, length=101):
    return rng.integers(0, 4, (groups, draws, length)).astype(np.uint8)


def test_draws_that_never_change_have_no_error():
    tokens = np.tile(np.random.default_rng(5).integers(0, 4, 147).astype(np.uint8), (8, 10, 1))
    profile = kmer_profile(tokens, "WW")
    assert np.isnan(profile.error).all()
    found = periodicity(profile, shuffles=19)
    assert np.isnan([found.period_error, found.amplitude_error, found.phase_error]).all()
    assert found.period > 0


# --- spectra


@pytest.mark.parametrize("window", ["flat", "hann"])
@pytest.mark.parametrize("detrend", [0, 1, 3])
def test_power_is_the_variance_that_least_squares_takes_away(window, detrend):
    rng = np.random.default_rng(6)
    row = rng.normal(size=40) + np.linspace(0, 3, 40) ** 2
    offsets = np.arange(40) - 7.5
    found = periodicity(profile_of(row[None], offsets), window=window, detrend=detrend, shuffles=19)
    weights = np.ones(40) if window == "flat" else np.sin(np.pi * np.arange(1, 41) / 41) ** 2

    def rest(columns):
        design = np.stack([*(offsets**k for k in range(detrend + 1)), *columns], 1) * weights[:, None] ** 0.5
        return np.linalg.lstsq(design, row * weights**0.5, rcond=None)[1][0]

    for k in range(0, len(found.periods), 11):
        angle = 2 * np.pi * offsets / found.periods[k]
        taken = rest([]) - rest([np.cos(angle), np.sin(angle)])
        assert found.power[k] == pytest.approx(taken / weights.sum(), rel=1e-6, abs=1e-12)
    assert found.periods[0] == pytest.approx(20)
    assert found.periods[-1] == pytest.approx(5)


@pytest.mark.parametrize(("period", "phase"), [(10.2, 0.0), (10.2, 3.0), (7.31, -1.2), (16.5, 2.0), (5.6, -3.1)])
@pytest.mark.parametrize("window", ["flat", "hann"])
def test_a_sinusoid_on_a_trend_is_found(period, phase, window):
    row = 0.3 + 0.002 * OFFSETS + wave(period, 0.05, phase)
    found = periodicity(profile_of(row[None]), window=window, shuffles=99)
    # Between grid points the parabola is off by a thousandth of the peak's width period² / length.
    assert found.period == pytest.approx(period, abs=2e-3 * period**2 / 147)
    assert found.amplitude == pytest.approx(0.05, rel=1e-3)
    assert found.phase == pytest.approx(phase, abs=5e-3)
    assert found.p == 0.01
    np.testing.assert_allclose(found.fit, row, atol=1e-3)
    peak = found.power.argmax()
    assert found.power[peak] > found.threshold[peak]
    assert found.power[peak] == pytest.approx(0.05**2 / 2, rel=0.02)


def test_errors_are_the_spread_over_repeats():
    """Period, amplitude and phase of a wave under the noise of 16 chains, in which neighbors are alike."""
    rng = np.random.default_rng(7)
    truth, z = (10.2, 0.05, -1.0), []
    for _ in range(120):
        noise = rng.normal(size=(16, 148))
        rows = 0.3 + wave(*truth) + 0.05 * (noise[:, 1:] + 0.5 * noise[:, :-1])
        found = periodicity(profile_of(rows), shuffles=19)
        values = np.array([found.period, found.amplitude, found.phase])
        z.append((values - truth) / [found.period_error, found.amplitude_error, found.phase_error])
    # Student's t with 15 degrees of freedom; the spread of 120 values is itself known to 6.5 %.
    spread = np.std(z, axis=0) / (15 / 13) ** 0.5
    assert ((spread > 0.74) & (spread < 1.32)).all(), spread
    assert (np.abs(np.mean(z, axis=0)) < 5 * 1.1 / 120**0.5).all()


def test_errors_over_anchors_hold_what_differs_between_them():
    rng = np.random.default_rng(8)
    z = []
    for _ in range(100):
        phases = 0.5 + rng.normal(0, 0.4, 12)  # their mean wave keeps the phase 0.5
        rows = [0.3 + wave(10.2, 0.05, phase) + 0.005 * rng.normal(size=(8, 147)) for phase in phases]
        found = periodicity([profile_of(row) for row in rows], shuffles=19)
        z.append((found.phase - 0.5) / found.phase_error)
    assert 0.7 < np.std(z) / (11 / 9) ** 0.5 < 1.35
    assert abs(np.mean(z)) < 5 * 1.1 / 100**0.5


def test_averages_before_and_after_the_spectrum_see_what_they_should():
    rng = np.random.default_rng(9)

    def anchors(phases):
        return [profile_of(0.3 + wave(9.0, 0.05, phase) + 0.02 * rng.normal(size=(4, 147))) for phase in phases]

    alike, scattered = anchors(np.full(10, 2.0)), anchors(2 * np.pi * np.arange(10) / 10)
    together = periodicity(alike, shuffles=99)
    assert together.p == 0.01
    assert abs(together.phase - 2.0) < 5 * together.phase_error
    lost = periodicity(scattered, shuffles=99)
    assert lost.amplitude < 0.01
    for profiles in (alike, scattered):
        apart = periodicity(profiles, coherent=False, shuffles=99)
        assert apart.p == 0.01
        assert abs(apart.period - 9.0) < 5 * apart.period_error
        assert apart.amplitude == pytest.approx(0.05, rel=0.05)
        assert np.isnan([apart.phase, apart.phase_error, *apart.fit]).all()
        mean = np.mean([periodicity(profile, shuffles=19).power for profile in profiles], axis=0)
        np.testing.assert_allclose(apart.power, mean)


def bump(rng, width=4.0):
    at = rng.uniform(-50, 50)
    return np.exp(-0.5 * ((OFFSETS - at) / width) ** 2) + 0.02 * rng.normal(size=(2, 147))


def motif(rng):
    rows = 0.02 * rng.normal(size=(2, 147))
    at = rng.integers(5, 130)
    rows[:, at : at + 12] += rng.uniform(-0.4, 0.4, 12)
    return rows


@pytest.mark.parametrize("coherent", [True, False])
def test_p_is_uniform_where_letters_are_independent(coherent):
    """k-mers that overlap make neighbors alike, which is no period."""
    rng = np.random.default_rng(10)
    repeats, p = 200, []
    for seed in range(repeats):
        anchors = [kmer_profile(independent_letters(rng), "WW") for _ in range(1 if coherent else 2)]
        p.append(periodicity(anchors, coherent=coherent, shuffles=59, seed=seed).p)
    for level in (0.05, 0.1, 0.25, 0.5, 0.75):
        share = np.mean(np.array(p) <= level)
        assert abs(share - level) < 4 * (level * (1 - level) / repeats) ** 0.5, (level, share)


@pytest.mark.parametrize("make", [bump, motif])
def test_a_single_bump_or_motif_is_no_period(make):
    rng = np.random.default_rng(11)
    p = np.array([periodicity(profile_of(make(rng)), shuffles=59, seed=seed).p for seed in range(100)])
    for level in (0.05, 0.1, 0.25):
        assert np.mean(p <= level) < level + 4 * (level * (1 - level) / 100) ** 0.5


def test_a_weak_period_is_found_more_often_than_none():
    rng = np.random.default_rng(12)
    rows = [(wave(10.2, 0.6, 1.0) + rng.normal(size=147))[None] for _ in range(40)]
    p = [periodicity(profile_of(row), shuffles=59, seed=seed).p for seed, row in enumerate(rows)]
    assert np.mean(np.array(p) <= 0.05) > 0.5


def test_the_range_of_periods_and_positions_is_kept():
    row = wave(6.0, 0.05, 0) + wave(12.0, 0.03, 0)
    profile = profile_of(row[None])
    assert periodicity(profile, shuffles=19).period == pytest.approx(6, abs=0.05)
    assert periodicity(profile, periods=(8, 16), shuffles=19).period == pytest.approx(12, abs=0.1)
    inner = periodicity(profile, within=40, shuffles=19)
    assert np.abs(inner.offsets).max() == 40
    assert len(inner.profile) == len(inner.profile_error) == len(inner.fit) == 81
    assert np.isnan(periodicity(profile, periods=(12.3, 12.9), shuffles=19).period)  # it only falls


def test_same_seed_same_answer():
    profile = profile_of(np.random.default_rng(13).normal(size=(4, 147)))
    first, again = periodicity(profile, shuffles=99, seed=1), periodicity(profile, shuffles=99, seed=1)
    other = periodicity(profile, shuffles=99, seed=2)
    np.testing.assert_array_equal(first.threshold, again.threshold)
    assert first.p == again.p
    assert (first.threshold != other.threshold).all()
    np.testing.assert_array_equal(first.power, other.power)


# --- real nucleosomes


def test_yeast_dyads(data):
    folder = data / "yeast"
    windows = windows_inside(folder / "sacCer3.fa.gz", folder / "brogaard_dyads_nonoverlapping.bed.gz", length=201)
    weak, strong = (kmer_profile(windows.tokens, kmers) for kmers in ("WW", "SS"))
    found = {name: periodicity(profile, shuffles=99) for name, profile in (("WW", weak), ("SS", strong))}
    for one in found.values():
        assert abs(one.period - 10.2) < 0.1
        assert one.period_error < 0.02
        assert one.p == 0.01
    # WW is rarest and SS commonest at the dyad.
    assert abs(abs(found["WW"].phase) - np.pi) < 5 * found["WW"].phase_error
    assert abs(found["SS"].phase) < 5 * found["SS"].phase_error
    # The strands of a dyad are equal, so the profile is its own mirror image about it, and about nothing else.
    mirrored = np.corrcoef(weak.frequency, weak.frequency[::-1])[0, 1]
    assert mirrored > 0.99
    assert np.corrcoef(weak.frequency[1:], weak.frequency[:0:-1])[0, 1] < 0.9
    odd = (weak.groups - weak.groups[:, ::-1])[:, :100]
    assert np.abs(odd.mean(0) / error_of_mean(odd)).max() < 5


# --- pictures


def test_pictures_show_profile_fit_spectrum_and_threshold():
    rng = np.random.default_rng(14)
    rows = 0.3 + wave(10.2, 0.05, 0.5) + 0.02 * rng.normal(size=(8, 147))
    found = periodicity(profile_of(rows), shuffles=19)
    ax = periodic_profile(found)
    curve, fit = (line for line in ax.lines if len(line.get_xdata()) > 2)
    np.testing.assert_allclose(curve.get_ydata(), found.profile)
    np.testing.assert_allclose(fit.get_ydata(), found.fit)
    (band,) = ax.collections
    assert band.get_paths()[0].vertices[:, 1].max() == pytest.approx((found.profile + 2 * found.profile_error).max())
    given = Figure().add_subplot()
    assert spectrum(found, ax=given) is given
    power, threshold, marked = given.lines
    np.testing.assert_allclose(power.get_xdata(), found.periods)
    np.testing.assert_allclose(power.get_ydata(), found.power)
    np.testing.assert_allclose(threshold.get_ydata(), found.threshold)
    assert marked.get_xdata()[0] == found.period
    digits = 1 - int(np.floor(np.log10(found.period_error)))
    said = f"period {found.period:.{digits}f} ± {found.period_error:.{digits}f}, p = 0.05"
    assert given.get_title(loc="right") == said


def test_pictures_without_errors_fit_or_peak():
    rows = [profile_of(0.3 + wave(12, 0.1, phase)[None]) for phase in (0, 1)]
    none = periodicity(rows, periods=(12.3, 12.9), coherent=False, shuffles=19)
    assert len(periodic_profile(none).lines) == 2  # profile and center
    assert "no peak" in spectrum(none).get_title(loc="right")
    assert not periodic_profile(periodicity(rows[0], shuffles=19)).collections


# --- bad input


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"periods": (2.0, 10.0)}, "periods must be .* above 2 and at most 147"),
        ({"periods": (10.0, 8.0)}, "periods must be"),
        ({"periods": (5.0, 200.0)}, "periods must be"),
        ({"periods": (5.0,)}, "periods must be"),
        ({"detrend": 6}, "detrend must be 0 to 5"),
        ({"within": 4}, "detrend must be 0 to 5, for at least 2 detrend \\+ 16 positions"),
        ({"within": 0}, "within must be a finite number above 0"),
        ({"window": "square"}, "window must be one of"),
        ({"coherent": False}, "profiles must be 2 or more, got 1"),
        ({"shuffles": 5}, "shuffles must be a whole number of at least 19"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
    ],
)
def test_bad_input_is_named(change, message):
    profile = profile_of(np.random.default_rng(15).normal(size=(2, 147)))
    with pytest.raises(ValueError, match=message):
        periodicity(profile, **change)


def test_bad_profiles_are_named():
    profile = profile_of(np.random.default_rng(16).normal(size=(2, 147)))
    with pytest.raises(ValueError, match="profiles must be 1 or more, got 0"):
        periodicity([])
    with pytest.raises(ValueError, match="profiles must have the same k-mers and positions"):
        periodicity([profile, profile._replace(offsets=profile.offsets + 1)])
    with pytest.raises(ValueError, match="profiles must vary along the positions, got one that is 0 everywhere"):
        periodicity(kmer_profile(np.zeros((4, 50), np.uint8), "SS"))
