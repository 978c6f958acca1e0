"""Predicates that checks may call. Standard library alone: the text of this file runs inside the sandbox."""

from __future__ import annotations
