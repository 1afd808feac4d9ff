import os

import pytest

from jaxmaxent.files import new_file, new_folder

MARKER = "made_here.json"


def tree(folder):
    """Every path below a folder, and what the files hold."""
    return {str(p.relative_to(folder)): p.read_text() if p.is_file() else None for p in folder.rglob("*")}


def fill(path, text="new", force=False):
    with new_folder(path, marker=MARKER, force=force) as folder:
        (folder / MARKER).write_text(text)


def test_a_file_appears_under_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "er" / "a.txt"
    with new_file(path) as scratch:
        scratch.write_text("whole")
        assert scratch.suffix == ".txt"
        assert not path.exists()
    assert tree(tmp_path) == {"deep": None, "deep/er": None, "deep/er/a.txt": "whole"}


def test_a_folder_appears_under_its_name_when_it_is_whole(tmp_path):
    with new_folder(tmp_path / "out", marker=MARKER) as folder:
        (folder / "part").mkdir()
        (folder / "part" / "a.txt").write_text("whole")
        assert not (tmp_path / "out").exists()
    assert tree(tmp_path) == {"out": None, "out/part": None, "out/part/a.txt": "whole"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("force", [False, True])
def test_failure_leaves_what_was_there(tmp_path, error, force):
    if force:
        (tmp_path / "a.txt").write_text("before")
        fill(tmp_path / "out", "before")
    before = tree(tmp_path)
    with pytest.raises(error), new_file(tmp_path / "a.txt", force=force) as scratch:
        scratch.write_text("half")
        raise error
    with pytest.raises(error), new_folder(tmp_path / "out", marker=MARKER, force=force) as folder:
        (folder / "half.txt").write_text("half")
        raise error
    assert tree(tmp_path) == before


def test_failure_leaves_an_empty_folder_that_was_there(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(RuntimeError), new_folder(tmp_path / "out", marker=MARKER):
        raise RuntimeError
    assert tree(tmp_path) == {"out": None}


def test_failure_of_the_last_rename_leaves_the_old_folder(tmp_path, monkeypatch):
    fill(tmp_path / "out", "before")
    rename, failed = os.replace, []

    def replace(source, target):
        if target == tmp_path / "out" and not failed:
            failed.append(target)
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "out", force=True)
    assert failed
    assert tree(tmp_path) == {"out": None, f"out/{MARKER}": "before"}


def test_nothing_is_overwritten_unless_asked_for(tmp_path):
    (tmp_path / "a.txt").write_text("before")
    fill(tmp_path / "out", "before")
    with pytest.raises(ValueError, match=r"a\.txt exists already.*--force"), new_file(tmp_path / "a.txt"):
        pytest.fail("the block must not run")
    with pytest.raises(ValueError, match=r"out exists already.*--force"):
        fill(tmp_path / "out")
    assert tree(tmp_path) == {"a.txt": "before", "out": None, f"out/{MARKER}": "before"}


def test_asked_for_it_is_replaced_whole(tmp_path):
    (tmp_path / "a.txt").write_text("before")
    fill(tmp_path / "out", "before")
    (tmp_path / "out" / "other.txt").write_text("before")
    with new_file(tmp_path / "a.txt", force=True) as scratch:
        scratch.write_text("after")
    fill(tmp_path / "out", "after", force=True)
    assert tree(tmp_path) == {"a.txt": "after", "out": None, f"out/{MARKER}": "after"}


def test_a_folder_of_another_kind_is_never_replaced(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("before")
    before = tree(tmp_path)
    for name in ("out", "file"):
        with pytest.raises(ValueError, match=f"{name} holds no {MARKER}, so it was not written here"):
            fill(tmp_path / name, force=True)
    with pytest.raises(ValueError, match="out is a folder"), new_file(tmp_path / "out", force=True):
        pytest.fail("the block must not run")
    assert tree(tmp_path) == before


def test_a_marker_that_is_a_folder_does_not_count(tmp_path):
    (tmp_path / "out" / MARKER).mkdir(parents=True)
    with pytest.raises(ValueError, match="was not written here"):
        fill(tmp_path / "out", force=True)


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    fill(tmp_path / "out")
    assert tree(tmp_path) == {"out": None, f"out/{MARKER}": "new"}


@pytest.mark.parametrize("below", ["a", "a/b"])
def test_a_place_that_cannot_be_written_is_named(tmp_path, below):
    (tmp_path / "file").write_text("before")
    path = tmp_path / "file" / below
    with pytest.raises(ValueError, match=f"{path} cannot be written"), new_file(path):
        pytest.fail("the block must not run")
    with pytest.raises(ValueError, match=f"{path} cannot be written"):
        fill(path)
    assert tree(tmp_path) == {"file": "before"}


def test_what_is_made_can_be_read_by_whom_the_umask_says(tmp_path):
    """Temporary folders are private; what comes out of them must not stay so."""
    before = os.umask(0o022)
    try:
        fill(tmp_path / "out")
        with new_file(tmp_path / "a.txt") as scratch:
            scratch.write_text("new")
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644
