import gzip

import numpy as np
import pytest
from genomes import windows_inside

from jaxmaxent.data import LeftOut, Sequences, read_windows, split_by_chromosome
from jaxmaxent.data import _genome as genomes
from jaxmaxent.ensembles import DNA, PROTEIN

CHROMOSOMES = {"chr1": "ACGTTGCAAC", "chr2": "GGNNTTACGTAC"}


GENOME = ">chr1 the first\nACGTT\nGCAAC\n>chr2\nGGNNTtac\nGTAC\n"


@pytest.fixture(params=["genome.fa", "genome.fa.gz"])
def genome(tmp_path, request):
    path = tmp_path / request.param
    path.write_bytes(gzip.compress(GENOME.encode()) if path.suffix == ".gz" else GENOME.encode())
    return path


@pytest.fixture
def bed(write_file):
    return lambda text, name="x.bed": write_file(name, text)


@pytest.mark.parametrize("name", ["x.bed", "x.bed.gz"])
def test_windows_are_centred_and_follow_the_strand(genome, bed, name):
    text = (
        "#comment\ntrack name=x\nbrowser position\n\n"
        "chr1\t4\t5\n"
        "chr1\t4\t5\tn\t0\t-\r\n"
        "chr2 7 10 n 0 +\n"
        "chr2\t6\t10\tn\t0\t.\textra\n"
    )
    read = read_windows(genome, bed(text, name), length=3)
    assert DNA.decode(read.tokens) == ["TTG", "CAA", "CGT", "CGT"]
    assert read.names == ("chr1:3-6(.)", "chr1:3-6(-)", "chr2:7-10(+)", "chr2:7-10(.)")
    assert read.labels is None


def test_even_lengths_and_whole_chromosomes(genome, bed):
    read = read_windows(genome, bed("chr1\t4\t6\nchr1\t4\t6\tn\t0\t-\n"), length=4)
    assert DNA.decode(read.tokens) == ["TTGC", "GCAA"] and read.names[0] == "chr1:3-7(.)"
    read = read_windows(genome, bed("chr1\t0\t10\n"), length=10)
    assert DNA.decode(read.tokens) == [CHROMOSOMES["chr1"]]


@pytest.mark.parametrize("at_once", [1, 9, 2**20])
def test_windows_that_leave_the_chromosome_or_hold_other_letters_can_be_left_out(genome, bed, monkeypatch, at_once):
    monkeypatch.setattr(genomes, "_LETTERS_AT_ONCE", at_once)
    text = "".join(f"chr{c}\t{i}\t{i + 1}\tn\t0\t{'+-.'[i % 3]}\n" for i in range(15) for c in (2, 1))
    possible = [(s[i : i + 3], "+-."[(i + 1) % 3]) for i in range(15) for s in reversed(CHROMOSOMES.values())]
    expected = [(w, strand) for w, strand in possible if len(w) == 3 and "N" not in w]
    told = "x.bed: 16 of 30 intervals are left out, the first: line 1: the window chr2:-1-2"
    with pytest.warns(LeftOut, match=told):
        read = read_windows(genome, bed(text), length=3, skip_invalid=True)
    pairs = list(zip(DNA.decode(read.tokens), (name[-2] for name in read.names), strict=True))
    assert [(other_strand(w) if strand == "-" else w, strand) for w, strand in pairs] == expected
    with pytest.warns(LeftOut, match="16 of 30"):
        some = read_windows(genome, bed(text), length=3, skip_invalid=True, limit=5)
    assert some.names == read.names[:5]
    np.testing.assert_array_equal(some.tokens, read.tokens[:5])


def other_strand(letters):
    return letters[::-1].translate(str.maketrans("ACGT", "TGCA"))


@pytest.mark.parametrize(
    ("interval", "message"),
    [
        ("chr1\t0\t1", "line 2: the window chr1:-1-2(.) leaves the chromosome, which has 10 letters"),
        ("chr1\t9\t10", "line 2: the window chr1:8-11(.) leaves the chromosome, which has 10 letters"),
        ("chr2\t4\t5", "line 2: in the window chr2:3-6(.), sequence has 'N' (IUPAC for any letter) at position 0"),
        ("chr3\t4\t5", "line 2: GENOME has no chromosome 'chr3', it has ['chr1', 'chr2']"),
    ],
)
def test_intervals_without_a_window_are_refused_by_their_line(genome, bed, interval, message):
    path = bed(f"chr1\t4\t5\n{interval}\n")
    with pytest.raises(ValueError) as refused:
        read_windows(genome, path, length=3)
    assert str(refused.value).startswith(f"{path}, {message.replace('GENOME', str(genome))}")
    assert len(read_windows(genome, path, length=3, limit=1)) == 1  # the rest is not looked at
    told = "x.bed: 2 of 2 intervals are left out, the first: line 1: the window chr1:2-99"
    with pytest.raises(ValueError, match=told):
        read_windows(genome, path, length=97, offset=46, skip_invalid=True)


def test_intervals_themselves_give_what_a_file_gives(genome, bed):
    text = "chr1\t4\t5\tn\t0\t-\nchr2\t7\t10\nchr1\t1\t2\n"
    given = [("chr1", 4, 5, "-"), ["chr2", np.int64(7), np.int32(10)], ("chr1", 1, 2, ".")]
    read, same = read_windows(genome, bed(text), length=3), read_windows(genome, iter(given), length=3)
    assert read.names == same.names == ("chr1:3-6(-)", "chr2:7-10(.)", "chr1:0-3(.)")
    assert DNA.decode(same.tokens) == DNA.decode(read.tokens) == ["CAA", "CGT", "ACG"]


def test_an_offset_goes_along_the_strand(genome):
    given = [("chr1", 4, 5, strand) for strand in "+-."]
    read = read_windows(genome, given, length=3, offset=-2)
    assert read.names == ("chr1:1-4(+)", "chr1:5-8(-)", "chr1:1-4(.)")
    assert DNA.decode(read.tokens) == ["CGT", "TGC", "CGT"]  # chr1 is ACGTTGCAAC, and GCA is TGC on the other strand
    read = windows_inside(genome, given, length=3, offset=4)
    assert read.names == ("chr1:7-10(+)", "chr1:7-10(.)")  # that of "-" would begin at -1
    assert DNA.decode(read.tokens) == ["AAC", "AAC"]


def test_chromosomes_held_out(genome):
    given = [("chr2", 7, 10), ("chr1", 4, 5, "-"), ("chr2", 8, 9)]
    windows = read_windows(genome, given, length=3)
    for held_out in ("chr2", ["chr2"], {"chr2"}):
        rest, held = split_by_chromosome(windows, held_out)
        assert rest.names == ("chr1:3-6(-)",) and held.names == ("chr2:7-10(.)", "chr2:7-10(.)")
        np.testing.assert_array_equal(held.tokens, windows.tokens[[0, 2]])
    names = ("HLA:1:5-6(+)", "HLA:2:0-1(.)", "x:0-1(.)")  # a chromosome's name may hold a colon
    odd = Sequences(np.zeros((3, 1), np.uint8), names, labels=np.array([1, 0, 1]))
    rest, held = split_by_chromosome(odd, ["HLA:1", "x"])
    assert rest.names == names[1:2] and held.names == (names[0], names[2])
    np.testing.assert_array_equal(held.labels, [1, 1])


@pytest.mark.parametrize(
    ("held_out", "message"),
    [
        ("chr3", r"held_out must name chromosomes that windows lie on, such as \['chr1', 'chr2'\], got 'chr3'"),
        ([], r"held_out must be some but not all of the chromosomes \['chr1', 'chr2'\], got \[\]"),
        (["chr1", "chr2"], "held_out must be some but not all"),
    ],
)
def test_wrong_chromosomes(genome, held_out, message):
    windows = read_windows(genome, [("chr2", 7, 10), ("chr1", 4, 5)], length=3)
    with pytest.raises(ValueError, match=message):
        split_by_chromosome(windows, held_out)


def test_names_without_a_chromosome():
    windows = Sequences(np.zeros((1, 3), np.uint8), ("sequence_0",))
    with pytest.raises(ValueError, match="windows must be named '<chromosome>:.* got 'sequence_0'"):
        split_by_chromosome(windows, "chr1")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "intervals must hold at least one interval, got none"),
        (3, "intervals must be a BED file or intervals, got int"),
        ([("chr1", 4, 5), ("chr1", 5)], r"intervals\[1\]: expected chromosome, start and end .* got \['chr1', '5'\]"),
        (["chr1"], r"intervals\[0\]: expected chromosome, start and end"),
        ([("chr1", 5, 4)], r"intervals\[0\]: .* start ≤ end, got"),
        ([("chr1", 4, 5, "x")], r"intervals\[0\]: the strand must be .* got 'x'"),
        ([("chrX", 4, 5)], r"intervals\[0\]: .* has no chromosome 'chrX'"),
        ([("chr1", 0, 1)], r"intervals\[0\]: the window chr1:-1-2\(.\) leaves the chromosome"),
        ([("chr1", "4", None)], r"intervals\[0\]: expected chromosome, start and end"),
        (["chr1:4-5"], r"intervals\[0\]: expected chromosome, start and end .* got \['chr1:4-5'\]"),
    ],
)
def test_wrong_intervals(genome, given, message):
    with pytest.raises(ValueError, match=message):
        read_windows(genome, given, length=3)


@pytest.mark.parametrize("interval", [("chr1", 0, 10**4000), ("chr1", -(2**62), 5), ("x" * 999, 4, 5)])
def test_messages_are_bounded(genome, interval):
    with pytest.raises(ValueError) as refused:
        read_windows(genome, [interval], length=3)
    assert len(str(refused.value)) < 400
    with pytest.raises(ValueError, match="offset must be a whole number of at most 2,147,483,647, got 2"):
        read_windows(genome, [("chr1", 4, 5)], length=3, offset=10**4000)


@pytest.mark.parametrize("offset", [1.0, "1", True, None])
def test_wrong_offsets(genome, offset):
    with pytest.raises(ValueError, match="offset must be a whole number, got"):
        read_windows(genome, [("chr1", 4, 5)], length=3, offset=offset)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.bed is empty"),
        ("#only\ntrack\n", "x.bed is empty"),
        ("chr1\t4\n", "x.bed, line 1: expected chromosome, start and end"),
        ("chr1\t4\t5\nchr1\tx\t5\n", "x.bed, line 2: expected chromosome, start and end"),
        ("chr1\t5\t4\n", "start ≤ end, got .*'5', '4'"),
        ("\t3\t4\n", "x.bed, line 1: expected chromosome, start and end"),
        ("chr1\t4\t5\tn\t0\tx\n", "x.bed, line 1: the strand must be .* got 'x'"),
        ("chrX\t4\t5\n", r"line 1: .* has no chromosome 'chrX', it has \['chr1', 'chr2'\]"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(genome, bed, text, message):
    with pytest.raises(ValueError, match=message):
        read_windows(genome, bed(text), length=3)


def test_wrong_arguments(genome, bed, tmp_path):
    path = bed("chr1\t4\t5\tn\t0\t-\n")
    with pytest.raises(ValueError, match="length must be a whole number of at least 1, got 0"):
        read_windows(genome, path, length=0)
    with pytest.raises(ValueError, match="has no complements"):
        read_windows(genome, path, length=3, alphabet=PROTEIN)
    with pytest.raises(ValueError, match=r"none.bed cannot be read"):
        read_windows(genome, tmp_path / "none.bed", length=3)
    for name in ("none.fa", "none.fa.gz"):
        with pytest.raises(ValueError, match=f"{name} cannot be read"):
            read_windows(tmp_path / name, path, length=3)


@pytest.mark.parametrize("name", ["bad.fa", "bad.fa.gz", "bad.fa.bgz"])
@pytest.mark.parametrize("text", ["", "ACGT\n", ">chr1\nACGT\n>chr1\nACGT\n", ">chr1\nACGT\n>chr2\n"])
def test_genomes_that_are_not_sound(bed, tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    with pytest.raises(ValueError, match=name):
        windows_inside(path, bed("chr1\t50\t51\nchr2\t0\t1\n"), length=3)


def test_a_truncated_compressed_genome_is_refused(bed, tmp_path):
    (tmp_path / "g.fa.gz").write_bytes(gzip.compress(GENOME.encode())[:-9])
    with pytest.raises(ValueError, match=r"g.fa.gz is cut off"):
        read_windows(tmp_path / "g.fa.gz", bed("chr1\t4\t5\n"), length=3)


def test_contigs_whose_names_begin_like_header_lines(bed, tmp_path):
    names = ["track.1", "browser-1", "track_x", "trackA", "browser", "track"]
    (tmp_path / "g.fa").write_text("".join(f">{name}\n{'ACGT' * 5}\n" for name in names))
    text = "track name=x\tdescription=y\nbrowser position chr1:1-2\ntrack\nbrowser\thide all\n"
    read = read_windows(tmp_path / "g.fa", bed(text + "".join(f"{name}\t5\t6\n" for name in names)), length=3)
    assert [name.split(":")[0] for name in read.names] == names


@pytest.mark.parametrize(
    "header", ["chrom\tstart\tend", "#chr\tstart\tend", "Chromosome start stop", "chr chromStart chromEnd"]
)
def test_a_line_that_names_the_columns(genome, bed, header):
    assert read_windows(genome, bed(f"{header}\nchr1\t4\t5\n"), length=3).names == ("chr1:3-6(.)",)


def test_named_columns_say_where_the_strand_is(genome, bed):
    read = read_windows(genome, bed("chrom\tstart\tend\tstrand\nchr1\t4\t5\t-\n"), length=3)
    assert read.names == ("chr1:3-6(-)",)


@pytest.mark.parametrize("header", ["seqnames\tstart\tend", "chrom\tend\tstart", "chr1\tstart\tend"])
def test_names_of_other_columns_are_refused(genome, bed, header):
    with pytest.raises(ValueError, match="x.bed, line 1: expected chromosome, start and end"):
        read_windows(genome, bed(f"{header}\nchr1\t4\t5\n"), length=3)
    with pytest.raises(ValueError, match="x.bed, line 2: expected chromosome, start and end"):
        read_windows(genome, bed("chr1\t4\t5\nchrom\tstart\tend\n"), length=3)


def test_starts_before_the_chromosome_and_stars_for_strands(genome, bed):
    read = windows_inside(genome, bed("chr1\t-3\t12\tn\t0\t*\nchr1\t-9\t4\n"), length=3)
    assert read.names == ("chr1:3-6(.)",)


def test_chromosomes_that_the_genome_lacks_can_be_left_out(genome, bed):
    path = bed("chrUn\t1\t5\nchr1\t4\t5\nchrM\t1\t2\n")
    with pytest.warns(LeftOut, match=r"x.bed: 2 of 3 intervals are left out, the first: .*line 1: .* 'chrUn'"):
        assert read_windows(genome, path, length=3, skip_invalid=True).names == ("chr1:3-6(.)",)
    with pytest.warns(LeftOut, match=r"intervals: 1 of 2 .*first: intervals\[0\]: "):
        read_windows(genome, [("chrUn", 1, 2), ("chr1", 4, 5)], length=3, skip_invalid=True)


PEAKS = "chr1\t2\t9\tp\t0\t.\t1\t1\t1\t1\nchr1\t2\t8\tp\t0\t-\t1\t1\t1\t-1\n"


@pytest.mark.parametrize(
    ("name", "center", "start"),
    [
        ("p.narrowPeak", None, 2), ("p.narrowPeak.gz", None, 2), ("p.NARROWPEAK", None, 2), ("p.bed", "summit", 2),
        ("p.bed", None, 4), ("p.narrowPeak", "midpoint", 4),
    ],
)  # fmt: skip
def test_windows_around_summits(genome, bed, name, center, start):
    read = read_windows(genome, bed(PEAKS, name), length=3, center=center)
    assert read.names == (f"chr1:{start}-{start + 3}(.)", "chr1:4-7(-)")


@pytest.mark.parametrize(
    ("text", "center", "message"),
    [
        ("chr1\t2\t9\n", "summit", "line 1: expected the summit in column 10 .* got 3 columns"),
        (PEAKS.replace("\t-1", "\tx"), "summit", "line 2: expected the summit .* with 'x' there"),
        (PEAKS, "middle", "center must be 'midpoint' or 'summit', got 'middle'"),
    ],
)
def test_wrong_centers(genome, bed, text, center, message):
    with pytest.raises(ValueError, match=message):
        read_windows(genome, bed(text), length=3, center=center)
    with pytest.raises(ValueError, match="center must be"):
        read_windows(genome, [("chr1", 4, 5)], length=3, center="summit")


def test_real_nucleosomes(data):
    folder = data / "yeast"
    bed = folder / "brogaard_dyads_nonoverlapping.bed.gz"
    read = windows_inside(folder / "sacCer3.fa.gz", bed, length=201)
    with gzip.open(bed, "rt") as stream:
        assert 0 <= sum(1 for _ in stream) - len(read) < 34  # at most two for the ends of each chromosome
    assert round(np.isin(read.tokens, DNA.encode("GC")).mean(), 3) == 0.382
