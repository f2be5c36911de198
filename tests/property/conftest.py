"""Hypothesis for every test of this folder."""

from __future__ import annotations

import tests.hypothesis_profiles  # noqa: F401  # loads the profile
