"""Hypothesis profiles. Importing this module registers the profiles and loads ``ci``.

Only the folders that use hypothesis import it: loading hypothesis takes a third of a second of CPU time.
"""

from __future__ import annotations

from hypothesis import Phase, settings

# A mutant has to fail a few examples only, and a failing example need not be shrunk.
settings.register_profile(
    "mutation", settings.get_profile("ci"), max_examples=20, phases=(Phase.explicit, Phase.generate)
)

# The same examples in every run, and no deadline: a slow example on a busy machine is no failure.
settings.load_profile("ci")
