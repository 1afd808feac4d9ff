"""A reader of bigWig files with nothing but NumPy and zlib, from the published description of the format.

Kent et al., BigWig and BigBed: enabling browsing of large distributed datasets, Bioinformatics 26, 2204 (2010).
"""

import struct
import zlib

import numpy as np

MAGIC, TREE, INDEX = 0x888FFC26, 0x78CA8C91, 0x2468ACE0


def read_bigwig(path):
    """Return the sizes of the chromosomes, and the value of every position that has one, by chromosome."""
    data = path.read_bytes()
    magic, _, _, tree, _, index = struct.unpack_from("<IHHQQQ", data)
    packed = struct.unpack_from("<I", data, 52)[0]
    assert magic == MAGIC
    chromosomes = _chromosomes(data, tree)
    values = {name: {} for name, _ in chromosomes.values()}
    assert struct.unpack_from("<I", data, index)[0] == INDEX
    for offset, size in _leaves(data, index + 48):
        section = data[offset : offset + size]
        _read_section(zlib.decompress(section) if packed else section, chromosomes, values)
    return dict(chromosomes.values()), values


def _chromosomes(data, at):
    magic, _, width, _, _ = struct.unpack_from("<IIIIQ", data, at)
    assert magic == TREE
    found, nodes = {}, [at + 32]
    while nodes:
        node = nodes.pop()
        is_leaf, _, count = struct.unpack_from("<BBH", data, node)
        for k in range(count):
            entry = node + 4 + k * (width + 8)
            name = data[entry : entry + width].rstrip(b"\0").decode()
            if is_leaf:
                number, size = struct.unpack_from("<II", data, entry + width)
                found[number] = name, size
            else:
                nodes.append(struct.unpack_from("<Q", data, entry + width)[0])
    return found


def _leaves(data, node):
    is_leaf, _, count = struct.unpack_from("<BBH", data, node)
    for k in range(count):
        if is_leaf:
            yield struct.unpack_from("<QQ", data, node + 4 + 32 * k + 16)
        else:
            yield from _leaves(data, struct.unpack_from("<Q", data, node + 4 + 24 * k + 16)[0])


def _read_section(section, chromosomes, values):
    number, start, _, step, span, kind, _, count = struct.unpack_from("<IIIIIBBH", section)
    mine = values[chromosomes[number][0]]
    words = {1: 3, 2: 2, 3: 1}[kind]
    body = np.frombuffer(section, "<u4", count * words, 24).reshape(count, words)
    numbers = np.ascontiguousarray(body[:, -1]).view("<f4")
    for i, value in enumerate(numbers):
        begin = start + i * step if kind == 3 else int(body[i, 0])
        for at in range(begin, int(body[i, 1]) if kind == 1 else begin + span):
            assert at not in mine
            mine[at] = float(value)
