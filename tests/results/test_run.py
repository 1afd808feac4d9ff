import dataclasses
import json
import pickle
import zipfile

import jax
import numpy as np
import pytest
from made_up_runs import assert_same

import jaxmaxent as jme
from jaxmaxent import memory
from jaxmaxent.results import SCHEMA, Run, join
from jaxmaxent.results import _export as export
from jaxmaxent.results._format import FORMAT_VERSION
from jaxmaxent.results._schema import axes
from jaxmaxent.sampling._sites import mobility
from problems import Problem

ARRAYS = sorted(name for name, what in SCHEMA.items() if what.dims is not None)
WORDS = sorted(SCHEMA.keys() - set(ARRAYS))
RUNGS, BEYOND, CHAINS, REPLICAS, STARTED_AT_ANCHOR, STEPS, BURN_IN = 3, 2, 2, 3, 1, 60, 20
SETTINGS = {
    "ladder": RUNGS,
    "reference_rungs": BEYOND,
    "chains": CHAINS,
    "target_replicas": REPLICAS,
    "anchor_chains": STARTED_AT_ANCHOR,
    "steps": STEPS,
    "burn_in": BURN_IN,
    "thin": 5,
    "store_every": 20,
    "kmers": 2,
    "names": ["a", "β", "c d"],
    "progress": False,
}


@pytest.fixture(scope="module")
def ensemble():
    problem = Problem(length=4, mus=(0.3, -0.2))
    return problem.ensemble(anchor=problem.states[[3, 77, 200]])


@pytest.fixture(scope="module")
def runs(ensemble):
    """A run of three anchors with and without its stored draws."""
    run = jme.sample(jax.random.key(0), ensemble, **SETTINGS)
    return {True: run, False: dataclasses.replace(run, draws=None)}


@pytest.fixture
def path(runs, tmp_path):
    runs[True].save(tmp_path / "run.npz")
    return tmp_path / "run.npz"


def test_every_array_has_its_shape(runs):
    sizes = {"anchor": 3, "rung": RUNGS, "pair": RUNGS - 1, "chain": CHAINS, "draw": STEPS // 20, "field": 2}
    sizes |= {"position": 4, "letter": 4, "state": STEPS // 5, "beyond": BEYOND, "leg": 2}
    sizes |= {"end": 2, "kmer": 16}
    sizes["slot"] = RUNGS + BEYOND - 1 + REPLICAS
    for name in ARRAYS:
        assert getattr(runs[True], name).shape == tuple(sizes[axis] for axis in axes(name)), name


def test_the_worst_of_the_diagnostics_is_over_everything_that_was_judged(runs):
    run = runs[True]
    for name, worst, pick in (("rhat", run.max_rhat, np.fmax), ("ess", run.min_ess, np.minimum)):
        rows = [getattr(run, f"{what}_{name}").reshape(3, RUNGS, -1) for what in ("frequency", "field")]
        rows.append(getattr(run, f"energy_{name}")[..., None])
        np.testing.assert_array_equal(worst, pick.reduce(np.concatenate(rows, axis=-1), axis=-1))


def test_a_rung_is_found_by_its_beta(runs):
    beta = np.array([[0.0, 40.0, 80.0], [0.0, 10.0, 40.0], [0.0, np.float32(0.1), 2.0]])
    run = dataclasses.replace(runs[True], beta=beta)
    assert [run.rung_at(40), run.rung_at(40.0, anchor=1), run.rung_at(0.1, anchor=2), run.rung_at(0)] == [1, 2, 1, 0]
    for wrong, message in (
        ({"beta": 40.01}, "beta must be that of a rung of the anchor, 0, 40, 80, got 40.01"),
        ({"beta": 1e-9}, "beta must be that of a rung"),
        ({"beta": "high"}, "beta must be a finite number, got 'high'"),
        ({"beta": 40, "anchor": 3}, "anchor must be a whole number of at most 2, got 3"),
        ({"beta": 40, "anchor": -1}, "anchor must be a whole number of at least 0, got -1"),
    ):
        with pytest.raises(ValueError, match=message):
            run.rung_at(**wrong)


@pytest.mark.parametrize("draws", [True, False])
def test_a_run_comes_back_bit_for_bit(runs, draws, tmp_path):
    run = runs[draws]
    run.save(tmp_path / "run.npz")
    assert_same(Run.load(tmp_path / "run.npz"), run)


@pytest.mark.parametrize("suffix", export.ENGINES)
def test_it_also_comes_back_from_other_formats(runs, suffix, tmp_path):
    for package in ("xarray", *export.ENGINES[suffix]):
        pytest.importorskip(package, reason=f'needs {package}: pip install "jaxmaxent[xarray]"')
    runs[True].save(tmp_path / f"run{suffix}")
    assert_same(Run.load(tmp_path / f"run{suffix}"), runs[True])


def test_unknown_values_come_back_as_such(runs, tmp_path):
    odd = dataclasses.replace(
        runs[False],
        energy_error=np.full((3, RUNGS), np.nan),
        frequency_rhat=np.full((3, RUNGS, 4, 4), np.inf),
        compile_seconds=0.0,
    )
    odd.save(tmp_path / "run.npz")
    assert_same(Run.load(tmp_path / "run.npz"), odd)


def test_the_file_needs_no_pickle_and_no_jaxmaxent(path, runs):
    with np.load(path, allow_pickle=False) as archive:
        entries = dict(archive)
    np.testing.assert_array_equal(entries["frequencies"], runs[True].frequencies)
    about = json.loads(str(entries["about"]))
    assert about["names"] == ["a", "β", "c d"]
    assert (about["format"], about["format_version"]) == ("jaxmaxent-run", FORMAT_VERSION)


def test_a_loaded_run_goes_on_as_the_run_itself(path, runs, ensemble):
    on = [jme.sample(jax.random.key(1), ensemble, start=run, **SETTINGS) for run in (Run.load(path), runs[True])]
    np.testing.assert_array_equal(on[0].draws, on[1].draws)
    assert (on[0].last != runs[True].last).any()
    np.testing.assert_array_equal(on[0].beta, runs[True].beta)  # the ladder that was found, not a new one


@pytest.mark.parametrize("draws", [True, False])
def test_taken_apart_and_joined_it_is_the_same_run(runs, draws):
    run = runs[draws]
    parts = [run.take(np.array([0])), run.take(np.array([1, 2]))]
    assert parts[1].names == ("β", "c d")
    assert parts[1].outcomes == run.outcomes[1:]
    assert parts[1].frequencies.shape == (2, RUNGS, 4, 4)
    joined = join(parts)
    assert joined.seconds == 2 * run.seconds
    assert joined.compile_seconds == 2 * run.compile_seconds
    assert_same(dataclasses.replace(joined, seconds=run.seconds, compile_seconds=run.compile_seconds), run)


def test_of_longer_runs_as_many_draws_are_joined_as_the_shortest_has(runs):
    run = runs[True]
    number = run.draws.shape[2]
    short = dataclasses.replace(run, draws=run.draws[:, :, : number // 2])
    joined = join([run, short])
    assert joined.draws.shape[:3] == (2 * len(run.names), *run.draws.shape[1:2], number // 2)
    np.testing.assert_array_equal(joined.draws[: len(run.names)], run.draws[:, :, number - 2 * (number // 2) + 1 :: 2])
    np.testing.assert_array_equal(joined.draws[len(run.names) :], short.draws)
    with pytest.raises(ValueError, match="runs must all have stored draws, or none of them, .* got some without"):
        join([run, runs[False]])


def test_anchors_are_taken_in_the_order_asked_for(runs):
    run = runs[True]
    taken = run.take(np.array([2, 0, 2]))
    assert taken.names == ("c d", "a", "c d")
    assert taken.outcomes == tuple(run.outcomes[i] for i in (2, 0, 2))
    for field in dataclasses.fields(Run):
        before, after = getattr(run, field.name), getattr(taken, field.name)
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(after, before[[2, 0, 2]], err_msg=field.name)
        elif field.name not in ("names", "outcomes"):
            assert after == before, field.name


def test_speed_counts_every_proposal_of_every_replica(runs):
    run = runs[True]
    assert run.chains == CHAINS
    assert run.target_replicas == REPLICAS
    proposals = 3 * (CHAINS + STARTED_AT_ANCHOR) * (RUNGS + BEYOND - 3 + REPLICAS) * (STEPS + BURN_IN)  # none at an end
    assert run.proposals_per_second * run.seconds == pytest.approx(proposals)


def test_runs_of_other_numbers_of_replicas_are_not_joined(runs):
    run = runs[False]
    other = dataclasses.replace(run, last=run.last[:, :-1])
    message = f"runs must have equally many replicas at the target to be joined, got .{run.target_replicas - 1}, "
    with pytest.raises(ValueError, match=message):
        join([run, other])


def test_the_speed_of_joined_runs_is_over_their_time_together(runs):
    fast, slow = (dataclasses.replace(runs[True], seconds=t, proposals_per_second=12 / t) for t in (1.0, 3.0))
    assert join([fast, slow]).proposals_per_second == pytest.approx(24 / 4)


# --- files that are no run


def rewrite(path, **changes):
    """The archive with entries of `about` or arrays changed; None takes an entry away."""
    with np.load(path) as archive:
        entries = dict(archive)
    about = json.loads(str(entries.pop("about")))
    for name, value in changes.items():
        where = entries if isinstance(value, np.ndarray) or name in entries else about
        where[name] = value
        if value is None:
            del where[name]
    np.savez(path, about=np.array(json.dumps(about)), **entries)


def test_the_mobility_is_that_of_the_rung_at_0(runs, ensemble):
    for a, run in ((a, runs[True]) for a in range(3)):
        apart = float(run.energy[a, 0]), float(run.energy_error[a, 0])
        assert (run.mobility[a], run.mobility_error[a]) == pytest.approx(mobility(ensemble, a, apart), nan_ok=True)
    assert np.isfinite(runs[True].mobility).any()


@pytest.mark.parametrize(
    ("version", "lacking"), [(6, ("mobility", "mobility_error", "product_noise")), (7, ("product_noise",))]
)
def test_a_run_of_an_earlier_version_is_read_without_what_came_later(version, lacking, path, runs):
    rewrite(path, format_version=version, **dict.fromkeys(lacking))
    found = Run.load(path)
    unknown = {name: getattr(found, name) for name in lacking}
    assert all(np.isnan(value).all() for value in unknown.values())
    assert_same(found, dataclasses.replace(runs[True], **unknown))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"gone\.npz is not there, expected a run"):
        Run.load(tmp_path / "gone.npz")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(ValueError, match=r"folder\.npz is not there, expected a run"):
        Run.load(tmp_path / "folder.npz")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_damaged(path, share):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ValueError, match=r"run\.npz is damaged or no run"):
        Run.load(path)


def test_wherever_bits_are_flipped_the_run_is_refused_or_the_same(path, runs):
    """A time stamp may differ; the loaded run may not."""
    whole, refused = path.read_bytes(), 0
    for place in range(0, len(whole), 29):
        broken = bytearray(whole)
        broken[place] ^= 0xFF
        path.write_bytes(broken)
        try:
            loaded = Run.load(path)
        except ValueError as error:
            assert "run.npz" in str(error)
            refused += 1
        else:
            assert_same(loaded, runs[True])
    assert refused > 50


@pytest.mark.parametrize(
    "content",
    [b"not an archive", b"PK\x03\x04", pickle.dumps({"a": 1}), b"\x93NUMPY\x01\x00", b""],
    ids=["text", "zip", "pickle", "npy", "empty"],
)
def test_a_file_of_another_kind_is_no_run(tmp_path, content):
    (tmp_path / "run.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"run\.npz is damaged or no run"):
        Run.load(tmp_path / "run.npz")


def test_a_single_array_is_no_run(tmp_path):
    with open(tmp_path / "run.npz", "wb") as file:
        np.save(file, np.eye(3))
    with pytest.raises(ValueError, match=r"run\.npz is damaged or no run"):
        Run.load(tmp_path / "run.npz")


@pytest.mark.parametrize(
    "about", [None, "", "[]", "3", "null", "{}", '{"format": "jaxmaxent-run"}', "not JSON", "[" * 100_000]
)
def test_a_foreign_archive_is_no_run(tmp_path, about):
    entries = {"frequencies": np.eye(4)} | ({} if about is None else {"about": np.array(about)})
    np.savez(tmp_path / "run.npz", **entries)
    with pytest.raises(ValueError, match=r"run\.npz holds no run"):
        Run.load(tmp_path / "run.npz")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"format_version": FORMAT_VERSION + 1},
            rf"version {FORMAT_VERSION + 1}, expected .* version {FORMAT_VERSION}",
        ),
        ({"format_version": 1}, rf"version 1, expected 'jaxmaxent-run' version {FORMAT_VERSION}$"),
        ({"format_version": 3}, rf"version 3, expected 'jaxmaxent-run' version {FORMAT_VERSION}$"),
        ({"format_version": str(FORMAT_VERSION)}, f"version '{FORMAT_VERSION}', expected"),
        ({"format_version": None}, "holds no run"),
        ({"format": "jaxmaxent-model"}, "has format 'jaxmaxent-model'"),
        ({"steps": None}, "no complete run: steps is missing"),
        ({"frequencies": None}, "no complete run: frequencies is missing"),
        ({"outcomes": None}, "no complete run: outcomes is missing"),
    ],
)
def test_another_format_is_named(path, changes, message):
    rewrite(path, **changes)
    with pytest.raises(ValueError, match=rf"run\.npz.*{message}"):
        Run.load(path)


def test_entries_of_later_writers_are_passed_over(path, runs):
    rewrite(path, remark="of a later version", extra=np.arange(3))
    assert_same(Run.load(path), runs[True])


# Damages of an array, besides that it is missing.
DAMAGE = {
    "another type": lambda a: a.astype(complex),
    "text": lambda a: a.astype(str),
    "numbers for truth and the other way round": lambda a: a.astype(bool if a.dtype.kind != "b" else np.uint8),
    "an axis more": lambda a: a[None],
    "an axis less": lambda a: a[0],
    "no axis": lambda a: a.reshape(-1)[0].reshape(()),
    "a longer axis": lambda a: np.concatenate([a, a[..., -1:]], axis=-1),
    "a longer first axis": lambda a: np.concatenate([a, a[-1:]]),
    "nothing": lambda a: a[:0],
    "one number": lambda a: np.float64(3.0).reshape(()),
}


@pytest.fixture(scope="module")
def saved(runs, tmp_path_factory):
    """The entries of a saved run: arrays, and words."""
    runs[True].save(file := tmp_path_factory.mktemp("saved") / "run.npz")
    with np.load(file) as archive:
        entries = dict(archive)
    return entries, json.loads(str(entries.pop("about")))


def load_of(tmp_path, arrays, words):
    np.savez(tmp_path / "run.npz", about=np.array(json.dumps(words)), **arrays)
    return Run.load(tmp_path / "run.npz")


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_that_is_not_as_it_was_written_is_refused(saved, tmp_path, name):
    arrays, words = saved
    rest = {key: array for key, array in arrays.items() if key != name}
    load_of(tmp_path, arrays, words)
    for damage, change in DAMAGE.items():
        with pytest.raises(ValueError, match=r"run\.npz is no complete run: "):
            load_of(tmp_path, rest | {name: change(arrays[name])}, words)
            pytest.fail(damage)
    absent = [] if name == "kmer_counts" else [{}]  # files of earlier runs lack it
    for word in (*absent, {name: "text"}, {name: 3}, {name: [1, 2]}, {name: arrays[name].tolist()}):
        with pytest.raises(ValueError, match=f"is no complete run: {name} is missing"):
            load_of(tmp_path, rest, words | word)
            pytest.fail(str(word))
    if name not in ("draws", "kmer_counts"):
        with pytest.raises(ValueError, match=f"is no complete run: {name} is missing"):
            load_of(tmp_path, rest, words | {name: None})


@pytest.mark.parametrize("name", WORDS)
def test_a_word_that_is_not_as_it_was_written_is_refused(saved, tmp_path, name):
    arrays, words = saved
    rest = {key: word for key, word in words.items() if key != name}
    wrong = [{}, {name: None}, {name: True}, {name: {"a": 1}}, {name: [1, 2]}, {name: -1}, {name: float("nan")}]
    wrong += [{name: [None]}, {name: 1.5} if name in ("burn_in", "thin") else {name: "x" * 10**6 + "y", "thin": None}]
    if isinstance(words[name], list):
        wrong += [{name: "abc"}, {name: [*words[name], "another"]}, {name: words[name][:-1]}]
    elif isinstance(words[name], str):
        wrong += [{name: 3}, {name: list(words[name])}]
    else:
        wrong += [{name: "3"}, {name: float("inf")}]
    for change in wrong:
        with pytest.raises(ValueError, match=r"run\.npz is no complete run: ") as raised:
            load_of(tmp_path, arrays, rest | change)
            pytest.fail(str(change)[:100])
        assert len(str(raised.value)) < 500


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("anchors", lambda a: a + 4),
        ("last", lambda a: np.where(a == a.max(), 200, a).astype(np.uint8)),
        ("draws", lambda a: np.full_like(a, 255)),
        ("beta", lambda a: a[:, ::-1]),
        ("beta", lambda a: a - 1),
        ("beta", lambda a: np.where(a == a.max(), np.nan, a)),
        ("steps", lambda a: a.astype(float)),
        ("anchors", lambda a: a.astype(np.int64)),
    ],
)
def test_values_that_no_run_has_are_refused(saved, tmp_path, name, change):
    arrays, words = saved
    with pytest.raises(ValueError, match=f"is no complete run: {name} "):
        load_of(tmp_path, arrays | {name: change(arrays[name])}, words)


@pytest.mark.parametrize("suffix", export.ENGINES)
@pytest.mark.parametrize("name", ["energy", "anchors", "last", "converged"])
def test_every_format_is_checked_alike(runs, tmp_path, suffix, name):
    for package in ("xarray", *export.ENGINES[suffix]):
        pytest.importorskip(package, reason=f'needs {package}: pip install "jaxmaxent[xarray]"')
    wrong = np.int16 if name != "last" else np.float32
    dataclasses.replace(runs[True], **{name: getattr(runs[True], name).astype(wrong)}).save(tmp_path / f"run{suffix}")
    with pytest.raises(ValueError, match=f"is no complete run: {name} is of type {np.dtype(wrong)}"):
        Run.load(tmp_path / f"run{suffix}")


@pytest.mark.parametrize("suffix", [".npz", *export.ENGINES])
def test_a_run_that_would_fill_the_memory_is_not_read(runs, tmp_path, monkeypatch, suffix):
    """A file of a few bytes can announce arrays of any size."""
    for package in ("xarray", *export.ENGINES[suffix]) if suffix != ".npz" else ():
        pytest.importorskip(package, reason=f'needs {package}: pip install "jaxmaxent[xarray]"')
    runs[True].save(tmp_path / f"run{suffix}")
    size = sum(array.nbytes for array in vars(runs[True]).values() if isinstance(array, np.ndarray))
    monkeypatch.setattr(memory, "free_bytes", lambda: size // 2)
    with pytest.raises(ValueError, match=rf"run\{suffix} is damaged or too large: it announces .* GiB of arrays"):
        Run.load(tmp_path / f"run{suffix}")
    monkeypatch.setattr(memory, "free_bytes", lambda: None)
    Run.load(tmp_path / f"run{suffix}")


def test_an_array_that_announces_more_than_it_holds_is_damaged(saved, tmp_path):
    arrays, words = saved
    np.savez(tmp_path / "run.npz", about=np.array(json.dumps(words)), **arrays)
    with zipfile.ZipFile(tmp_path / "run.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = np.lib.format.magic(1, 0) + b"\x76\x00"
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000000,), }"
    members["energy.npy"] = header + text.ljust(0x75) + b"\n"
    with zipfile.ZipFile(tmp_path / "run.npz", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match=r"run\.npz is damaged or no run"):
        Run.load(tmp_path / "run.npz")


class Harmful:
    def __reduce__(self):
        return pytest.fail, ("the pickle was executed",)


def test_pickled_objects_are_not_executed(path):
    rewrite(path, extra=np.array([1, Harmful()], object))
    with pytest.raises(ValueError, match=r"run\.npz is damaged or no run"):
        Run.load(path)


# --- writing


@pytest.mark.parametrize("name", ["run", "run.npy", "run.npz.gz", "run.NPZ"])
def test_other_files_are_neither_written_nor_read(runs, tmp_path, name):
    message = rf"path must end in \.npz, \.nc or \.zarr, got '{tmp_path / name}'$"
    with pytest.raises(ValueError, match=message):
        runs[False].save(tmp_path / name)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match=message):
        Run.load(tmp_path / name)


def test_a_file_that_exists_is_only_replaced_when_asked_for(runs, path):
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"run\.npz exists already"):
        runs[False].save(path)
    assert path.read_bytes() == before
    runs[False].save(path, force=True)
    assert_same(Run.load(path), runs[False])
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_is_no_run_is_not_replaced(runs, path):
    np.savez(path.with_name("other.npz"), about=np.array('{"format": "other"}'))
    for content in (b"years of work", b"", path.with_name("other.npz").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"run\.npz was not written by jaxmaxent and is not overwritten"):
            runs[False].save(path, force=True)
        assert path.read_bytes() == content
