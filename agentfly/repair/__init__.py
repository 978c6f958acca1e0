"""Repair of solutions that gave a wrong number, by small edits and without a model."""
