"""Motifs of the draws themselves, wherever they stand."""
