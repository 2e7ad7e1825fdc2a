"""What holds for every test."""

from hypothesis import settings

# How long an example takes says more of the machine and of what else it does than of the code.
settings.register_profile("penstock", deadline=None)
settings.load_profile("penstock")
