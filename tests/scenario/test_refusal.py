"""One error for everything that is wrong with a document."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, Field, ValidationError

from testbed.errors import ScenarioError
from testbed.scenario.document import Document
from testbed.scenario.refusal import in_words, refusal

DOCUMENT = Document.parse("a.yaml", "name: x\nlist:\n- 1\n- 2\n")


def test_each_problem_has_file_line_and_key() -> None:
    error = refusal(DOCUMENT, [(("list", 1), "too small"), (("list", 7), "missing"), ((), "nothing at all")])
    assert isinstance(error, ScenarioError)
    assert str(error).splitlines() == [
        "a.yaml:4: list.1: too small",
        "a.yaml:2: list.7: missing",
        "a.yaml:1: nothing at all",
    ]


def test_of_many_problems_the_first_are_told() -> None:
    lines = str(refusal(DOCUMENT, [(("name",), str(number)) for number in range(10)])).splitlines()
    assert (len(lines), lines[-1]) == (9, "… and 2 more")


class _Model(BaseModel, extra="forbid"):
    number: int
    names: list[str]
    inner: dict[str, int] = {}
    pair: tuple[int, int] = (1, 2)
    some: list[bool] = Field(default=[], min_length=2, max_length=3)
    flag: bool = True
    text: str = ""
    share: float = 0


BASE: dict[str, object] = {"number": 1, "names": []}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"number": "x", "names": []}, "expected a whole number, got 'x'"),
        ({"number": 1, "names": 5}, "expected a list, got 5"),
        ({"number": 1, "names": [], "inner": 5}, "expected a mapping, got 5"),
        ({"names": []}, "this key is missing"),
        ({"number": 1, "names": [], "typo": 1}, "unknown key; remove it or correct its spelling (PAGE lists the keys)"),
        (BASE | {"pair": [1, 2, 3]}, "expected at most 2 items, got 3"),
        (BASE | {"pair": [1]}, "an item is missing here; the list is too short"),
        (BASE | {"pair": 5}, "expected a list, got 5"),
        (BASE | {"some": []}, "expected at least 2 items, got none"),
        (BASE | {"some": [True] * 5}, "expected at most 3 items, got 5"),
        (BASE | {"flag": "perhaps"}, "expected true or false, got 'perhaps'"),
        (BASE | {"flag": []}, "expected true or false, got []"),
        (BASE | {"text": 5}, "expected text, got 5; write it in quotes"),
        (BASE | {"text": []}, "expected text, got []"),
        (BASE | {"share": "x"}, "expected a number, got 'x'"),
        (BASE | {"number": 1.5}, "expected a whole number, got 1.5"),
        ({"number": 10**5000, "names": 10**5000}, "expected a list, got an enormous number"),
    ],
)
def test_what_pydantic_says_is_said_in_our_words(data: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _Model.model_validate(data)
    assert words in [in_words(each, "PAGE") for each in caught.value.errors()]
