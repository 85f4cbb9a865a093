"""Findings: two models, two groups or a tag held against every figure at every layer, with its evidence."""
