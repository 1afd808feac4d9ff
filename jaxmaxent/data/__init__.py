"""Reading, making and writing sequences: FASTA files, tables, one-hot arrays, windows of genomes, motif
files, shuffles that keep dinucleotide counts, and implanted sites."""

from jaxmaxent.data.fasta import read_fasta as read_fasta
from jaxmaxent.data.fasta import write_fasta as write_fasta
from jaxmaxent.data.genome import read_windows as read_windows
from jaxmaxent.data.genome import split_by_chromosome as split_by_chromosome
from jaxmaxent.data.implant import implant as implant
from jaxmaxent.data.implant import random_sequences as random_sequences
from jaxmaxent.data.motifs import Motif as Motif
from jaxmaxent.data.motifs import read_motifs as read_motifs
from jaxmaxent.data.motifs import write_meme as write_meme
from jaxmaxent.data.onehot import read_one_hot as read_one_hot
from jaxmaxent.data.read import read_sequences as read_sequences
from jaxmaxent.data.sequences import Sequences as Sequences
from jaxmaxent.data.shuffle import dinucleotide_shuffle as dinucleotide_shuffle
from jaxmaxent.data.tables import read_table as read_table
from jaxmaxent.data.text import LeftOut as LeftOut
