"""Motifs that several anchors share, and known motifs that match them."""
