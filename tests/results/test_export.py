import builtins
import json
import shutil
import warnings
import zlib

import numpy as np
import pytest
from made_up_runs import ARRAYS, NAMES, assert_same, made_up

import jaxmaxent as jme
from jaxmaxent import diagnostics
from jaxmaxent.results import SCHEMA, Run, join
from jaxmaxent.results import _export as export
from jaxmaxent.results import _format as store
from jaxmaxent.results._format import FORMAT_VERSION
from jaxmaxent.results._schema import axes

RUNS = {
    "all": {},
    "without draws": {"draws": False},
    "without a ladder or fields": {"fields": (), "rung": 1},
    "one of each": {"fields": ("N",), "anchor": 1, "rung": 2, "position": 1, "letter": 2, "chain": 1, "draws": False},
}


@pytest.fixture(scope="module")
def xarray():
    return pytest.importorskip("xarray", reason='needs xarray: pip install "jaxmaxent[xarray]"')


@pytest.fixture(scope="module", params=[".nc", ".zarr"])
def suffix(request, xarray):
    for package in export.ENGINES[request.param]:
        pytest.importorskip(package, reason=f'needs {package}: pip install "jaxmaxent[xarray]"')
    return request.param


@pytest.fixture
def path(suffix, tmp_path):
    """A run on disk."""
    made_up().save(tmp_path / f"run{suffix}")
    return tmp_path / f"run{suffix}"


@pytest.fixture(scope="module")
def arviz(xarray):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it announces its next version
        return pytest.importorskip("arviz", reason="needs ArviZ: pip install arviz", exc_type=ImportError)


# --- datasets


@pytest.mark.parametrize("kind", RUNS)
def test_a_dataset_has_every_array(xarray, kind):
    run = made_up(**RUNS[kind])
    dataset = run.to_xarray()
    for name in ARRAYS:
        if getattr(run, name) is None:
            assert name not in dataset
        else:
            np.testing.assert_array_equal(dataset[name].values, getattr(run, name))
            assert dataset[name].attrs == {"long_name": SCHEMA[name].meaning, "units": SCHEMA[name].unit}
            assert list(dataset[name].dims) == axes(name)
    assert tuple(dataset.outcomes.values) == run.outcomes


def test_entries_are_found_by_name(xarray):
    run = made_up()
    dataset = run.to_xarray()
    assert dataset.frequencies.sel(anchor="β", position=3, letter="G")[2] == run.frequencies[1, 2, 3, 2]
    assert dataset.mu.sel(anchor="c d", field="CpG") == run.mu[2, 1]
    np.testing.assert_array_equal(dataset.energy.sel(anchor="a").beta, run.beta[0])  # β comes along
    assert dataset.sel(anchor="β").outcomes == "not converged: β"
    assert (dataset.attrs["thin"], dataset.attrs["letters"], dataset.attrs["device"]) == (5, "ACGT", "cpu")
    assert dataset.attrs["inference_library_version"] == jme.__version__


# --- on disk


@pytest.mark.parametrize("kind", RUNS)
def test_a_run_comes_back_bit_for_bit(suffix, tmp_path, kind):
    run = made_up(**RUNS[kind])
    run.save(tmp_path / f"run{suffix}")
    assert_same(Run.load(tmp_path / f"run{suffix}"), run)
    assert [entry.name for entry in tmp_path.iterdir()] == [f"run{suffix}"]


def test_others_read_it_with_xarray_alone(path, xarray):
    run = made_up()
    with xarray.open_dataset(path, engine="zarr" if path.suffix == ".zarr" else "h5netcdf") as dataset:
        assert dataset.energy.sel(anchor="β")[2] == run.energy[1, 2]
        np.testing.assert_array_equal(dataset.draws, run.draws)
        np.testing.assert_array_equal(dataset.converged, run.converged)
        assert dataset.energy.attrs == {"long_name": "mean energy ⟨E⟩", "units": "E"}
        assert list(dataset.anchor.values) == list(NAMES)
        assert (dataset.attrs["format"], dataset.attrs["format_version"]) == ("jaxmaxent-run", FORMAT_VERSION)


def test_what_exists_is_only_replaced_when_asked_for(path):
    other = made_up(1, draws=False)
    with pytest.raises(ValueError, match=rf"run\{path.suffix} exists already"):
        other.save(path)
    assert_same(Run.load(path), made_up())
    other.save(path, force=True)
    assert_same(Run.load(path), other)
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_of_another_kind_is_not_overwritten(suffix, tmp_path):
    path = tmp_path / f"run{suffix}"
    path.mkdir()
    (path / "thesis.txt").write_text("the only copy")
    with pytest.raises(ValueError, match="is a folder|was not written by jaxmaxent"):
        made_up().save(path, force=True)
    assert (path / "thesis.txt").read_text() == "the only copy"


def test_a_file_added_to_a_store_or_a_file_of_another_kind_is_not_overwritten(path):
    if path.is_dir():
        (path / "energy" / "thesis.txt").write_text("the only copy")
    else:
        path.write_bytes(path.read_bytes() + b"the only copy")
    with pytest.raises(ValueError, match="not written by jaxmaxent"):
        made_up(1).save(path, force=True)


def test_what_fails_halfway_leaves_nothing(suffix, tmp_path, xarray, monkeypatch):
    name = "to_zarr" if suffix == ".zarr" else "to_netcdf"
    write = getattr(xarray.Dataset, name)

    def full_disk(*args, **kwargs):
        write(*args, **kwargs)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xarray.Dataset, name, full_disk)
    with pytest.raises(ValueError, match=rf"run\{suffix} cannot be written: No space left"):
        made_up().save(tmp_path / f"run{suffix}")
    assert not list(tmp_path.iterdir())


# --- files that are no run


def test_a_missing_store_is_named(suffix, tmp_path):
    with pytest.raises(ValueError, match=rf"gone\{suffix} is not there, expected a run saved as \{suffix}$"):
        Run.load(tmp_path / f"gone{suffix}")


def test_a_file_or_folder_of_another_kind_is_no_run(suffix, tmp_path):
    path = tmp_path / f"run{suffix}"
    for content in (b"", b"not a store", b"\x89HDF\r\n\x1a\n", b"CDF\x01"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"run\{suffix} is damaged or no run"):
            Run.load(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ValueError, match=rf"run\{suffix} is damaged or no run"):
        Run.load(path)


def test_a_truncated_file_is_damaged(path):
    file = path / "frequencies" / "0.0.0.0" if path.is_dir() else path
    whole = file.read_bytes()
    for share in (0.1, 0.5, 0.9, 0.999):
        file.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(ValueError, match=rf"run\{path.suffix} is damaged"):
            Run.load(path)


def test_changed_bits_are_found(path):
    files = [path / name for name in ("energy/0.0", "draws/0.0.0.0.0", ".zmetadata")] if path.is_dir() else [path]
    for file in files:
        whole = file.read_bytes()
        for place in range(0, len(whole), 1 + len(whole) // 11):
            broken = bytearray(whole)
            broken[place] ^= 0xFF
            file.write_bytes(broken)
            with pytest.raises(ValueError, match=rf"run\{path.suffix} is damaged"):
                Run.load(path)
        file.write_bytes(whole)
    assert_same(Run.load(path), made_up())


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("energy/0.0", "is damaged .* 'energy' does not have its checksum"),
        ("energy", "is damaged"),
        ("draws/.zarray", None),
        (".zmetadata", "is damaged"),
        (".zattrs", "holds no run"),
    ],
)
def test_a_zarr_store_without_one_of_its_files_is_refused_or_the_same(xarray, tmp_path, gone, message):
    """Zarr itself reads a missing chunk as zeros."""
    pytest.importorskip("zarr", reason='needs zarr: pip install "jaxmaxent[xarray]"')
    path = tmp_path / "run.zarr"
    made_up().save(path)
    if (path / gone).is_dir():
        shutil.rmtree(path / gone)
    else:
        (path / gone).unlink()
    if message is None:  # it stands in .zmetadata as well
        assert_same(Run.load(path), made_up())
    else:
        with pytest.raises(ValueError, match=message):
            Run.load(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("FORMAT_VERSION", 1, f"has format 'jaxmaxent-run' version 1, expected .* version {FORMAT_VERSION}"),
        ("FORMAT", "jaxmaxent-model", "has format 'jaxmaxent-model'"),
    ],
)
def test_another_format_is_named(suffix, tmp_path, monkeypatch, name, value, message):
    with monkeypatch.context() as before:
        before.setattr(store, name, value)
        made_up().save(tmp_path / f"run{suffix}")
    with pytest.raises(ValueError, match=rf"run\{suffix} {message}"):
        Run.load(tmp_path / f"run{suffix}")


def test_a_foreign_dataset_is_no_run(suffix, tmp_path):
    path, dataset = tmp_path / f"run{suffix}", made_up().to_xarray()
    if suffix == ".zarr":
        dataset.to_zarr(path, zarr_format=2, consolidated=True)
    else:
        dataset.to_netcdf(path, engine="h5netcdf")
    with pytest.raises(
        ValueError, match=rf"run\{suffix} (is damaged or|holds) no run, expected what `Run\.save` wrote"
    ):
        Run.load(path)


def attributes(**changes):
    return lambda dataset: dataset.assign_attrs(**changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (attributes(about="[1"), "is damaged or was changed: .*'about' does not have its checksum"),
        (attributes(checksums="[1"), "is damaged or was changed"),
        (attributes(checksums="[]"), "is damaged or was changed"),
        (attributes(about="{}", checksums=json.dumps({"about": zlib.crc32(b"{}")})), "holds no run"),
        (
            attributes(about="{}", checksums=json.dumps({"about": zlib.crc32(b"{}"), "energy": 3})),
            "is damaged or was changed",
        ),
        (lambda dataset: dataset.drop_vars("energy"), "is damaged or was changed: .*energy"),
        (lambda dataset: dataset.isel(anchor=[0]), "is damaged or was changed: its array 'anchors' does not have"),
        (lambda dataset: dataset.assign(energy=dataset.energy + 1), "'energy' does not have its checksum"),
    ],
)
def test_what_others_changed_is_refused_by_name(xarray, tmp_path, change, message):
    pytest.importorskip("zarr", reason='needs zarr: pip install "jaxmaxent[xarray]"')
    made_up().save(tmp_path / "run.zarr")
    dataset = change(xarray.load_dataset(tmp_path / "run.zarr", engine="zarr")).drop_encoding()
    dataset.to_zarr(tmp_path / "changed.zarr", zarr_format=2, consolidated=True)
    with pytest.raises(ValueError, match=rf"changed\.zarr .*{message}"):
        Run.load(tmp_path / "changed.zarr")


# --- ArviZ


def groups(data):
    """Names of the groups, of either of ArviZ's classes."""
    return (
        {name.strip("/") for name in data.groups() if name != "/"}
        if callable(data.groups)
        else {name.strip("/") for name in data.groups if name != "/"}
    )


@pytest.mark.parametrize(("anchor", "rung"), [(0, None), (2, 1), (1, 0), (0, 3)])
def test_arviz_sees_the_chains_of_one_anchor_at_one_rung(arviz, anchor, rung):
    run = made_up()
    data = run.to_arviz(anchor=anchor, rung=rung)
    rung = 3 if rung is None else rung
    assert groups(data) == {"posterior", "draws", "constant_data"}
    assert data["posterior"]["energy"].dims == ("chain", "draw")
    np.testing.assert_array_equal(data["posterior"]["energy"].values, run.energies[anchor, rung])
    assert data["draws"]["token"].dims == ("chain", "draw", "position")
    np.testing.assert_array_equal(data["draws"]["token"].values, run.draws[anchor, rung].swapaxes(0, 1))
    differing = [[int((x != run.anchors[anchor]).sum()) for x in chain] for chain in data["draws"]["token"].values]
    np.testing.assert_array_equal(data["draws"]["distance"].values, differing)
    np.testing.assert_array_equal(data["constant_data"]["anchor"].values, run.anchors[anchor])
    assert data["posterior"].attrs["anchor"] == run.names[anchor]
    assert data["posterior"].attrs["beta"] == run.beta[anchor, rung]


def test_arviz_gets_its_own_class(arviz):
    data = made_up().to_arviz()
    expected = "InferenceData" if int(arviz.__version__.split(".")[0]) < 1 else "DataTree"
    assert type(data).__name__ == expected


def test_arviz_computes_the_same_numbers(arviz):
    run = made_up()
    data = run.to_arviz()
    energies = run.energies[0, -1].astype(float)
    assert float(arviz.ess(data)["energy"]) == pytest.approx(diagnostics.ess_bulk(energies))
    summary = arviz.summary(data)
    assert list(summary.index) == ["energy", *(f"{name} count" for name in run.field_names)]
    for index, name in enumerate(run.field_names):
        counts = run.counts[0, -1, ..., index]
        assert float(arviz.ess(data)[f"{name} count"]) == pytest.approx(diagnostics.ess_bulk(counts))
    distance = np.asarray(data["draws"]["distance"].values, float)
    assert float(arviz.rhat(distance)) == pytest.approx(diagnostics.rhat(distance))


def test_without_stored_draws_there_is_still_the_energy(arviz):
    data = made_up(draws=False).to_arviz()
    assert groups(data) == {"posterior", "constant_data"}
    assert data["posterior"].sizes == {"chain": 3, "draw": 40}


def test_states_that_the_shorter_of_two_joined_runs_does_not_have_are_left_out(arviz):
    joined = join([made_up(anchor=1, state=30, draws=False), made_up(anchor=1, draws=False)])
    assert joined.energies.shape[-1] == 40
    assert dict(joined.to_arviz(anchor=0)["posterior"].sizes) == {"chain": 3, "draw": 30}
    assert dict(joined.to_arviz(anchor=1)["posterior"].sizes) == {"chain": 3, "draw": 40}


@pytest.mark.parametrize("value", [3, -1, 1.0, True, "a", None])
def test_an_anchor_that_is_not_there_is_refused(arviz, value):
    with pytest.raises(ValueError, match=rf"anchor must be a whole number from 0 to 2, got {value!r}$"):
        made_up().to_arviz(anchor=value)


@pytest.mark.parametrize("value", [4, -1, 1.0, True, "target"])
def test_a_rung_that_is_not_there_is_refused(arviz, value):
    with pytest.raises(ValueError, match=rf"rung must be a whole number from 0 to 3, got {value!r}$"):
        made_up().to_arviz(rung=value)


# --- packages that are not installed


@pytest.mark.parametrize(
    ("missing", "extra", "action"),
    [
        ("xarray", "xarray", lambda run, folder: run.to_xarray()),
        ("xarray", "xarray", lambda run, folder: run.save(folder / "run.nc")),
        ("h5py", "xarray", lambda run, folder: run.save(folder / "run.nc")),
        ("zarr", "xarray", lambda run, folder: run.save(folder / "run.zarr")),
        ("zarr", "xarray", lambda run, folder: Run.load(folder / "run.zarr")),
        ("arviz", "arviz", lambda run, folder: run.to_arviz()),
    ],
)
def test_a_missing_package_is_named_with_its_extra(xarray, monkeypatch, tmp_path, missing, extra, action):
    def without(name, *args):
        if name == missing:
            raise ModuleNotFoundError(f"No module named {missing!r}")
        return find(name, *args)

    find = export.importlib.import_module
    monkeypatch.setattr(export.importlib, "import_module", without)
    with pytest.raises(ImportError, match=rf'needs {missing}: pip install "jaxmaxent\[{extra}\]"'):
        action(made_up(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_archive_needs_none_of_them(monkeypatch, tmp_path):
    def only_numpy(name, *args, **kwargs):
        assert name.split(".")[0] not in {"xarray", "h5netcdf", "h5py", "zarr", "arviz"}
        return find(name, *args, **kwargs)

    find = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", only_numpy)
    monkeypatch.setattr(export.importlib, "import_module", only_numpy)
    made_up().save(tmp_path / "run.npz")
    assert_same(Run.load(tmp_path / "run.npz"), made_up())
