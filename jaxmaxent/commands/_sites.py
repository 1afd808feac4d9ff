"""Where the anchors carry what the network sees: the maps that `interpret` and `where` write, draw and tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key

from jaxmaxent.analysis import FoundSite, Necessity, Sufficiency, find_sites, necessity, sufficiency
from jaxmaxent.console import printable
from jaxmaxent.data import Sequences, region_of
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.report import Picture

ARRAYS, TABLE = "where.npz", "sites.tsv"
HEADER = (
    "name\tstart\tstop\tletters\tkind\tnecessity\tnecessity_error\tsufficiency\tsufficiency_error"
    "\tchromosome\tgenome_start\tgenome_stop\tstrand\n"
)
# Widths of the windows of the map of necessity and of sites, and draws of each window (of sites twice as many).
WIDTH, SITE_WIDTH, DRAWS = 6, 12, 16


class Maps(NamedTuple):
    """Maps of all anchors.

    Attributes:
        necessity: that of narrow windows, for the positions.
        of_sites: that of windows as wide as sites.
        sufficiency: that of the same windows.
        sites: the sites of all anchors.
    """

    necessity: Necessity
    of_sites: Necessity
    sufficiency: Sufficiency
    sites: tuple[FoundSite, ...]


def maps_of(
    ensemble: Ensemble,
    key: Key[Array, ""],
    *,
    width: int = WIDTH,
    site_width: int = SITE_WIDTH,
    draws: int | None = DRAWS,
    progress: bool = False,
) -> Maps:
    """Return the maps of all anchors; windows are no wider than the sequences.

    Args:
        ensemble: the anchors; β plays no part.
        key: a typed key.
        width: width of the windows of necessity.
        site_width: width of the windows of sites.
        draws: draws of each window, twice as many of those of sites; None enumerates windows of necessity.
        progress: show a progress bar for each map.
    """
    width, site_width = min(width, ensemble.length), min(site_width, ensemble.length)
    more = 2 * (DRAWS if draws is None else draws)
    narrow, wide, kept = jax.random.split(key, 3)
    found = necessity(ensemble, width, draws=draws, key=narrow, progress=progress)
    of_sites = necessity(ensemble, site_width, draws=more, key=wide, progress=progress)
    sufficient = sufficiency(ensemble, site_width, draws=more, key=kept, progress=progress)
    return Maps(found, of_sites, sufficient, find_sites(of_sites, sufficient))


def arrays_of(maps: Maps) -> dict[str, np.ndarray]:
    """Return the maps as arrays by their names: an entry for each anchor, or the width of windows, one number."""
    arrays = {"necessity": maps.necessity, "necessity_of_sites": maps.of_sites, "sufficiency": maps.sufficiency}
    entries: dict[str, np.ndarray] = {}
    for name, found in arrays.items():
        entries |= {
            f"{name}_{field}": value for field, value in found._asdict().items() if isinstance(value, np.ndarray)
        }
        entries |= {f"{name}_width": np.array(found.width)}
    return entries


def write_arrays(maps: Maps, names: tuple[str, ...], path: Path) -> None:
    """Write the maps as arrays of NumPy."""
    np.savez_compressed(path, names=np.array(names), **arrays_of(maps))  # pyright: ignore[reportArgumentType]


def table_of(maps: Maps, anchors: Sequences) -> str:
    """Return the sites of all anchors, one line each, with their coordinates if the anchors have some."""
    lines: list[str] = []
    letters = anchors.alphabet.decode(anchors.tokens)
    for site in maps.sites:
        name, part = anchors.names[site.anchor], slice(site.start, site.stop)
        numbers = (site.necessity, site.necessity_error, site.sufficiency, site.sufficiency_error)
        cells = [name, site.start, site.stop, letters[site.anchor][part], kind(site)]
        region = region_of(name, anchors.tokens.shape[1])
        place = "...." if region is None else region.part(site.start, site.stop)
        texts = map(str, [*cells, *(f"{number:.4g}" for number in numbers), *place])
        lines.append("\t".join(printable(text).replace("\t", " ") for text in texts))
    return "".join(f"{line}\n" for line in lines)


def write_table(maps: Maps, anchors: Sequences, path: Path) -> None:
    """Write a table of the sites of all anchors, with a line of the names of its columns."""
    path.write_text(HEADER + table_of(maps, anchors), encoding="utf-8")


def kind(site: FoundSite) -> str:
    """Return whether a site is needed or redundant, in a word."""
    return "redundant" if site.redundant else "needed"


def of_anchor(maps: Maps, a: int) -> list[FoundSite]:
    """Return the sites of an anchor."""
    return [site for site in maps.sites if site.anchor == a]


def as_json(maps: Maps, a: int) -> dict[str, Any]:
    """Return the numbers of an anchor for a JSON file."""
    return {
        "necessity": maps.necessity.positions[a],
        "necessity_error": maps.necessity.position_errors[a],
        "necessity_width": maps.necessity.width,
        "sufficiency": maps.sufficiency.positions[a],
        "sufficiency_error": maps.sufficiency.position_errors[a],
        "sufficiency_width": maps.sufficiency.width,
        "background_energy": maps.sufficiency.background[a],
        "background_energy_error": maps.sufficiency.background_error[a],
        "sites": [
            {name: value for name, value in site._asdict().items() if name != "anchor"} for site in of_anchor(maps, a)
        ],
    }


def told(sites: list[FoundSite]) -> str:
    """Return the sites of an anchor in words, positions from 0 with the stop excluded."""
    needed, spared = (
        ", ".join(f"{site.start}–{site.stop}" for site in sites if site.redundant == redundant)
        for redundant in (False, True)
    )
    both = [f"needed at {needed}"] * bool(needed) + [f"redundant at {spared}, for which others stand in"] * bool(spared)
    return f"sites {' and '.join(both)}" if both else "no site that the network needs, or that is enough by itself"


def picture(maps: Maps, a: int, anchors: Sequences) -> Picture:
    """Return the picture of an anchor's maps and sites."""
    from jaxmaxent import plot

    sites = of_anchor(maps, a)
    figure = plot.where(
        maps.necessity.positions[a],
        anchors.alphabet.decode(anchors.tokens)[a],
        necessity_error=maps.necessity.position_errors[a],
        sufficiency=maps.sufficiency.positions[a],
        sufficiency_error=maps.sufficiency.position_errors[a],
        needed=[(site.start, site.stop) for site in sites if not site.redundant],
        redundant=[(site.start, site.stop) for site in sites if site.redundant],
        letters=anchors.alphabet.letters,
        title=f"necessity of windows of {maps.necessity.width}",
    )
    return Picture(
        "Where in this sequence",
        f"Necessity: the distance E that the sequence moves from itself if {maps.necessity.width} letters here are "
        f"redrawn from the background and all others are held. Sufficiency: how much nearer to it a background "
        f"sequence comes with {maps.sufficiency.width} of its letters here. Background sequences are at "
        f"{maps.sufficiency.background[a]:.3g} ± {maps.sufficiency.background_error[a]:.2g}. Gray: "
        "the network cannot spare the site; orange: other letters stand in for it. Bars and bands: ± 1 standard error. "
        f"{told(sites)[0].upper()}{told(sites)[1:]}.",
        plot.png(figure),
    )
