"""What several tests from end to end start with."""

import pytest

from tests.fakes.scripted_model import ScriptedModel


@pytest.fixture(scope="module")
def scripted():
    with ScriptedModel() as made:
        yield made


@pytest.fixture
def upstream(scripted):
    """A `ScriptedModel` that has been asked nothing yet."""
    scripted.requests.clear()
    scripted.turns.clear()
    scripted.faults.clear()
    return scripted
