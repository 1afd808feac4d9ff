"""Answers to questions about a run: each function takes a run or arrays and returns a small named result.

Nearly all results come with standard errors. A function that takes a run takes `anchor` and `rung` by keyword; the rung
None means the target, the β that was asked for.
"""

from jaxmaxent.analysis._chemical_potential.search import Trial as Trial
from jaxmaxent.analysis._chemical_potential.solve import ChemicalPotential as ChemicalPotential
from jaxmaxent.analysis._chemical_potential.solve import solve_chemical_potential as solve_chemical_potential
from jaxmaxent.analysis._composition.response import CompositionResponse as CompositionResponse
from jaxmaxent.analysis._composition.response import composition_response as composition_response
from jaxmaxent.analysis._composition.shift import ChiSquare as ChiSquare
from jaxmaxent.analysis._composition.shift import CompositionShift as CompositionShift
from jaxmaxent.analysis._composition.shift import Correlation as Correlation
from jaxmaxent.analysis._composition.shift import composition_shift as composition_shift
from jaxmaxent.analysis._composition.shift import shift_over_anchors as shift_over_anchors
from jaxmaxent.analysis._couplings import CoupledPair as CoupledPair
from jaxmaxent.analysis._couplings import Couplings as Couplings
from jaxmaxent.analysis._couplings import PairFrequencies as PairFrequencies
from jaxmaxent.analysis._couplings import couplings as couplings
from jaxmaxent.analysis._couplings import pair_frequencies as pair_frequencies
from jaxmaxent.analysis._draw_motifs.enriched import enriched_kmers as enriched_kmers
from jaxmaxent.analysis._draw_motifs.find import draw_motifs as draw_motifs
from jaxmaxent.analysis._draw_motifs.found import DrawMotif as DrawMotif
from jaxmaxent.analysis._draw_motifs.found import DrawMotifs as DrawMotifs
from jaxmaxent.analysis._draw_motifs.found import DrawSite as DrawSite
from jaxmaxent.analysis._draw_motifs.found import EnrichedKmer as EnrichedKmer
from jaxmaxent.analysis._draw_motifs.found import EnrichedKmers as EnrichedKmers
from jaxmaxent.analysis._grammar.grammar import grammar as grammar
from jaxmaxent.analysis._grammar.result import Grammar as Grammar
from jaxmaxent.analysis._grammar.result import Requirement as Requirement
from jaxmaxent.analysis._grammar.result import Spacing as Spacing
from jaxmaxent.analysis._grammar.shared import SharedRequirement as SharedRequirement
from jaxmaxent.analysis._grammar.shared import shared_requirements as shared_requirements
from jaxmaxent.analysis._insertions import Insertion as Insertion
from jaxmaxent.analysis._insertions import InsertionEffects as InsertionEffects
from jaxmaxent.analysis._insertions import insertion_effects as insertion_effects
from jaxmaxent.analysis._localization import Estimate as Estimate
from jaxmaxent.analysis._localization import Localization as Localization
from jaxmaxent.analysis._localization import localization as localization
from jaxmaxent.analysis._motifs.find import Motifs as Motifs
from jaxmaxent.analysis._motifs.find import find_motifs as find_motifs
from jaxmaxent.analysis._motifs.members import FoundMotif as FoundMotif
from jaxmaxent.analysis._motifs.members import MotifMember as MotifMember
from jaxmaxent.analysis._motifs.tomtom import MotifHit as MotifHit
from jaxmaxent.analysis._motifs.tomtom import NamedMotif as NamedMotif
from jaxmaxent.analysis._motifs.tomtom import match_motifs as match_motifs
from jaxmaxent.analysis._periodicity import Periodicity as Periodicity
from jaxmaxent.analysis._periodicity import periodicity as periodicity
from jaxmaxent.analysis._profiles.compare import ProfileComparison as ProfileComparison
from jaxmaxent.analysis._profiles.compare import compare_profiles as compare_profiles
from jaxmaxent.analysis._profiles.kmers import KmerProfile as KmerProfile
from jaxmaxent.analysis._profiles.kmers import kmer_profile as kmer_profile
from jaxmaxent.analysis._profiles.profile import Profile as Profile
from jaxmaxent.analysis._profiles.profile import background_frequencies as background_frequencies
from jaxmaxent.analysis._profiles.profile import profile as profile
from jaxmaxent.analysis._resolution.automatic import AutoBeta as AutoBeta
from jaxmaxent.analysis._resolution.automatic import auto_beta as auto_beta
from jaxmaxent.analysis._resolution.ladder import Resolution as Resolution
from jaxmaxent.analysis._resolution.ladder import ResolutionCurve as ResolutionCurve
from jaxmaxent.analysis._resolution.ladder import beta_at_energy as beta_at_energy
from jaxmaxent.analysis._resolution.ladder import beta_at_information as beta_at_information
from jaxmaxent.analysis._resolution.ladder import resolution_curve as resolution_curve
from jaxmaxent.analysis._resolution.mutants import beta_by_acceptance as beta_by_acceptance
from jaxmaxent.analysis._resolution.mutants import beta_by_median as beta_by_median
from jaxmaxent.analysis._resolution.mutants import mutant_energies as mutant_energies
from jaxmaxent.analysis._run_parts import stored_draws as stored_draws
from jaxmaxent.analysis._tables import anchor_table as anchor_table
from jaxmaxent.analysis._tables import letter_scores as letter_scores
from jaxmaxent.analysis._tables import position_table as position_table
from jaxmaxent.analysis._thermodynamics.thermodynamics import Integration as Integration
from jaxmaxent.analysis._thermodynamics.thermodynamics import SequencesWithin as SequencesWithin
from jaxmaxent.analysis._thermodynamics.thermodynamics import Thermodynamics as Thermodynamics
from jaxmaxent.analysis._thermodynamics.thermodynamics import sequences_within as sequences_within
from jaxmaxent.analysis._thermodynamics.thermodynamics import thermodynamic_integration as thermodynamic_integration
from jaxmaxent.analysis._thermodynamics.thermodynamics import thermodynamics as thermodynamics
from jaxmaxent.analysis._where.maps import Necessity as Necessity
from jaxmaxent.analysis._where.maps import Sufficiency as Sufficiency
from jaxmaxent.analysis._where.maps import necessity as necessity
from jaxmaxent.analysis._where.maps import sufficiency as sufficiency
from jaxmaxent.analysis._where.pinned import PinnedProfile as PinnedProfile
from jaxmaxent.analysis._where.pinned import pinned_profile as pinned_profile
from jaxmaxent.analysis._where.sites import FoundSite as FoundSite
from jaxmaxent.analysis._where.sites import find_sites as find_sites
from jaxmaxent.results._information import consensus as consensus
from jaxmaxent.results._information import information_bits as information_bits
from jaxmaxent.results._information import informative_window as informative_window

__all__ = [  # noqa: RUF022 (by question)
    # Which letters does the network require at each position, and do two profiles differ?
    "profile", "Profile", "background_frequencies", "information_bits", "informative_window", "consensus",
    "compare_profiles", "ProfileComparison", "stored_draws",
    # Where in an anchor is what the network sees?
    "necessity", "Necessity", "sufficiency", "Sufficiency", "find_sites", "FoundSite",
    "pinned_profile", "PinnedProfile",
    # Which motifs do anchors share, and which known motifs are these?
    "find_motifs", "Motifs", "FoundMotif", "MotifMember", "match_motifs", "MotifHit", "NamedMotif",
    # Which motifs do the draws of one anchor have, wherever they stand, and what does the network make of them?
    "draw_motifs", "DrawMotifs", "DrawMotif", "DrawSite", "enriched_kmers", "EnrichedKmers", "EnrichedKmer",
    "insertion_effects", "Insertion", "InsertionEffects",
    # What does the network ask of motifs: which, how many, and how arranged?
    "grammar", "Grammar", "Requirement", "Spacing", "shared_requirements", "SharedRequirement",
    # Which positions depend on each other?
    "couplings", "Couplings", "CoupledPair", "pair_frequencies", "PairFrequencies",
    # Which k-mers come back at a fixed distance?
    "kmer_profile", "KmerProfile", "periodicity", "Periodicity",
    # How many sequences does the network treat as equal to the anchor?
    "thermodynamics", "Thermodynamics", "thermodynamic_integration", "Integration", "sequences_within",
    "SequencesWithin",
    # At which β?
    "auto_beta", "AutoBeta", "beta_by_median", "beta_by_acceptance", "beta_at_energy", "beta_at_information",
    "Resolution",
    "resolution_curve", "ResolutionCurve", "mutant_energies",
    # Which μ gives a wanted composition, and does the network hold the composition?
    "solve_chemical_potential", "ChemicalPotential", "Trial", "composition_shift", "shift_over_anchors",
    "CompositionShift", "ChiSquare", "Correlation", "composition_response", "CompositionResponse",
    # The numbers of all anchors, for data frames and for programs that find motifs in scores.
    "position_table", "anchor_table", "letter_scores",
    # Do scores agree with known sites?
    "localization", "Localization", "Estimate",
]  # fmt: skip
