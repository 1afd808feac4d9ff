"""Readers, writers and generators of sequences, so that data files become tokens with names and labels in one call.

sequences = data.read_sequences("peaks.fa.gz")
windows = data.read_windows("hg38.2bit", "peaks.narrowPeak", length=101)
shuffles = data.dinucleotide_shuffle(np.random.default_rng(0), windows.tokens)
"""

from jaxmaxent.data._example import ctcf_example as ctcf_example
from jaxmaxent.data._fasta import read_fasta as read_fasta
from jaxmaxent.data._fasta import write_fasta as write_fasta
from jaxmaxent.data._genome import read_windows as read_windows
from jaxmaxent.data._genome import split_by_chromosome as split_by_chromosome
from jaxmaxent.data._implant import implant as implant
from jaxmaxent.data._implant import random_sequences as random_sequences
from jaxmaxent.data._meme import write_meme as write_meme
from jaxmaxent.data._motif import Motif as Motif
from jaxmaxent.data._motif import WritableMotif as WritableMotif
from jaxmaxent.data._motif_files import read_motifs as read_motifs
from jaxmaxent.data._onehot import read_one_hot as read_one_hot
from jaxmaxent.data._read import read_sequences as read_sequences
from jaxmaxent.data._region import Region as Region
from jaxmaxent.data._region import region_of as region_of
from jaxmaxent.data._sequences import Sequences as Sequences
from jaxmaxent.data._shuffle import dinucleotide_shuffle as dinucleotide_shuffle
from jaxmaxent.data._tables import read_table as read_table
from jaxmaxent.data._text import LeftOut as LeftOut
