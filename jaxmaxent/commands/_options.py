"""The options of every command, each written once: its name, type, default and help are a field of a dataclass.

The parser is made from these classes, the commands take them as their argument, and a job on disk keeps them. Nothing
heavy is imported here, so that `--help` answers at once.
"""

from __future__ import annotations

import dataclasses
import typing
from typing import Annotated, Any, Literal

from jaxmaxent.commands._engine_options import EngineOptions, KeepOptions, LaneOptions
from jaxmaxent.commands._option import NETWORKS, OTHERS, READING, REGIONS, STOPPING, Option
from jaxmaxent.commands._values import AUTO_BETA, BetaRule, Unit, read_beta, read_unit

Headers = Literal["names", "labels"]


_BETA = "inverse temperature β ≥ 0; a larger β samples inputs that the network distinguishes less from the sequence"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ForceOptions:
    """The option that lets output replace older output."""

    force: Annotated[bool, Option("replace earlier output of this command", group=OTHERS)] = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutputOptions(ForceOptions):
    """Options of every command."""

    quiet: Annotated[bool, Option("print nothing but errors", group=OTHERS)] = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class SeedOptions:
    """Options of commands that draw random numbers."""

    seed: Annotated[int, Option("seed of the random numbers", group=OTHERS)] = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """Options that say how a file of sequences is read."""

    headers: Annotated[
        Headers | None,
        Option(
            "meaning of the headers of a FASTA file", group=READING,
            default="labels if there are at least two and each is 0 or 1, otherwise names",
        ),
    ] = None  # fmt: skip
    skip_invalid: Annotated[
        bool,
        Option(
            "leave out sequences that cannot be used: letters such as N, another length, no such region", group=READING
        ),
    ] = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """Options that choose a network."""

    model: Annotated[
        str,
        Option(
            "folder that `jaxmaxent train` wrote, network in a file (.keras, .h5, .onnx or .pt2), or "
            "program.py:object, a Representation or a function that returns one; the program is run",
            positional=True,
        ),
    ]
    layer: Annotated[
        str | None,
        Option(
            "features of a network in a file: name or number of a layer, or output",
            "the input of the last layer with weights", group=NETWORKS,
        ),
    ] = None  # fmt: skip
    output: Annotated[
        str | None, Option("name or number of the output of a network in a file", "its only one", group=NETWORKS)
    ] = None
    layout: Annotated[
        str | None,
        Option(
            "axes of its input, made of N (batch), L (positions), C (letters) and 1, such as NCL", "found by trying",
            group=NETWORKS,
        ),
    ] = None  # fmt: skip
    length: Annotated[
        int | None, Option("length of the sequences that it takes", "that of the sequences", group=NETWORKS)
    ] = None
    letters: Annotated[
        str | None,
        Option(
            "letter order of its input, and of a one-hot array, for example GCAT; required for such an array",
            "ACGT for a network", group=NETWORKS,
        ),
    ] = None  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegionOptions:
    """Options that choose regions of a genome instead of sequences."""

    genome: Annotated[
        str | None, Option("genome of the regions: a FASTA file, which may end in .gz, or a .2bit file", group=REGIONS)
    ] = None
    regions: Annotated[
        str | None,
        Option("BED or narrowPeak file (either may end in .gz), read instead of sequences, or -", group=REGIONS),
    ] = None
    center: Annotated[
        Literal["midpoint", "summit"] | None,
        Option("centers of the windows", "the summits of a .narrowPeak file, otherwise midpoints", group=REGIONS),
    ] = None
    flank: Annotated[
        int | None,
        Option(
            "letters on each side of the central one", "from the network, or the regions as they are", group=REGIONS
        ),
    ] = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnchorOptions(RegionOptions, ReadingOptions, NetworkOptions):
    """Options that choose a network and the sequences to interpret."""

    sequences: Annotated[
        str | None,
        Option(
            "FASTA file or table (either may end in .gz), one-hot array (.npy), or - for standard input; left out with "
            "--regions",
            positional=True,
        ),
    ] = None
    limit: Annotated[int | None, Option("take only the first N sequences", "all", metavar="N", group=READING)] = None
    called: Annotated[
        int | None,
        Option(
            "take only sequences that the network assigns to this class; of labeled ones, only those with this label",
            "all",
            metavar="CLASS", group=READING,
        ),
    ] = None  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnitOptions:
    """The option that chooses the output of the network to interpret."""

    unit: Annotated[
        Unit | None,
        Option(
            "output unit to interpret, or a pair A,B for the log-ratio of two", "1,0 if the network has two",
            parse=read_unit, expected="a unit such as 1 or a pair such as 1,0",
        ),
    ] = None  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChainOptions:
    """Options of one call of `sample`."""

    rungs: Annotated[int | None, Option("rungs of the ladder from β = 0 to --beta; 1 means --beta alone", "14")] = None
    chains: Annotated[int | None, Option("chains per sequence, more on a GPU/TPU", "8, or 256 without a ladder")] = None
    anchor_chains: Annotated[
        int | None,
        Option("diagnostic chains that start at the sequence itself; 1 per GPU or TPU", "1, or 0 without a ladder"),
    ] = None
    burn_in: Annotated[int | None, Option("steps before draws count", "40 × length, or a quarter of --steps")] = None
    steps: Annotated[
        int | None,
        Option("take exactly this many steps of each replica", 'until converged, see "when to stop"'),
    ] = None
    evaluation: Annotated[
        Literal["auto", "full", "incremental"],
        Option(
            "full: evaluate the whole network for each proposal; incremental: recompute only the values that change; "
            "auto: take the faster of the two"
        ),
    ] = "auto"
    store_every: Annotated[
        int | None, Option("keep the sequences of each N steps in run.npz; N is a multiple of 5", "none", metavar="N")
    ] = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoppingOptions:
    """Options that say when sampling stops; the fields of `Precision`, whose limits are called max_ here."""

    rhat: Annotated[float | None, Option("stop when every R-hat is at most this", "1.01", group=STOPPING)] = None
    ess: Annotated[
        float | None, Option("also require every effective sample size to be at least this", "400", group=STOPPING)
    ] = None
    mcse: Annotated[
        float | None,
        Option(
            "also require every standard error of a letter's frequency to be at most this", "no limit", group=STOPPING
        ),
    ] = None
    max_steps: Annotated[
        int | None, Option("give up after this many steps of each replica", "200000", group=STOPPING)
    ] = None
    max_seconds: Annotated[
        float | None, Option("give up after this many seconds of sampling", "never", group=STOPPING)
    ] = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplingOptions(KeepOptions, LaneOptions, StoppingOptions, ChainOptions, UnitOptions, ForceOptions, SeedOptions):
    """Options of `interpret` that decide its result, besides the network, the sequences and β."""

    mu: Annotated[float, Option("chemical potential μ of the GC content; positive values favor G and C")] = 0.0
    pictures: Annotated[int, Option("draw logos of the first N sequences as PNG files", metavar="N")] = 50


@dataclasses.dataclass(frozen=True, kw_only=True)
class InterpretOptions(SamplingOptions, EngineOptions, AnchorOptions, OutputOptions):
    """Options of `jaxmaxent interpret`."""

    beta: Annotated[
        float | tuple[float, ...] | BetaRule,
        Option(
            f"{_BETA}; several, such as 40,80, are sampled together, and results are written for each; auto chooses "
            "one per sequence at which letters hold 8 bits in total, information=12 at which "
            "they hold 12, energy=0.2 at which the mean energy is that share of the one at β = 0; median and "
            "acceptance are the published rules",
            parse=read_beta,
            expected='a number, or several such as 40,80, or "auto", "information", "energy", "median" or "acceptance"',
        ),
    ] = AUTO_BETA  # fmt: skip
    out: Annotated[str, Option("folder to write; RUN.checkpoint keeps unfinished work", metavar="RUN")]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResumeOptions(EngineOptions, OutputOptions):
    """Options of `jaxmaxent resume`."""

    out: Annotated[str, Option("folder given to the interrupted `interpret` as --out", metavar="RUN", positional=True)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainOptions(ReadingOptions, OutputOptions, SeedOptions):
    """Options of `jaxmaxent train`."""

    table: Annotated[
        str, Option("table with columns seq and label, FASTA file with headers 0 and 1, or -", positional=True)
    ]
    out: Annotated[str, Option("folder to write", metavar="MODEL")]
    valid: Annotated[
        str | None,
        Option("table or FASTA file for choosing the best epoch", "a tenth of TABLE, left out", metavar="TABLE"),
    ] = None
    test: Annotated[str | None, Option("table or FASTA file for measuring AUROC and AUPRC", metavar="TABLE")] = None
    architecture: Annotated[
        Literal["conv", "mlp"], Option("conv: a convolutional network; mlp: fully connected layers")
    ] = "conv"
    epochs: Annotated[
        int | None, Option("largest number of passes over TABLE; the best one's weights are kept", "20, or 60 for mlp")
    ] = None
    both_strands: Annotated[bool, Option("train on reverse complements as well")] = False
    sequence_column: Annotated[
        str | None, Option("name of the column of sequences", "seq or sequence", metavar="NAME", group=READING)
    ] = None
    label_column: Annotated[
        str | None, Option("name of the column of labels", "label", metavar="NAME", group=READING)
    ] = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class MotifsOptions(OutputOptions):
    """Options of `jaxmaxent motifs`."""

    run: Annotated[str, Option("folder that `interpret` wrote, or a saved run", positional=True)]
    out: Annotated[str, Option("folder to write", metavar="FOLDER")]
    against: Annotated[
        str | None, Option("file of known motifs in MEME or JASPAR format, used to name the motifs", metavar="MOTIFS")
    ] = None
    best: Annotated[int, Option("largest number of known motifs to report per motif")] = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class WhereOptions(UnitOptions, AnchorOptions, OutputOptions, SeedOptions):
    """Options of `jaxmaxent where`."""

    sequences: Annotated[
        str | None,
        Option(
            "FASTA file or table (either may end in .gz), one-hot array (.npy), - for standard input, or a run: the "
            "folder that `interpret` wrote, or a saved run (.npz); left out with --regions",
            positional=True,
        ),
    ] = None
    out: Annotated[str, Option("folder to write", metavar="FOLDER")]
    width: Annotated[int, Option("positions of the windows that are redrawn for the map of necessity")] = 6
    site_width: Annotated[int, Option("positions of the windows that are compared as sites")] = 12
    draws: Annotated[int, Option("draws of each window, at least 2; twice as many of the windows of sites")] = 32
    enumerate: Annotated[bool, Option("take all letters of the windows of the map: exact, up to 6 positions")] = False
    mu: Annotated[float | None, Option("chemical potential μ of the GC content", "that of the run, or 0")] = None
    pictures: Annotated[int, Option("draw pictures of the first N sequences", metavar="N")] = 50


@dataclasses.dataclass(frozen=True, kw_only=True)
class SolverOptions:
    """Options of one call of `solve_chemical_potential`."""

    shared: Annotated[bool, Option("find a single μ that gives all sequences together the wanted mean")] = False
    tolerance: Annotated[float, Option("largest accepted standard error of μ")] = 0.02
    chains: Annotated[int, Option("independent chains per sequence, at least 2")] = 8
    steps: Annotated[int, Option("steps of each replica in a trial of μ; later trials may be longer")] = 1000
    max_steps: Annotated[int, Option("give up after this many steps of each replica")] = 64_000
    burn_in: Annotated[
        int | None,
        Option("steps before the first trial and before the final check", "the larger of --steps and 20 × length"),
    ] = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class PotentialOptions(SolverOptions, UnitOptions, AnchorOptions, OutputOptions, SeedOptions):
    """Options of `jaxmaxent potential`."""

    out: Annotated[str, Option("JSON file to write", metavar="FILE")]
    beta: Annotated[float, Option(_BETA)]
    gc: Annotated[float, Option("wanted mean GC content, between 0 and 1")]


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoOptions(OutputOptions, SeedOptions):
    """Options of `jaxmaxent demo`."""

    out: Annotated[str, Option("folder to write")] = "demo"


def values(options: Any, of: type) -> dict[str, Any]:
    """Return the values of those options that are fields of the class `of`, by their names."""
    return {field.name: getattr(options, field.name) for field in dataclasses.fields(of)}


def described(cls: type) -> dict[str, tuple[Any, Option]]:
    """Return the type of every option of a command and its description, without what None adds to the type."""
    hints = typing.get_type_hints(cls, include_extras=True)
    found = {}
    for field in dataclasses.fields(cls):
        kind, option = typing.get_args(hints[field.name])
        kinds = [part for part in typing.get_args(kind) if part is not type(None)]
        found[field.name] = (kinds[0] if type(None) in typing.get_args(kind) and len(kinds) == 1 else kind, option)
    return found
