"""The network that a command interprets: a folder of `train`, a file of a framework, or an object in a program."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int

from jaxmaxent import checks
from jaxmaxent.commands._options import NetworkOptions, values
from jaxmaxent.console import say
from jaxmaxent.ensembles import DNA, Alphabet, Representation
from jaxmaxent.models import Network, load, predict, representation, save

FILES = (".keras", ".h5", ".onnx", ".pt2")
# Sequences that are classified together.
_TOGETHER = 256


@dataclasses.dataclass(frozen=True)
class Found:
    """A network that was found, before the length of the sequences is known.

    Attributes:
        place: the folder, file, or program and object.
        options: what the user said about a network that `train` did not make.
        own: the network, if `train` made it.
        made: the representation, if a program made it.
        checksum: SHA-256 of the file; None for a folder of `train`, which a job copies.
    """

    place: str
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    own: Network | None = None
    made: Representation | None = None
    checksum: str | None = None

    @classmethod
    def at(cls, options: NetworkOptions) -> Found:
        """Find the network that options name.

        Raises:
            ValueError: if there is none, or an option does not go with this kind of network.
        """
        place, about = options.model, values(options, NetworkOptions)
        del about["model"]
        file, colon, name = place.rpartition(":")
        if colon and file.endswith(".py"):
            _refuse(place, about, ("letters", "length"))
            made = _object_of(Path(file), name)
            return cls(f"{Path(file).resolve()}:{name}", about, made=made, checksum=_checksum(Path(file)))
        if Path(place).suffix in FILES and not Path(place).is_dir():
            if not Path(place).is_file():
                raise ValueError(f"model must be a network, but there is no file {place}")
            return cls(str(Path(place).resolve()), about, checksum=_checksum(Path(place)))
        _refuse(place, about, ("letters",))
        return cls(place, about, own=load(place))

    @classmethod
    def again(cls, saved: dict[str, Any], folder: Path) -> Found:
        """Find the network of a job again.

        Args:
            saved: what `saved` returned.
            folder: the folder of the copy of a network of `train`.

        Raises:
            ValueError: if the file is missing or has changed.
        """
        place = saved["place"]
        if saved["checksum"] is None:
            return cls(place, saved["options"], own=load(folder))
        file = place.rpartition(":")[0] if place.rpartition(":")[0].endswith(".py") else place
        if not Path(file).is_file():
            raise ValueError(f"the network {file} is missing; put it back to go on")
        if _checksum(Path(file)) != saved["checksum"]:
            raise ValueError(f"the network {file} has changed since the job began; put the old one back to go on")
        return cls.at(NetworkOptions(model=place, **saved["options"]))

    def saved(self, folder: Path) -> dict[str, Any]:
        """Save a network of `train` in a folder, and return what `again` needs."""
        if self.own is not None:
            save(self.own, folder)
        return {"place": self.place, "options": self.options, "checksum": self.checksum}

    @property
    def alphabet(self) -> Alphabet:
        """The letters of the sequences, in the order of the network's input."""
        if self.own is not None:
            return self.own.architecture.alphabet
        if self.made is not None:
            return self.made.alphabet or DNA
        from jaxmaxent.models.adapters import alphabet_of

        return alphabet_of(self.options["letters"] or DNA.letters)

    @property
    def length(self) -> int | None:
        """The length of the sequences; None if it is not known yet."""
        return self.own.architecture.length if self.own is not None else self.options["length"]

    def representation(self, length: int) -> Representation:
        """Return the representation for sequences of a length, and print what was found in a file."""
        if self.own is not None:
            return representation(self.own)
        if self.made is not None:
            return self.made
        made = _adapted(Path(self.place), length, self.options, self.alphabet)
        say(f"{Path(self.place).name}: {made.features.told}")
        return made


def classes(network: Found, made: Representation, tokens: Int[np.ndarray, "n length"]) -> Float[np.ndarray, "n units"]:
    """Return scores of the classes of sequences, shape [n, units]; a single probability p becomes (1 − p, p).

    Raises:
        ValueError: for a network whose outputs are not known or are no scores of classes.
    """
    if network.own is not None:
        return predict(network.own, tokens)
    from jaxmaxent.models.adapters import Adapted

    if not isinstance(made.features, Adapted):
        raise ValueError(
            "called needs a network whose outputs are known, which a Representation of a program is "
            "not; make it by a function of jaxmaxent.models, such as from_function, or leave out --called"
        )
    outputs, alphabet = made.features.outputs, network.alphabet
    run = jax.jit(
        lambda params, rows: jax.lax.map(lambda row: outputs(params, alphabet.one_hot(row)), rows, batch_size=_TOGETHER)
    )
    scores = np.asarray(run(made.params, tokens), float)
    if scores.shape[1] > 1:
        return scores
    if scores.min() < 0 or scores.max() > 1:
        raise ValueError(
            "called needs classes, but the network has one output, which is no probability; leave out "
            "--called, or add a sigmoid to the network"
        )
    return np.concatenate([1 - scores, scores], axis=1)


def _refuse(place: str, about: dict[str, Any], allowed: tuple[str, ...]) -> None:
    """Raise ValueError for an option that only networks in files of other frameworks have."""
    for name, value in about.items():
        if value is not None and name not in allowed:
            raise ValueError(f"{name} must be left out for {place}, got {checks.shown(value)}")


def _object_of(file: Path, name: str) -> Representation:
    """Return an object of a program, or what a function in it returns. The program is run."""
    if not file.is_file():
        raise ValueError(f"model must be a network, but there is no file {file}")
    say(f"running {file}")
    spec: Any = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.resolve().parent))  # for what stands beside it, as for a program that is run
    try:
        spec.loader.exec_module(module)
        made = getattr(module, name, None)
        made = made() if callable(made) and not isinstance(made, type) and not hasattr(made, "features") else made
    except Exception as error:
        raise ValueError(f"{file} failed with {type(error).__name__}: {checks.shown(str(error))}") from error
    finally:
        sys.path.remove(str(file.resolve().parent))
    if not isinstance(made, Representation):
        raise ValueError(
            f"{name} in {file} must be a Representation or a function that returns one, got {checks.shown(made)}"
        )
    return made


def _adapted(file: Path, length: int, options: dict[str, Any], alphabet: Alphabet) -> Representation:
    from jaxmaxent import models

    layer = options["layer"]
    if layer is not None and layer.lstrip("-").isdigit():
        layer = int(layer)
    made = {".keras": models.from_keras, ".h5": models.from_keras, ".onnx": models.from_onnx, ".pt2": models.from_torch}
    try:
        return made[file.suffix](
            str(file), length, letters=alphabet.letters, layer="penultimate" if layer is None else layer,
            output=options["output"], layout=options["layout"],
        )  # fmt: skip
    except ImportError as error:
        raise ValueError(str(error)) from error


def _checksum(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(f"model must be a network, but {file} cannot be read: {error.strerror}") from error
