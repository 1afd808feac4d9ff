"""Compare results of benchmarks/hardware.py: the best speed of each device, and its ratio to the first device.

    python benchmarks/compare.py FIRST.json SECOND.json … [--plot FILE.png]

The best speed is the largest over all numbers of chains. A file that is not such a result ends the program with exit
code 2.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

KEYS = ("network", "evaluator", "precision")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", help="JSON files that benchmarks/hardware.py wrote")
    parser.add_argument("--plot", type=Path, help="picture to write")
    options = parser.parse_args()
    try:
        results = [read(path) for path in options.files]
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(table(results))
    if options.plot:
        plot(results, options.plot)
    return 0


def read(path: Path) -> dict[str, Any]:
    """Read a result of benchmarks/hardware.py.

    Raises:
        ValueError: if the file cannot be read or holds anything else.
    """
    expected = f"{path} must be a JSON file that benchmarks/hardware.py wrote, but "
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ValueError(f"{expected}it cannot be read: {reason}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{expected}it is not JSON: {error}") from error
    kind = found.get("kind") if isinstance(found, dict) else None
    if kind != "hardware":
        raise ValueError(f"{expected}its kind is {kind!r} instead of 'hardware'")
    rows, about = found.get("rows"), found.get("machine")
    if not isinstance(about, dict) or not all(isinstance(about.get(name), str) for name in ("device", "cpu", "date")):
        raise ValueError(f"{expected}it does not name its device, cpu and date")
    if not isinstance(rows, list) or not rows or not all(_is_row(row) for row in rows):
        raise ValueError(f"{expected}its rows do not each hold a network, an evaluator, a precision and a speed")
    return found


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in KEYS):
        return False
    speed, chains = row.get("proposals_per_second"), row.get("chains")
    numbers = all(isinstance(n, int | float) and not isinstance(n, bool) for n in (speed, chains))
    return numbers and math.isfinite(speed) and speed > 0  # pyright: ignore[reportArgumentType, reportOptionalOperand]


def best(found: dict[str, Any]) -> dict[tuple[str, ...], dict[str, Any]]:
    """Return the fastest row of each network, evaluator and precision. If both precisions agree, they share a row."""
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in found["rows"]:
        key = tuple(row[name] for name in KEYS)
        if key not in rows or row["proposals_per_second"] > rows[key]["proposals_per_second"]:
            rows[key] = row
    for network in {row.get("network") for row in found.get("energies", []) if row.get("same_as_highest")}:
        highest = {key: row for key, row in rows.items() if key[0] == network and key[2] == "highest"}
        rows |= {(*key[:2], "default"): row for key, row in highest.items() if (*key[:2], "default") not in rows}
    return rows


def device(found: dict[str, Any]) -> str:
    """Return the name of the accelerator, or of the processor if there is no accelerator."""
    about = found["machine"]
    name = about["device"] if about["device"] != "cpu" else f"{about['cpu']}, {about.get('cores', '?')} cores"
    return f"{name}, {about['date']}"


def together(
    results: list[dict[str, Any]],
) -> tuple[list[dict[tuple[str, ...], dict[str, Any]]], list[tuple[str, ...]]]:
    """Return the best rows of each result, and the keys that any result has measured, sorted by network."""
    speeds = [best(found) for found in results]
    # If no file has measured a precision, its row is a copy of that of the other precision, and is left out.
    measured = {tuple(row[name] for name in KEYS) for found in results for row in found["rows"]}
    keys = dict.fromkeys(key for some in speeds for key in some if key in measured)
    networks = list(dict.fromkeys(key[0] for key in keys))
    return speeds, sorted(keys, key=lambda key: (networks.index(key[0]), key[1], key[2] != "highest"))


def table(results: list[dict[str, Any]]) -> str:
    """Return a Markdown table with a row per network, evaluator and precision, and a column per device."""
    speeds, keys = together(results)
    lines = [[*KEYS, *(device(found) for found in results)]]
    lines += [[*key, *(_cell(some.get(key), speeds[0].get(key)) for some in speeds)] for key in keys]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    rows = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in lines]
    return "\n".join([rows[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *rows[1:]])


def _cell(row: dict[str, Any] | None, first: dict[str, Any] | None) -> str:
    if row is None:
        return "–"
    speed = f"{row['proposals_per_second']:,.0f} ({row['chains']:,} chains)"
    if first is None or first is row:
        return speed
    return f"{speed}, × {row['proposals_per_second'] / first['proposals_per_second']:,.3g}"


def plot(results: list[dict[str, Any]], path: Path) -> None:
    """Draw bars of the best speeds, a group per network, evaluator and precision, and a color per device."""
    from matplotlib.figure import Figure

    speeds, keys = together(results)
    figure = Figure(figsize=(2 + 0.9 * len(keys), 4.5), layout="constrained")
    panel, width = figure.subplots(), 0.8 / len(results)
    for number, (found, some) in enumerate(zip(results, speeds, strict=True)):
        places = [i + (number - (len(results) - 1) / 2) * width for i, key in enumerate(keys) if key in some]
        heights = [some[key]["proposals_per_second"] for key in keys if key in some]
        panel.bar(places, heights, width, label=device(found))
    panel.set(yscale="log", ylabel="proposals per second, at best")
    panel.set_xticks(range(len(keys)), ["\n".join(key) for key in keys], fontsize=7)
    panel.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    sys.exit(main())
