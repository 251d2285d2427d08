"""Attention heads measured with the observables of critical systems."""
