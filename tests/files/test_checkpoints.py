"""Check that checkpoints come back bit for bit or are refused by name, and that a kill at any moment loses none."""

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import warnings

import ml_dtypes
import numpy as np
import pytest

from jaxmaxent.files._checkpoints import ABOUT, FORMAT_VERSION, Checkpoints, DamagedCheckpointWarning

ABOUT_RUN = {"seed": 3, "beta": [1.5, 2.0], "name": "β"}


def state(step):
    """Return arrays that all hold their step, about a megabyte of them."""
    rng = np.random.default_rng(step)
    return {
        "tokens": rng.integers(0, 4, (200, 5000), dtype=np.uint8),
        "sums": rng.normal(size=(7, 30)),
        "count": np.array(step),
        "none": np.zeros((0, step), np.float32),
    }


def assert_same(arrays, expected):
    assert list(arrays) == list(expected)
    for name, array in arrays.items():
        assert type(array) is np.ndarray, name
        wanted = expected[name]
        assert (array.dtype, array.shape, array.tobytes()) == (wanted.dtype, wanted.shape, wanted.tobytes()), name


def assert_whole(checkpoints, *steps):
    """Check that the state of one of the steps is loaded, and that its arrays and notes belong together."""
    step, arrays, notes = checkpoints.load()
    assert step in steps
    assert notes == {"step": step}
    assert_same(arrays, state(step))
    return step


def save(checkpoints, *steps):
    for step in steps:
        checkpoints.save(step, state(step), {"step": step})


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def content(folder):
    """Return every path below a folder, and the contents of the files."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


@pytest.fixture
def checkpoints(tmp_path):
    made = Checkpoints(tmp_path / "run")
    made.begin(ABOUT_RUN)
    return made


NUMBERS = np.random.default_rng(0).integers(0, 256, 480, dtype=np.uint8)
DTYPES = [*"?bBhHiIlLqQefd", ">i4", ">f8", "g", "F", ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.int4]


def test_every_type_and_shape_comes_back_bit_for_bit(checkpoints):
    arrays = {}
    for dtype in map(np.dtype, DTYPES):
        # Random bits, which as floats are NaN, infinite and subnormal as well; booleans and int4 have fewer bits.
        bits = NUMBERS & 1 if dtype.name in ("bool", "int4") else NUMBERS
        vector = bits[: 24 * dtype.itemsize].view(dtype)
        shapes = {"cube": (2, 3, 4), "column": (24, 1), "vector": (24,)}
        arrays |= {f"{dtype} {name}": vector.reshape(shape) for name, shape in shapes.items()}
        arrays |= {f"{dtype} {name}": np.zeros(shape, dtype) for name, shape in {"empty": 0, "flat": (3, 0, 2)}.items()}
        arrays[f"{dtype} point"] = vector[:1].reshape(())
    checkpoints.save(7, arrays, {"notes": [1, None, "β", 0.1, {}]})
    step, loaded, notes = checkpoints.load()
    assert (step, notes) == (7, {"notes": [1, None, "β", 0.1, {}]})
    assert_same(loaded, arrays)
    assert all(array.flags.writeable and array.flags.aligned for array in loaded.values())


def test_the_layout_in_memory_does_not_matter(checkpoints):
    cube = np.arange(24).reshape(2, 3, 4)
    cube.flags.writeable = False
    arrays = {"a/b": cube.T, ".": cube[:, ::-2], "": np.asfortranarray(cube), "scalar": np.float32(3)}
    checkpoints.save(0, arrays, {})
    assert_same(checkpoints.load()[1], {name: np.array(array, order="C") for name, array in arrays.items()})


def test_no_arrays_and_no_notes(checkpoints):
    checkpoints.save(0, {}, {})
    assert checkpoints.load() == (0, {}, {})


def test_the_newest_two_are_kept(checkpoints):
    save(checkpoints, 1, 2)
    assert_whole(checkpoints, 2)
    save(checkpoints, 30, 100)
    assert names(checkpoints.folder) == ["000003-step-30.npz", "000004-step-100.npz", ABOUT]
    assert_whole(checkpoints, 100)
    assert_same(checkpoints.load(step=30)[1], state(30))
    with pytest.raises(ValueError, match=r"run holds no checkpoint of step 2, only of 30, 100$"):
        checkpoints.load(step=2)


def test_a_run_that_goes_back_replaces_what_it_had_saved(checkpoints):
    save(checkpoints, 10, 20)
    save(checkpoints, 20)
    assert names(checkpoints.folder) == ["000001-step-10.npz", "000003-step-20.npz", ABOUT]
    save(checkpoints, 15)
    assert names(checkpoints.folder) == ["000001-step-10.npz", "000004-step-15.npz", ABOUT]
    assert_whole(checkpoints, 15)


def test_nothing_saved_yet(checkpoints):
    with pytest.raises(ValueError, match=r"run holds no checkpoint yet, as none was saved"):
        checkpoints.load()


def test_about_comes_back(checkpoints):
    assert Checkpoints(checkpoints.folder).about() == ABOUT_RUN
    assert json.loads((checkpoints.folder / ABOUT).read_text("utf-8"))["about"] == ABOUT_RUN


def test_relative_paths_stay_where_they_were(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    checkpoints = Checkpoints("deep/../a %20 #?é")
    checkpoints.begin({})
    monkeypatch.chdir(tmp_path / "elsewhere")
    save(checkpoints, 1)
    assert_whole(Checkpoints("../a %20 #?é"), 1)
    assert names(tmp_path) == ["a %20 #?é", "elsewhere"]


def test_an_empty_folder_is_taken(tmp_path):
    Checkpoints(tmp_path).begin(ABOUT_RUN)
    assert Checkpoints(tmp_path).about() == ABOUT_RUN


def test_it_is_begun_anew_only_if_asked_for(checkpoints):
    save(checkpoints, 1, 2)
    (checkpoints.folder / "mine.txt").write_text("kept")
    with pytest.raises(ValueError, match=r"run exists already.*--force"):
        checkpoints.begin({"other": 1})
    assert checkpoints.about() == ABOUT_RUN
    assert_whole(checkpoints, 2)
    checkpoints.begin({"other": 1}, force=True)
    assert checkpoints.about() == {"other": 1}
    assert names(checkpoints.folder) == [ABOUT, "mine.txt"]
    with pytest.raises(ValueError, match="holds no checkpoint yet"):
        checkpoints.load()


def test_remove(checkpoints):
    save(checkpoints, 1, 2)
    checkpoints.remove()
    assert not checkpoints.folder.exists()
    with pytest.raises(ValueError, match=r"run does not exist, expected a folder of checkpoints"):
        checkpoints.remove()


def test_remove_leaves_the_files_of_others(checkpoints):
    save(checkpoints, 1)
    (checkpoints.folder / "mine.txt").write_text("kept")
    checkpoints.remove()
    assert names(checkpoints.folder) == ["mine.txt"]


def foreign_file(path):
    path.write_text("a file")


def foreign_folder(path):
    path.mkdir()
    (path / "thesis.txt").write_text("years of work")


def foreign_run(path):
    path.mkdir()
    np.savez(path / "000001-step-1.npz", a=np.ones(3))


def foreign_about(path):
    path.mkdir()
    (path / ABOUT).write_text('{"format": "something"}')
    (path / "000001-step-1.npz").mkdir()


USES = {
    "begin": lambda checkpoints: checkpoints.begin({}),
    "force": lambda checkpoints: checkpoints.begin({}, force=True),
    "about": lambda checkpoints: checkpoints.about(),
    "save": lambda checkpoints: save(checkpoints, 1),
    "load": lambda checkpoints: checkpoints.load(),
    "remove": lambda checkpoints: checkpoints.remove(),
}


@pytest.mark.parametrize("make", [foreign_file, foreign_folder, foreign_run, foreign_about])
@pytest.mark.parametrize("use", USES)
def test_what_is_not_ours_is_refused_and_stays(tmp_path, make, use):
    make(tmp_path / "other")
    before = content(tmp_path)
    expected = "exists already|is a file" if use == "begin" else "holds no about.json|must have the format|is a file"
    with pytest.raises(ValueError, match=f"other.*({expected})"):
        USES[use](Checkpoints(tmp_path / "other"))
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "cannot be read as JSON"),
        ("", "cannot be read as JSON"),
        ("[1]", "must have the format 'jaxmaxent-checkpoints', got None"),
        ('{"format": "jaxmaxent-run"}', "must have the format 'jaxmaxent-checkpoints', got 'jaxmaxent-run'"),
        ('{"format": "jaxmaxent-checkpoints"}', "must have a format_version that is a whole number from 1, got None"),
        (
            '{"format": "jaxmaxent-checkpoints", "format_version": true}',
            "must have a format_version that is a whole number from 1, got True",
        ),
        (
            f'{{"format": "jaxmaxent-checkpoints", "format_version": {FORMAT_VERSION + 1}}}',
            f"has format_version {FORMAT_VERSION + 1}, but this version of jaxmaxent reads {FORMAT_VERSION} only",
        ),
        (
            '{"format": "jaxmaxent-checkpoints", "format_version": 1, "about": {}}',
            f"has format_version 1, but this version of jaxmaxent reads {FORMAT_VERSION} only",
        ),
        (
            f'{{"format": "jaxmaxent-checkpoints", "format_version": {FORMAT_VERSION}}}',
            "must hold an object 'about', got None",
        ),
        (
            f'{{"format": "jaxmaxent-checkpoints", "format_version": {FORMAT_VERSION}, "about": {{"layout": 4}}}}',
            "is damaged: what it says of the run does not have its checksum",
        ),
    ],
)
def test_a_wrong_description(checkpoints, text, message):
    save(checkpoints, 1)
    (checkpoints.folder / ABOUT).write_text(text)
    before = content(checkpoints.folder)
    for use in ("about", "save", "load", "remove", "force"):
        with pytest.raises(ValueError, match=rf"run/about\.json {message}"):
            USES[use](checkpoints)
    assert content(checkpoints.folder) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, {}, {}), "step must be a whole number of at least 0, got -1"),
        ((1.0, {}, {}), "step must be a whole number of at least 0, got 1.0"),
        ((1, {3: np.ones(1)}, {}), "arrays must be named by strings, got the name 3"),
        ((1, {"a": [1]}, {}), "arrays must hold NumPy arrays, but 'a' is a list"),
        ((1, {"a": np.array(["x"])}, {}), "arrays must hold numbers or booleans, but 'a' has the type <U1"),
        ((1, {"a": np.array([None])}, {}), "arrays must hold numbers or booleans, but 'a' has the type object"),
        ((1, {"a": np.zeros(1, "m8[s]")}, {}), "arrays must hold numbers or booleans, but 'a' has the type timedelta"),
        ((1, {"a": np.zeros(1, "i4,f4")}, {}), "arrays must hold numbers or booleans, but 'a' has the type"),
        ((1, {}, {"a": np.float32(1)}), "notes must be what JSON can hold, but .*float32"),
        ((1, {}, {"a": float("nan")}), "notes must be what JSON can hold, but .*not JSON compliant"),
    ],
)
def test_what_cannot_be_saved(checkpoints, arguments, message):
    with pytest.raises(ValueError, match=message):
        checkpoints.save(*arguments)
    assert names(checkpoints.folder) == [ABOUT]


def test_about_that_is_no_json(tmp_path):
    with pytest.raises(ValueError, match="about must be what JSON can hold, but"):
        Checkpoints(tmp_path / "run").begin({"when": object()})
    assert names(tmp_path) == []


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="file/run cannot be written: "):
        Checkpoints(tmp_path / "file" / "run").begin({})


@contextlib.contextmanager
def largest_file(size):
    """Make the system refuse to write files beyond a size, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_while_saving(checkpoints):
    save(checkpoints, 1)
    before = content(checkpoints.folder)
    with largest_file(10_000), pytest.raises(ValueError, match="run cannot be written: File too large"):
        save(checkpoints, 2)
    assert content(checkpoints.folder) == before
    save(checkpoints, 2)
    assert_whole(checkpoints, 2)


def damages(data, rng):
    """Yield a file that is missing, empty, cut, extended, filled with zeros, or has one bit flipped."""
    yield from (None, b"", data[:-1], data[: len(data) // 2], data + b"\0", bytes(len(data)))
    for _ in range(6):
        place, bit = rng.randrange(len(data)), rng.randrange(8)
        yield data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


@pytest.mark.slow
def test_damage_is_told_and_the_checkpoint_before_it_is_taken_or_it_is_harmless(checkpoints):
    save(checkpoints, 1, 2)
    newest = checkpoints.folder / "000002-step-2.npz"
    whole = newest.read_bytes()
    tail = len(whole) - 1000  # there the archive lists its entries, and each byte is another case
    flips = [(place, 1 << place % 8) for place in [*range(0, 400, 3), *range(tail, len(whole), 3)]]
    flipped = (whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :] for place, bit in flips)
    seen = set()
    for damaged in (*damages(whole, random.Random(0)), *flipped):
        if damaged is None:
            continue
        newest.write_bytes(damaged)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            seen.add(assert_whole(checkpoints, 1, 2))
        if told:
            assert [warning.category for warning in told] == [DamagedCheckpointWarning]
            said = str(told[0].message)
            assert said.startswith(f"the checkpoint {newest} is damaged: ") and "\n" not in said
            assert said.endswith("; going on from the one before it, of step 1")
        assert bool(told) == (assert_loaded(checkpoints) == 1)
    assert seen == {1, 2}


def assert_loaded(checkpoints):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return checkpoints.load()[0]


def damage_all(checkpoints, content=b"PK"):
    for path in checkpoints.folder.glob("*-step-*"):
        path.write_bytes(content)


@pytest.mark.parametrize("content", [b"", b"PK", b"\x93NUMPY", b"\x80\x04K\x01.", b"no archive at all"])
def test_where_all_are_damaged_one_sentence_says_so(checkpoints, content):
    save(checkpoints, 1, 2)
    damage_all(checkpoints, content)
    with pytest.raises(ValueError, match=r"run/000002-step-2.npz is damaged: .*, and so is the one before it$") as e:
        checkpoints.load()
    assert "\n" not in str(e.value)
    with pytest.raises(ValueError, match=r"run/000001-step-1.npz is damaged: ((?!one before).)*$"):
        checkpoints.load(step=1)


def test_a_damaged_checkpoint_is_not_the_one_that_is_kept(checkpoints):
    save(checkpoints, 1, 2)
    (checkpoints.folder / "000002-step-2.npz").write_bytes(b"PK")
    with pytest.warns(DamagedCheckpointWarning, match="of step 1"):
        checkpoints.load()
    save(checkpoints, 3)
    assert names(checkpoints.folder) == ["000001-step-1.npz", "000003-step-3.npz", ABOUT]


def test_a_checkpoint_under_the_name_of_another(checkpoints):
    save(checkpoints, 1, 2)
    (checkpoints.folder / "000002-step-2.npz").rename(checkpoints.folder / "000002-step-3.npz")
    with pytest.warns(DamagedCheckpointWarning, match=r"000002-step-3.npz is damaged: it is of step 2; going on"):
        assert_whole(checkpoints, 1)


def test_an_archive_from_elsewhere(checkpoints):
    np.savez(checkpoints.folder / "000001-step-1.npz", a=np.ones(3))
    with pytest.raises(ValueError, match=r"000001-step-1.npz is damaged: "):
        checkpoints.load()
    np.savez(checkpoints.folder / "000001-step-1.npz", about=np.array([{"step": 1}], object))
    with pytest.raises(ValueError, match=r"000001-step-1.npz is damaged: "):
        checkpoints.load()


# Starts processes after all imports; each does one task and may be killed at any moment.
LAUNCHER = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from test_checkpoints import TASKS

for line in sys.stdin:
    folder, task, moment = line.rstrip("\\n").split("\\t")
    process = os.fork()
    if not process:
        code = 1
        try:
            TASKS[task](folder, int(moment))
            code = 0
        finally:
            os._exit(code)
    print("started", process, flush=True)
    print("ended", os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"}


def killed_before(moment, folder):
    """Kill this process just before its change on disk with this number, counted from 1."""
    changes = 0

    def hook(event, arguments):
        nonlocal changes
        opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (event in CHANGES or opened) and str(folder.parent) in str(arguments[0]):
            changes += 1
            if changes == moment:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def endless(folder, start):
    for step in range(start, start + 10**6):
        save(Checkpoints(folder), step)
        os.write(1, f"saved {step}\n".encode())


def one_change(use):
    def task(folder, moment):
        checkpoints = Checkpoints(folder)
        killed_before(moment, checkpoints.folder)
        use(checkpoints)

    return task


TASKS = {
    "endless": endless,
    "begin": one_change(lambda checkpoints: checkpoints.begin({"new": 1})),
    "force": one_change(lambda checkpoints: checkpoints.begin({"new": 1}, force=True)),
    "save": one_change(lambda checkpoints: save(checkpoints, 3)),
    "remove": one_change(lambda checkpoints: checkpoints.remove()),
}


class Launcher:
    def __init__(self):
        command = [sys.executable, "-c", LAUNCHER, os.path.dirname(__file__)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self, folder, task, moment):
        """Start a process with a task, and return its id."""
        self.process.stdin.write(f"{folder}\t{task}\t{moment}\n")
        self.process.stdin.flush()
        return self.line("started")[1]

    def line(self, *words):
        """Return the next line, one of the words and a number."""
        word, number = self.process.stdout.readline().split()
        assert word in words, word
        return word, int(number)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(60) == 0


@pytest.fixture(scope="module")
def launcher():
    with contextlib.closing(Launcher()) as made:
        yield made


def test_killed_while_saving(checkpoints, launcher):
    rng = random.Random(0)
    newest = 0
    for _ in range(12):
        process = launcher.start(checkpoints.folder, "endless", newest + 1)
        lines = [launcher.line("saved")]
        time.sleep(rng.uniform(0, 0.15))
        os.kill(process, signal.SIGKILL)
        while lines[-1][0] == "saved":
            lines.append(launcher.line("saved", "ended"))
        *_, (_, reported), (_, code) = lines
        assert code == -signal.SIGKILL
        # The save that was reported is there; the next may be complete although it was not reported.
        newest = assert_whole(checkpoints, reported, reported + 1)
        if newest > 1:
            assert_same(checkpoints.load(step=newest - 1)[1], state(newest - 1))


def kills(launcher, folder, task):
    """Kill a task before each of its changes, in turn, and yield after each kill."""
    moment = 0
    while True:
        moment += 1
        launcher.start(folder, task, moment)
        _, code = launcher.line("ended")
        if code == 0:
            break
        assert code == -signal.SIGKILL
        yield moment
    assert moment > 2


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Return a folder with two checkpoints."""
    checkpoints = Checkpoints(tmp_path_factory.mktemp("two") / "run")
    checkpoints.begin(ABOUT_RUN)
    save(checkpoints, 1, 2)
    return checkpoints.folder


def reset(folder, two):
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(two, folder)


def outcome(checkpoints):
    """Return the newest step, or the sentence that tells why there is none, without the path."""
    try:
        return assert_whole(checkpoints, 1, 2, 3)
    except ValueError as error:
        assert str(error).startswith(str(checkpoints.folder))
        return str(error).removeprefix(str(checkpoints.folder)).split(",")[0].strip()


def test_killed_in_begin(tmp_path, launcher):
    checkpoints = Checkpoints(tmp_path / "run")
    seen = set()
    for _ in kills(launcher, checkpoints.folder, "begin"):
        seen.add(outcome(checkpoints))
        if "holds no checkpoint yet" not in seen:
            checkpoints.begin({"again": 1})
            assert names(checkpoints.folder) == [ABOUT]
        assert checkpoints.about() == ({"new": 1} if "holds no checkpoint yet" in seen else {"again": 1})
        checkpoints.remove()
    assert seen >= {"does not exist", "holds no about.json"}
    assert outcome(checkpoints) == "holds no checkpoint yet"


def test_killed_while_beginning_anew(tmp_path, launcher, two):
    checkpoints = Checkpoints(tmp_path / "run")
    reset(checkpoints.folder, two)
    for _ in kills(launcher, checkpoints.folder, "force"):
        old = checkpoints.about() == ABOUT_RUN
        assert old or checkpoints.about() == {"new": 1}
        assert outcome(checkpoints) in ({2, "holds no checkpoint yet"} if old else {"holds no checkpoint yet"})
        checkpoints.begin({"again": 1}, force=True)
        assert names(checkpoints.folder) == [ABOUT]
        reset(checkpoints.folder, two)
    assert names(checkpoints.folder) == [ABOUT]


def test_killed_while_saving_and_deleting(tmp_path, launcher, two):
    checkpoints = Checkpoints(tmp_path / "run")
    reset(checkpoints.folder, two)
    seen = []
    for _ in kills(launcher, checkpoints.folder, "save"):
        seen.append(outcome(checkpoints))
        save(checkpoints, 4)
        last = seen[-1]
        assert names(checkpoints.folder) == [f"{last:06d}-step-{last}.npz", f"{last + 1:06d}-step-4.npz", ABOUT]
        reset(checkpoints.folder, two)
    assert seen == sorted(seen)
    assert set(seen) == {2, 3}
    assert names(checkpoints.folder) == ["000002-step-2.npz", "000003-step-3.npz", ABOUT]


def test_killed_in_remove(tmp_path, launcher, two):
    checkpoints = Checkpoints(tmp_path / "run")
    reset(checkpoints.folder, two)
    for _ in kills(launcher, checkpoints.folder, "remove"):
        assert outcome(checkpoints) in {2, "holds no checkpoint yet", "holds no about.json"}
        checkpoints.begin({}, force=True)
        reset(checkpoints.folder, two)
    assert not checkpoints.folder.exists()
