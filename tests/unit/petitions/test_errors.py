"""Every refusal has a code, a sentence and a status."""

import pytest

from petitions.errors import PetitionError


@pytest.mark.parametrize(("code", "status"), [("not_found", 404), ("not_accepted_here", 422), ("incomplete", 422)])
def test_a_refusal_speaks_to_the_person_and_to_the_machine(code: str, status: int) -> None:
    error = PetitionError(code)
    assert (error.code, error.status, str(error)) == (code, status, code)
    assert error.message.endswith("。")


def test_an_unknown_code_is_a_fault_of_the_program() -> None:
    with pytest.raises(KeyError):
        PetitionError("no such code")
