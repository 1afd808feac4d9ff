"""Kill commands at random moments or let disks become full, continue the commands, and compare with undisturbed ones.

    python benchmarks/faults.py [--kills 60] [--disks 20] [--seed 0]

Each command is its own process. It is killed by SIGKILL, SIGTERM or SIGINT. The moment is either random, or just
before or after one of its changes of the disk: it makes, renames, deletes or flushes a file or folder. Most of these
changes belong to checkpoints and to the last steps. Then the command is continued, by `resume` if work was kept,
otherwise by the same command. The result must be equal bit by bit except for times, and no other files may be left.
Output goes to a new folder, to an older one that it replaces (--force), to an empty folder, through a link, or, if
mounting is allowed, to a mount point, whose parent may be read-only. Disks are small file systems in memory, which
become full at some moment. The command must report this in one sentence, and must give the same result when there is
room again. If only a picture does not fit, the command may report that instead and go on.
"""

import argparse
import collections
import contextlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import numpy as np

RUN = "--beta 2 --rungs 2 --steps 100 --chains 2 --burn-in 20 --pictures 1 --evaluation full --quiet"
LINES = {
    "interpret": f"interpret model two.fa {RUN}",
    "resume": f"interpret model two.fa {RUN}",
    "train": "train table.tsv --architecture mlp --epochs 2 --quiet",
    "motifs": "motifs run",
    "potential": "potential model two.fa --beta 0.5 --gc 0.4 --chains 4 --tolerance 0.2 --limit 1 --quiet",
}
COMMANDS = {name: line.split() for name, line in LINES.items()}
FINE = (0, 3)
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
CHANGES = ("mkdir", "rename", "replace", "unlink", "rmdir", "fsync")
TIMES = {"seconds", "compile_seconds", "train_seconds", "proposals_per_second"}
PLACES = ("new", "force", "empty", "link", "mount", "read-only")


def work(arguments: list[str], log: Path, kill: tuple[int, int, bool] | None) -> None:
    """Run a command that kills itself before or after the change of the disk with the given number.

    The number of changes is written to a file beside the log. All imports are done before changes are counted.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    from jaxmaxent import cli
    from jaxmaxent.commands import _interpret as interpret
    from jaxmaxent.sampling import _checkpoint as save

    save._SECONDS_BETWEEN_SAVES = 0.0
    interpret.group_size = lambda *_: 1  # two groups of one sequence
    count = 0

    def watched(change):
        def function(*given, **settings):
            nonlocal count
            count += 1
            mine = kill is not None and count == kill[0]
            if kill is not None and mine and not kill[2]:
                os.kill(os.getpid(), kill[1])
            result = change(*given, **settings)
            if kill is not None and mine and kill[2]:
                os.kill(os.getpid(), kill[1])
            return result

        return function

    for name in CHANGES:
        setattr(os, name, watched(getattr(os, name)))
    code = 70
    try:
        code = cli.main(arguments)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 70
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    with open(f"{log}.changes", "w") as file:
        file.write(str(count))
    os._exit(code)


class Trials:
    """The trials of commands, and the checks of what they leave behind."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = home / "log"
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["jaxmaxent.cli", "jaxmaxent.commands._demo", "jaxmaxent.commands._motifs"])
        self.expected: dict[str, dict] = {}
        self.changes: dict[str, int] = {}
        self.seconds: dict[str, float] = {}

    def run(self, arguments: list[str], kill=None, signal_number: int | None = None, delay: float | None = None) -> int:
        """Run a command and return its exit code, or the negative number of the signal that ended it."""
        process = self.context.Process(target=work, args=(arguments, self.log, kill))
        process.start()
        process.join(delay)
        if signal_number is not None and process.is_alive() and process.pid is not None:
            os.kill(process.pid, signal_number)
        process.join(120)
        if process.is_alive():
            process.kill()
            raise SystemExit(f"{arguments} hangs")
        return process.exitcode or 0

    def undisturbed(self) -> None:
        """Run every command undisturbed; keep its result, its time and the number of its changes of the disk."""
        for name, command in COMMANDS.items():
            place = self.home / "expected" / (name + (".json" if name == "potential" else ""))
            for _ in range(2):  # the second run uses compiled programs, so its time is measured
                began = time.perf_counter()
                code = self.run([*command, "--out", str(place), *(["--force"] if place.exists() else [])])
                self.seconds[name] = time.perf_counter() - began
                assert code in FINE, self.log.read_text()
            self.changes[name] = int(Path(f"{self.log}.changes").read_text())
            self.expected[name] = content(place)

    def disturbed(self, name: str, chance: random.Random, number: int) -> tuple[str, str]:
        """Kill a command at some moment and continue it; return the state that the kill left, and the outcome."""
        folder = self.home / f"kill-{number}"
        kinds = PLACES[:2] if name == "potential" else PLACES
        kind = chance.choice(kinds)
        with place_of(kind, folder) as place:
            out = place / "out.json" if name == "potential" else place / "out"
            command = [*COMMANDS[name], "--out", str(out)]
            if kind == "force":  # an older result that differs
                older = [part for part in command if part != "--quiet"] + ["--seed", "7", "--quiet"]
                assert self.run(older if name != "motifs" else command) in FINE, self.log.read_text()
                command.append("--force")
            before = content(out)
            if name == "resume":
                # After the first third of the changes, some work is certainly kept.
                point = chance.randrange(self.changes[name] // 3, self.changes[name] * 2 // 3)
                self.run(command, kill=(point, signal.SIGKILL, True))
                command = ["resume", str(out), *(["--force"] if kind == "force" else [])]
            which = chance.choice(SIGNALS)
            if chance.random() < 0.75:
                moment = chance.randint(1, self.changes[name])
                code = self.run(command, kill=(moment, which, chance.random() < 0.5))
                what = f"{which.name} at change {moment}"
            else:
                delay = chance.uniform(0.1, 1.0) * self.seconds[name]
                code = self.run(command, signal_number=which, delay=delay)
                what = f"{which.name} after {delay:.1f} s"
            said = self.log.read_text()
            what = f"{name}, {kind}, {what}, exit {code}"
            if "Traceback" in said:
                return "traceback", f"wrong: {what}\n{said}"
            seen = self.seen(name, out, before)
            if seen == "in part" and kind in ("new", "link") and code != -signal.SIGKILL:
                return seen, f"wrong: {what}"
            return seen, self.continued(name, command, out, what)

    def seen(self, name: str, out: Path, before: dict) -> str:
        there = content(out)
        if there == before or not there:
            return "nothing"
        return "all" if self.equal(name, there) else "in part"

    def continued(self, name: str, command: list[str], out: Path, what: str) -> str:
        """Continue a killed command as a user would, and compare the result."""
        if name in ("interpret", "resume"):
            kept = any(path.is_dir() and any(path.iterdir()) for path in kept_of(out))
            if kept:
                command = ["resume", str(out), *(["--force"] if "--force" in command else [])]
            elif command[0] == "resume":  # it was killed after it had finished
                command = []
        whole = self.equal(name, content(out))
        if whole and "--force" not in command and command[:1] != ["resume"]:
            command = []
        code = self.run(command) if command else 0
        if code not in FINE:
            return f"wrong: {what}; then exit {code}\n{self.log.read_text()}"
        if not self.equal(name, content(out)):
            return f"wrong: {what}; the result differs"
        left = [path.name for path in out.parent.iterdir() if path.name.startswith(".") or "checkpoint" in path.name]
        inside = [path.name for path in out.iterdir() if path.name.startswith(".jaxmaxent-")] if out.is_dir() else []
        if command and left + inside:
            return f"wrong: {what}; left behind: {left + inside}"
        return "equal"

    def equal(self, name: str, there: dict) -> bool:
        """Return True if a result equals that of the undisturbed command."""
        return there == self.expected[name]

    def full(self, name: str, chance: random.Random, number: int) -> str:
        """Run a command on a disk that is too small, and again when there is room; return the outcome."""
        folder = self.home / f"disk-{number}"
        folder.mkdir()
        size = int(2 ** chance.uniform(12, 17.5))
        with mounted("-t", "tmpfs", "-o", f"size={size}", "none", folder):
            out = folder / ("out.json" if name == "potential" else "out")
            code, said = self.run([*COMMANDS[name], "--out", str(out)]), self.log.read_text()
            what = f"{name} on a disk of {size} bytes, exit {code}"
            if code in FINE:
                there, expected = content(out), self.expected[name]
                if there == expected:
                    return "enough room"
                numbers = {file: value for file, value in expected.items() if not file.endswith(".png")}
                return "no picture" if "Not drawn: " in said and there == numbers else f"wrong: {what}"
            errors = [line for line in said.splitlines() if line.startswith("jaxmaxent: ")]
            if code != 2 or "Traceback" in said or len(errors) != 1 or "No space left on device" not in errors[0]:
                return f"wrong: {what}\n{said}"
            if out.exists():
                return f"wrong: {what}; there is {list(out.iterdir()) if out.is_dir() else out}"
            kept = any(path.exists() for path in kept_of(out))
            if kept != ("jaxmaxent resume" in errors[0]):
                return f"wrong: {what}; kept: {kept}\n{said}"
            subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
            return self.continued(name, [*COMMANDS[name], "--out", str(out)], out, what)


def kept_of(out: Path) -> tuple[Path, Path]:
    from jaxmaxent.files import belongings

    return belongings(out.resolve(), ".checkpoint")


@contextlib.contextmanager
def mounted(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(arguments[-1])], check=True)


@contextlib.contextmanager
def place_of(kind: str, folder: Path):
    """Yield the folder in which `out` will be written."""
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        if kind in ("mount", "read-only"):
            if not may_mount():
                kind = "empty"
            else:
                (folder / "out").mkdir()
                stack.enter_context(mounted("--bind", folder, folder))
                stack.enter_context(mounted("-t", "tmpfs", "-o", "size=64m", "none", folder / "out"))
                if kind == "read-only":
                    subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        if kind == "empty":
            (folder / "out").mkdir()
        if kind == "link":
            (folder / "target").mkdir()
            (folder / "out").symlink_to(folder / "target")
        yield folder


def may_mount() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        try:
            with mounted("-t", "tmpfs", "none", folder):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


def content(out: Path) -> dict:
    """Return the contents of a result without times and the report; nothing if there is no complete result."""
    from jaxmaxent.files import MANIFEST

    if out.is_file():
        return {"": plain(json.loads(out.read_text()))}
    if not out.is_dir() or not (out / MANIFEST).is_file():
        names = [path.name for path in out.iterdir() if not path.name.startswith(".")] if out.is_dir() else []
        return {"in part": sorted(names)} if names else {}
    found = {}
    for path in sorted(path for path in out.rglob("*") if path.is_file() and not path.name.startswith(".")):
        name = path.relative_to(out).as_posix()
        if ".jaxmaxent-" in name:
            continue
        if path.suffix == ".json":
            found[name] = plain(json.loads(path.read_text()))
        elif path.suffix == ".npz":
            with np.load(path) as archive:
                arrays = {key: archive[key].tobytes() for key in archive.files if key != "about"}
                about = json.loads(str(archive["about"])) if "about" in archive.files else None
            found[name] = arrays, plain(about)
        else:
            found[name] = None if path.suffix == ".html" else path.read_bytes()
    return found


def plain(value):
    """Return JSON without times."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items() if key not in TIMES}
    return [plain(entry) for entry in value] if isinstance(value, list) else value


def prepare(home: Path) -> None:
    """Write a network, two sequences and a table to the working directory."""
    from flax import nnx

    from jaxmaxent import models

    models.save(models.MLPArchitecture(length=12, hidden=(16,)).build(nnx.Rngs(0)), home / "model")
    rng = np.random.default_rng(0)
    letters = ["".join(rng.choice(list("ACGT"), 12)) for _ in range(40)]
    (home / "two.fa").write_text("".join(f">s{i}\n{text}\n" for i, text in enumerate(letters[:2])))
    rows = [f"{text}\t{int('A' in text[:3])}" for text in letters]
    (home / "table.tsv").write_text("\n".join(["seq\tlabel", *rows]) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--disks", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    wrong: list[str] = []

    def count(row: str, end: str, seen: str | None = None) -> None:
        rows[row]["tried"] += 1
        rows[row][f"{seen} there"] += seen is not None
        rows[row]["wrong" if end.startswith("wrong") else end] += 1
        if end.startswith("wrong"):
            wrong.append(f"{row}: {end}")

    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        os.chdir(home)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(home / "cache")
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        trials = Trials(home)
        prepare(home)
        code = trials.run([*COMMANDS["interpret"], "--beta", "9", "--out", "run"])
        assert code in FINE, trials.log.read_text()
        trials.undisturbed()
        names = list(COMMANDS)
        for number in range(options.kills):
            chance = random.Random(f"{options.seed} {number}")
            name = names[number % len(names)]
            seen, end = trials.disturbed(name, chance, number)
            count(name, end, seen)
        disks = options.disks if may_mount() else 0
        for number in range(disks):
            chance = random.Random(f"disk {options.seed} {number}")
            name = [name for name in names if name != "resume"][number % 4]
            count("full disk", trials.full(name, chance, number))
        shutil.rmtree(home / "cache", ignore_errors=True)
    columns = ["tried", "nothing there", "all there", "in part there", "equal", "enough room", "no picture", "wrong"]
    print("| command | " + " | ".join(columns) + " |\n|" + "---|" * (len(columns) + 1))
    for name, row in rows.items():
        print(f"| {name} | " + " | ".join(str(row[column]) for column in columns) + " |")
    for text in wrong:
        print(text)
    if not disks:
        print("without full disks, as mounting is not allowed")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Killed processes leave semaphores behind, which is expected here.
    os.environ.setdefault("PYTHONWARNINGS", "ignore::UserWarning:multiprocessing.resource_tracker")
    main()
