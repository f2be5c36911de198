"""What every test shares."""

from hypothesis import Phase, settings

# Against a planted fault few examples must do, and one that fails need not be made small.
settings.register_profile(
    "mutation", settings.get_profile("ci"), max_examples=20, phases=(Phase.explicit, Phase.generate)
)

# The same cases in every run, and no deadline: on a busy machine a slow case is no failure.
settings.load_profile("ci")
