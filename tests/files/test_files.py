"""Output is whole or absent, replaces only what was written here, and goes where links and mount points say."""

import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from jaxmaxent.files import HIDDEN, MANIFEST, belongings, lies_inside, new_file, new_folder, owned, write_whole
from jaxmaxent.files._publish import obstacle

NEW = {"a.txt": "new", "part/b.txt": "new"}
OLD = {"a.txt": "old", "old/c.txt": "old"}


def tree(folder):
    """Every path below a folder besides lists of files, and what the files hold."""
    paths = [p for p in folder.rglob("*") if p.name != MANIFEST]
    return {str(p.relative_to(folder)): p.read_text() if p.is_file() else None for p in paths}


def files(folder):
    return {name: text for name, text in tree(folder).items() if text is not None}


def fill(path, content=NEW, force=False, kind="test"):
    with new_folder(path, kind=kind, force=force) as folder:
        for name, text in content.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)


def write(path, text="new", **settings):
    with new_file(path, **settings) as scratch:
        scratch.write_text(text)


def refused(path, words, **settings):
    with pytest.raises(ValueError, match=words), new_folder(path, kind="test", **settings):
        pytest.fail("the block must not run")


def refused_file(path, words, **settings):
    with pytest.raises(ValueError, match=words), new_file(path, **settings):
        pytest.fail("the block must not run")


def test_a_file_appears_under_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "er" / "a.txt"
    with new_file(path) as scratch:
        scratch.write_text("whole")
        assert scratch.name == path.name
        assert not path.exists()
    assert tree(tmp_path) == {"deep": None, "deep/er": None, "deep/er/a.txt": "whole"}


def test_a_folder_appears_under_its_name_when_it_is_whole(tmp_path):
    with new_folder(tmp_path / "out", kind="test") as folder:
        (folder / "part").mkdir()
        (folder / "part" / "a.txt").write_text("whole")
        (folder / "empty" / "empty").mkdir(parents=True)
        assert not (tmp_path / "out").exists()
    assert tree(tmp_path) == {"out": None, "out/part": None, "out/part/a.txt": "whole"}


def test_all_is_on_the_disk_before_it_appears(tmp_path, monkeypatch):
    steps = []
    for name in ("fsync", "rename", "replace"):
        call = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *given, name=name, call=call: (steps.append(name), call(*given)))
    write(tmp_path / "a.txt")
    assert steps == ["fsync", "replace", "fsync"]
    steps.clear()
    fill(tmp_path / "out")
    assert steps.count("fsync") >= len(NEW) + 2 and steps[-2:] == ["rename", "fsync"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("force", [False, True])
def test_failure_leaves_what_was_there(tmp_path, error, force):
    if force:
        write(tmp_path / "a.txt", "before")
        fill(tmp_path / "out", OLD)
    (tmp_path / "empty").mkdir()
    before = tree(tmp_path)
    with pytest.raises(error), new_file(tmp_path / "a.txt", force=force) as scratch:
        scratch.write_text("half")
        raise error
    for name in ("out", "empty"):
        with pytest.raises(error), new_folder(tmp_path / name, kind="test", force=force) as folder:
            (folder / "half.txt").write_text("half")
            raise error
    assert tree(tmp_path) == before


def test_nothing_is_overwritten_unless_asked_for(tmp_path):
    write(tmp_path / "a.txt", "before")
    fill(tmp_path / "out", OLD)
    before = tree(tmp_path)
    refused_file(tmp_path / "a.txt", r"a\.txt exists already.*--force")
    refused(tmp_path / "out", r"out exists already.*--force")
    refused(tmp_path / "a.txt", r"a\.txt exists already and is a file", force=True)
    refused_file(tmp_path / "out", "out is a folder", force=True)
    assert tree(tmp_path) == before


def test_asked_for_it_is_replaced_whole(tmp_path):
    write(tmp_path / "a.txt", "before")
    fill(tmp_path / "out", OLD)
    (tmp_path / "out" / "a.txt").unlink()  # what is missing is missed by nobody
    write(tmp_path / "a.txt", "after", force=True)
    fill(tmp_path / "out", force=True)
    assert files(tmp_path) == {"a.txt": "after", "out/a.txt": "new", "out/part/b.txt": "new"}
    assert tree(tmp_path / "out") == {"a.txt": "new", "part": None, "part/b.txt": "new"}
    fill(tmp_path / "out", OLD, force=True)


def link(folder):
    (folder / "link.txt").symlink_to("a.txt")


def linked_folder(folder):
    (folder.parent / "elsewhere").mkdir()
    (folder.parent / "elsewhere" / "thesis.doc").write_text("years of work")
    (folder / "part").symlink_to(folder.parent / "elsewhere")


def another_list(folder):
    about = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(about | {"files": []}))


# What somebody did to a folder that was written here, and the words of the refusal.
CHANGES = {
    "a file": (
        lambda f: (f / "thesis.doc").write_text("years of work"),
        "'thesis.doc' in it was not written by jaxmaxent",
    ),
    "a hidden file": (lambda f: (f / ".notes").write_text("x"), "'.notes' in it was not written by jaxmaxent"),
    "a file below": (lambda f: (f / "old" / "n.txt").write_text("x"), "'old/n.txt' in it was not written by jaxmaxent"),
    "a folder": (lambda f: (f / "x" / "y").mkdir(parents=True) or (f / "x/y/z").touch(), "'x/y/z' in it was not"),
    "an edit": (lambda f: (f / "a.txt").write_text("corrected"), "'a.txt' in it has changed since"),
    "an edit below": (lambda f: (f / "old" / "c.txt").write_text("oLd"), "'old/c.txt' in it has changed since"),
    "a link": (link, "'link.txt' in it was not written by jaxmaxent"),
    "a linked folder": (linked_folder, "'part' in it was not written by jaxmaxent"),
    "a link for a file": (lambda f: (f / "a.txt").rename(f / "b") or link(f), "'b' in it was not written by jaxmaxent"),
    "a pipe": (lambda f: (f / "a.txt").unlink() or os.mkfifo(f / "a.txt"), "'a.txt' in it has changed since"),
    "no list": (lambda f: (f / MANIFEST).unlink(), f"it holds 'a.txt' and no valid {MANIFEST}"),
    "half a list": (lambda f: (f / MANIFEST).write_text('{"format"'), f"no valid {MANIFEST}"),
    "another list": (another_list, f"no valid {MANIFEST}"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_files_of_others_are_never_replaced(tmp_path, case):
    change, words = CHANGES[case]
    fill(tmp_path / "out", OLD)
    change(tmp_path / "out")
    before = sorted(tmp_path.rglob("*"))
    refused(tmp_path / "out", f"out is not overwritten, as .*{words}.*move that elsewhere", force=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_files_that_others_put_there_meanwhile_are_never_replaced(tmp_path):
    fill(tmp_path / "out", OLD)
    out = tmp_path / "out"
    with pytest.raises(ValueError, match="'thesis.doc' in it"), new_folder(out, kind="test", force=True) as folder:
        (folder / "a.txt").write_text("new")
        (out / "thesis.doc").write_text("years of work")
    assert files(tmp_path / "out") == OLD | {"thesis.doc": "years of work"}
    with pytest.raises(ValueError, match="fresh exists already"), new_folder(tmp_path / "fresh", kind="test"):
        (tmp_path / "fresh").mkdir()
        (tmp_path / "fresh" / "thesis.doc").write_text("years of work")
    assert files(tmp_path / "fresh") == {"thesis.doc": "years of work"}


@pytest.mark.parametrize("mark", ["summary.json", "architecture.json", "demo.json", "motifs.json", ".zgroup"])
def test_the_name_of_a_file_says_nothing(tmp_path, mark):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / mark).write_text("{}")
    (tmp_path / "out" / "thesis.doc").write_text("years of work")
    before = tree(tmp_path)
    refused(tmp_path / "out", "was not written by jaxmaxent", force=True)
    assert tree(tmp_path) == before


def test_output_of_another_kind_stays(tmp_path):
    fill(tmp_path / "out", OLD, kind="network")
    refused(tmp_path / "out", r"holds output of another kind \('network', expected 'test'\)", force=True)


def test_output_within_output_may_be_replaced_but_what_was_added_stays(tmp_path):
    def demo(force=False):
        with new_folder(tmp_path / "demo", kind="demo", force=force) as folder:
            fill(folder / "run", OLD)
            fill(folder / "model", OLD)

    demo()
    fill(tmp_path / "demo" / "run", NEW, force=True)
    assert obstacle(tmp_path / "demo", "demo") is None
    demo(force=True)
    assert files(tmp_path / "demo" / "run") == OLD
    fill(tmp_path / "demo" / "run2", NEW)
    with pytest.raises(ValueError, match="'run2/.jaxmaxent.json' in it was not written by jaxmaxent"):
        demo(force=True)
    shutil.rmtree(tmp_path / "demo" / "run2")
    (tmp_path / "demo" / "run" / "thesis.doc").write_text("years of work")
    with pytest.raises(ValueError, match=r"'run/thesis.doc' in it was not written by jaxmaxent"):
        demo(force=True)


def test_a_file_of_another_kind_stays_where_its_kind_is_known(tmp_path):
    write(tmp_path / "thesis.doc", "years of work")
    settings = {"force": True, "ours": lambda path: path.read_text().startswith("ours")}
    refused_file(tmp_path / "thesis.doc", "thesis.doc was not written by jaxmaxent and is not overwritten", **settings)
    write(tmp_path / "b.txt", "ours 1")
    write(tmp_path / "b.txt", "ours 2", **settings)
    with pytest.raises(ValueError, match="b.txt was not"), new_file(tmp_path / "b.txt", **settings) as scratch:
        scratch.write_text("ours 3")
        (tmp_path / "b.txt").write_text("theirs")
    assert files(tmp_path) == {"thesis.doc": "years of work", "b.txt": "theirs"}


@pytest.mark.parametrize("name", ["/dev/null", "pipe"])
def test_what_is_no_file_stays(tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    refused_file(tmp_path / name, "is a device or the like, expected the name of a file", force=True)
    assert (tmp_path / name).exists() and not (tmp_path / name).is_file()


@pytest.mark.parametrize("litter", [".DS_Store", "Thumbs.db", "desktop.ini", "lost+found"])
def test_what_a_file_manager_leaves_is_nobodys_work(tmp_path, litter):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / litter).touch()
    fill(tmp_path / "out")
    (tmp_path / "out" / "part" / litter).touch()
    fill(tmp_path / "out", OLD, force=True)
    assert files(tmp_path / "out") == OLD | {litter: ""}


# --- where it goes


def test_an_empty_folder_is_taken_and_keeps_its_rights(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out").chmod(0o711)
    number = (tmp_path / "out").stat().st_ino
    fill(tmp_path / "out")
    fill(tmp_path / "out", force=True)
    after = (tmp_path / "out").stat()
    assert (after.st_ino, after.st_mode & 0o777) == (number, 0o711)


def test_a_link_stays_and_its_target_is_written(tmp_path):
    (tmp_path / "volume").mkdir()
    for name in ("empty", "full"):
        (tmp_path / name).symlink_to(tmp_path / "volume" / name)
    (tmp_path / "volume" / "empty").mkdir()
    fill(tmp_path / "volume" / "full", OLD)
    (tmp_path / "fresh").symlink_to("volume/fresh")
    for name in ("empty", "full", "fresh"):
        fill(tmp_path / name, force=name == "full")
        assert (tmp_path / name).is_symlink()
        assert files(tmp_path / "volume" / name) == NEW
    write(tmp_path / "volume" / "a.txt", "old")
    (tmp_path / "b.txt").symlink_to("volume/a.txt")
    write(tmp_path / "b.txt", "new", force=True)
    assert (tmp_path / "b.txt").is_symlink() and (tmp_path / "volume" / "a.txt").read_text() == "new"
    assert not list(tmp_path.rglob(f"{HIDDEN}*"))


def test_a_link_that_leads_nowhere_is_refused_at_once(tmp_path):
    (tmp_path / "out").symlink_to(tmp_path / "gone" / "out")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for refuse in (refused, refused_file):
        refuse(tmp_path / "out", "out cannot be written: it is a link to .*gone/out, but .*gone is no folder")
        refuse(tmp_path / "loop", "loop.* cannot be written")
        refuse("", "the name of a place to write to is empty")
        refuse("a\0b", "without NUL characters, got 'a.*b'")
    with pytest.raises(ValueError, match="is a link"), owned(tmp_path / "out"):
        pytest.fail("the block must not run")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["loop", "out"]


@pytest.mark.parametrize("name", [".", "../out", "./", "sub/..", ""])
def test_the_working_directory_is_a_folder_like_others(tmp_path, monkeypatch, name):
    (tmp_path / "out" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "out")
    if name != "sub/..":
        (tmp_path / "out" / "sub").rmdir()
    if not name:
        return refused(name, "empty")
    if name == "sub/..":
        return refused(name, "exists already")
    with owned(name):
        fill(name)
    fill(name, OLD, force=True)
    assert files(tmp_path / "out") == OLD
    assert os.getcwd() == str(tmp_path / "out")  # it is still the same folder


def test_the_root_is_refused():
    refused("/", "/ exists already")
    refused("/", "/ is not overwritten", force=True)
    refused("..", "exists already")


@contextmanager
def mounted(*arguments):
    """Mount something, or skip the test where that is not allowed."""
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"needs the right to mount: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(arguments[-1])], check=True)


def test_a_mount_point_is_a_folder_like_others(tmp_path):
    (tmp_path / "out").mkdir()
    with mounted("-t", "tmpfs", "-o", "size=1m", "none", tmp_path / "out"):
        assert lies_inside(tmp_path / "out")
        for content, force in ((OLD, False), (NEW, True)):
            with owned(tmp_path / "out"):
                refused_owner(tmp_path / "out")
                fill(tmp_path / "out", content, force=force)
            assert files(tmp_path / "out") == content
        write(tmp_path / "out" / "thesis.doc", "x")
        refused(tmp_path / "out", "thesis.doc", force=True)
        assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_full_disk_leaves_what_was_there(tmp_path):
    (tmp_path / "disk").mkdir()
    with mounted("-t", "tmpfs", "-o", "size=256k", "none", tmp_path / "disk"):
        for place, force in ((tmp_path / "disk" / "fresh", False), (tmp_path / "disk" / "old", True)):
            if force:
                fill(place, OLD)
            before = tree(tmp_path)
            with pytest.raises(ValueError, match=f"^{place} cannot be written: No space left on device$"):
                fill(place, {"a.txt": "new" * 200_000}, force=force)
            with pytest.raises(ValueError, match="disk/a.txt cannot be written: No space left on device$"):
                write(tmp_path / "disk" / "a.txt", "new" * 200_000)
            # The file within the folder is hidden, so the folder is named.
            full = pytest.raises(ValueError, match=f"^{place} cannot be written: No space left on device$")
            with full, new_folder(place, kind="test", force=force) as folder:
                write(folder / "a.txt", "new" * 200_000)
            assert tree(tmp_path) == before


def test_a_read_only_place_is_refused_at_once_but_a_folder_in_it_may_be_written(tmp_path):
    (tmp_path / "ro" / "out").mkdir(parents=True)
    ro = tmp_path / "ro"
    with mounted("--bind", ro, ro), mounted("-t", "tmpfs", "none", ro / "out"):
        subprocess.run(["mount", "-o", "remount,ro,bind", ro], check=True)
        refused(ro / "fresh", "fresh cannot be written: Read-only file system")
        refused_file(ro / "a.txt", "a.txt cannot be written: Read-only file system")
        with owned(ro / "out"):
            fill(ro / "out")
        assert files(ro / "out") == NEW


def test_what_belongs_to_a_folder_lies_beside_it(tmp_path):
    assert not lies_inside(tmp_path)
    assert belongings(tmp_path / "run", ".checkpoint")[0] == tmp_path / "run.checkpoint"
    assert belongings(tmp_path / "run", ".checkpoint")[1].parent == tmp_path / "run"


@pytest.mark.parametrize("below", ["a", "a/b"])
def test_a_place_that_cannot_be_written_is_named(tmp_path, below):
    (tmp_path / "file").write_text("before")
    path = tmp_path / "file" / below
    refused(path, f"{path} cannot be written")
    refused_file(path, f"{path} cannot be written")
    with pytest.raises(ValueError, match=f"{path} cannot be written"), owned(path, parents=True):
        pytest.fail("the block must not run")
    assert tree(tmp_path) == {"file": "before"}


def test_what_is_made_can_be_read_by_whom_the_umask_says(tmp_path):
    before = os.umask(0o022)
    try:
        fill(tmp_path / "out")
        write(tmp_path / "a.txt")
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


# --- who writes


def refused_owner(path):
    with pytest.raises(ValueError, match=f"{path} is being written by another process"), owned(path):
        pytest.fail("the block must not run")


@pytest.mark.parametrize("exists", [False, True])
def test_a_second_writer_is_refused_at_once_and_changes_nothing(tmp_path, exists):
    if exists:
        fill(tmp_path / "out", OLD)
    with new_folder(tmp_path / "out", kind="test", force=exists) as folder:
        refused(tmp_path / "out", "out is being written by another process", force=exists)
        (folder / "a.txt").write_text("first")
    assert files(tmp_path / "out") == {"a.txt": "first"}
    with owned(tmp_path / "out"):
        refused_owner(tmp_path / "out")
    with owned(tmp_path / "out"):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_another_process_is_refused_until_it_is_killed(tmp_path):
    program = """
import sys, time
from jaxmaxent.files import owned
with owned(sys.argv[1]):
    print(1, flush=True)
    time.sleep(60)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"1\n"
        refused_owner(tmp_path / "out")
        process.kill()
    with owned(tmp_path / "out"):
        pass
    assert not list(tmp_path.iterdir())


def test_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    errors = []

    def work(number):
        try:
            for _ in range(50):
                write(tmp_path / "a.txt", f"{number}" * 1000, force=True)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(set((tmp_path / "a.txt").read_text())) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


# --- killed


CHANGING = {"os.rename", "os.remove", "os.rmdir", "os.mkdir"}
_watched = []


def _watch(event, arguments):
    if _watched and (event in CHANGING or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR))):
        place, copies = _watched[0]
        if str(place) in str(arguments[0]):
            _watched.clear()  # copying makes files as well
            shutil.copytree(place, copies / f"{len(list(copies.iterdir())):03d}")
            _watched.append((place, copies))


sys.addaudithook(_watch)


def moments(place, copies, act):
    """Copies of a folder as it was before each change that `act` makes: what a kill at any moment leaves."""
    copies.mkdir()
    _watched.append((place, copies))
    try:
        act()
    finally:
        _watched.clear()
    return sorted(copies.iterdir())


def test_a_kill_leaves_no_file_or_a_whole_one(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    states = set()
    for left in moments(place, tmp_path / "copies", lambda: write(place / "a.txt", "whole")):
        assert shown(left) in ({}, {"a.txt": "whole"})
        states.add(len(shown(left)))
        write(left / "a.txt", "again", force=True)
        assert tree(left) == {"a.txt": "again"}  # nothing hidden stays
    assert states == {0, 1}


def test_a_kill_leaves_no_folder_or_a_whole_one(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    states = set()
    for left in moments(place, tmp_path / "copies", lambda: fill(place / "out")):
        states.add((left / "out").exists())
        if (left / "out").exists():
            assert files(left / "out") == NEW
            refused(left / "out", "exists already")
        else:
            fill(left / "out", OLD)
            assert files(left) == {f"out/{name}": text for name, text in OLD.items()}
        assert not [p for p in left.iterdir() if p.name.startswith(HIDDEN)]
    assert states == {False, True}


@pytest.mark.parametrize("old", [OLD, {}])
def test_a_kill_while_a_folder_is_replaced_is_made_good_by_the_next_call(tmp_path, old):
    place = tmp_path / "place"
    (place / "out").mkdir(parents=True)
    if old:
        fill(place / "out", old)
    results, mixed = set(), 0
    for left in moments(place, tmp_path / "copies", lambda: fill(place / "out", force=True)):
        states = [left]
        if shown(left / "out") not in (old, NEW):
            mixed += 1
            # A kill while a kill is made good must not hurt either.
            states += moments(left, tmp_path / f"copies-{left.name}", lambda out=left / "out": look(out))
        for state in states:
            look(state / "out")
            results.add(tuple(sorted(files(state / "out").items())))
            assert not list(state.rglob(f"{HIDDEN}*"))
            fill(state / "out", {"c.txt": "third"}, force=True)
            assert files(state) == {"out/c.txt": "third"}
    assert results == {tuple(sorted(content.items())) for content in (old, NEW)}
    assert mixed


def shown(folder):
    return {name: text for name, text in files(folder).items() if not name.startswith(HIDDEN)}


def look(path):
    """What the first look at a place does, before anything else is written there."""
    try:
        with new_folder(path, kind="another"):
            raise KeyboardInterrupt
    except (ValueError, KeyboardInterrupt):
        pass


@pytest.mark.parametrize("moment", range(1, 6))
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, OSError(28, "No space left on device")])
def test_a_failure_between_the_last_renames_puts_everything_back(tmp_path, monkeypatch, moment, error):
    fill(tmp_path / "out", OLD)
    rename, count = os.rename, []

    def counted(source, target):
        count.append(source)
        if len(count) == moment:
            raise error
        rename(source, target)

    monkeypatch.setattr(os, "rename", counted)
    with pytest.raises((KeyboardInterrupt, SystemExit, ValueError)):
        fill(tmp_path / "out", force=True)
    assert len(count) >= moment
    assert files(tmp_path / "out") == OLD
    assert obstacle(tmp_path / "out", "test") is None
    assert not list(tmp_path.rglob(f"{HIDDEN}*"))


def test_what_cannot_be_put_back_is_not_deleted(tmp_path, monkeypatch):
    """A second Ctrl-C while everything is put back leaves that to the next call."""
    fill(tmp_path / "out", OLD)
    rename, count = os.rename, []

    def counted(source, target):
        count.append(source)
        if len(count) > 2:
            raise KeyboardInterrupt
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", counted)
        with pytest.raises(KeyboardInterrupt):
            fill(tmp_path / "out", force=True)
    look(tmp_path / "out")
    assert files(tmp_path / "out") == OLD
    assert not list(tmp_path.rglob(f"{HIDDEN}*"))


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    def fail(file):
        file.write(b"half")
        raise KeyboardInterrupt

    (tmp_path / "a.txt").write_text("before")
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a.txt", fail)
    assert tree(tmp_path) == {"a.txt": "before"}
    write_whole(tmp_path / "a.txt", lambda file: file.write(b"after"))
    assert tree(tmp_path) == {"a.txt": "after"}
