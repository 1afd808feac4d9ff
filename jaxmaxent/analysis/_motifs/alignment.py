"""Alignment of informative windows: the arithmetic of `find_motifs`.

A column of letter frequencies p becomes the vector of length sqrt(information) in the direction of p − uniform. The
product of two columns is then Pearson's correlation of their frequencies, weighted by the geometric mean of their
information. The similarity of two windows at an offset is the cosine between them, where a column that faces nothing
counts as 0. It is at most 1, which only proportionate windows reach, and low where much information faces no column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Integer

from jaxmaxent.results._information import information_bits

_ROUNDS = 20  # of the joint alignment at most; it ends when nothing moves any more, mostly after two


class Overlaps(NamedTuple):
    """The best alignment of every window with every other.

    Attributes:
        similarity: cosine, shape [windows, windows].
        offset: column of window i that the first column of window j faces, the same shape.
        flipped: True if window j is aligned as its reverse complement, the same shape.
    """

    similarity: Float[np.ndarray, "windows windows"]
    offset: Int[np.ndarray, "windows windows"]
    flipped: Bool[np.ndarray, "windows windows"]


def column_vectors(frequencies: Float[np.ndarray, "*shape letters"]) -> Float[np.ndarray, "*shape letters"]:
    """Return columns of frequencies as vectors of length sqrt(information); shape [..., letters]."""
    centered = frequencies - 1 / frequencies.shape[-1]
    length = np.sqrt((centered**2).sum(-1, keepdims=True))
    weight = np.sqrt(np.maximum(information_bits(frequencies), 0))[..., None]
    return centered * weight / np.where(length > 0, length, 1)


def overlaps(
    windows: Sequence[Float[np.ndarray, "_ letters"]], complement: Integer[np.ndarray, " letters"] | None
) -> Overlaps:
    """Align windows, given as column vectors, with each other; on both strands if there is a complement."""
    number, widest = len(windows), max(map(len, windows))
    shape = number, number  # large for 10,000 windows, so arrays have small types and are changed in place
    product = np.empty(shape)
    best = Overlaps(np.full(shape, -np.inf), np.zeros(shape, np.int32), np.zeros(shape, bool))
    fixed = _padded(windows, widest)
    for flip in (False, True)[: 1 if complement is None else 2]:
        laid = _padded([flipped(window, complement) if flip else window for window in windows], widest)
        for offset in range(1 - widest, widest):
            low, high = max(offset, 0), min(widest, widest + offset)
            first, second = fixed[:, low:high], laid[:, low - offset : high - offset]
            np.matmul(first.reshape(number, -1), second.reshape(number, -1).T, out=product)
            better = product > best.similarity
            for array, value in zip(best, (product, offset, flip), strict=True):
                np.copyto(array, value, where=better)
    norm = np.sqrt((fixed**2).sum((1, 2)))
    norm = np.where(norm > 0, norm, 1)
    for row, own in zip(best.similarity, norm, strict=True):
        row /= own * norm
    return best


def flipped(
    columns: Float[np.ndarray, "width letters"], complement: Integer[np.ndarray, " letters"] | None
) -> Float[np.ndarray, "width letters"]:
    """Return the reverse complement."""
    return columns[::-1] if complement is None else columns[::-1][:, complement]


def joint_alignment(
    windows: Sequence[Float[np.ndarray, "_ letters"]],
    found: Overlaps,
    complement: Integer[np.ndarray, " letters"] | None,
) -> list[tuple[int, bool]]:
    """Return (offset, flipped) of every window in one frame, with most of them not flipped.

    The alignment starts from the best offset of each window to the one that is most similar to all. Then each window
    moves to its best offset to the sum of all others, which never lowers the sum of all products, until none moves.
    """
    center = int(found.similarity.sum(1).argmax())
    placed = [(int(o), bool(f)) for o, f in zip(found.offset[center], found.flipped[center], strict=True)]
    for _ in range(_ROUNDS):
        moved = False
        for k in range(len(windows)):
            best = _best_offset(windows, placed, k, complement)
            moved |= best != placed[k]
            placed[k] = best
        if not moved:
            break
    if 2 * sum(flip for _, flip in placed) > len(placed):
        placed = [(-offset - len(window), not flip) for (offset, flip), window in zip(placed, windows, strict=True)]
    return placed


def _best_offset(
    windows: Sequence[np.ndarray], placed: list[tuple[int, bool]], k: int, complement: np.ndarray | None
) -> tuple[int, bool]:
    """Return the best (offset, flipped) of window k to the sum of the others; its own unless another is better."""
    width = len(windows[k])
    start = min(offset for offset, _ in placed) - width
    stop = max(offset + len(window) for (offset, _), window in zip(placed, windows, strict=True)) + width
    total = np.zeros((stop - start, windows[k].shape[1]))
    for j, (offset, flip) in enumerate(placed):
        if j != k:
            columns = flipped(windows[j], complement) if flip else windows[j]
            total[offset - start : offset - start + len(columns)] += columns
    views = np.lib.stride_tricks.sliding_window_view(total, width, axis=0)  # [offsets, letters, width]
    offset, flip = placed[k]
    best = -np.inf
    for turned in (flip, not flip)[: 1 if complement is None else 2]:
        columns = flipped(windows[k], complement) if turned else windows[k]
        products = np.einsum("olw,wl->o", views, columns)
        if turned == flip:
            best = products[placed[k][0] - start]
        if products.max() > best + 1e-9 * (1 + abs(best)):
            best, offset, flip = products.max(), int(products.argmax()) + start, turned
    return offset, flip


def _padded(windows: Sequence[np.ndarray], width: int) -> np.ndarray:
    """Return windows filled up with columns of 0, shape [windows, width, letters]."""
    return np.stack([np.pad(window, ((0, width - len(window)), (0, 0))) for window in windows])
