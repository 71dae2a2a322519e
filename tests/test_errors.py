"""Every error that a user can meet is of one tree, and ends a command with the documented status."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re

import pytest

import testbed
from testbed import errors
from testbed.errors import (
    CaptureError,
    CertificateError,
    GuestError,
    InputError,
    InvalidRunError,
    MissingError,
    RecordError,
    ScenarioError,
    TestbedError,
)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TestbedError, 1),
        (InputError, 2),
        (ScenarioError, 2),
        (CaptureError, 2),
        (RecordError, 2),
        (MissingError, 3),
        (InvalidRunError, 4),
        (GuestError, 4),
        (CertificateError, 4),
    ],
)
def test_each_kind_of_error_has_its_exit_status(error: type[TestbedError], status: int) -> None:
    assert error.exit_status == status


def test_the_module_exports_all_of_its_tree() -> None:
    classes = {name for name, each in inspect.getmembers(errors, inspect.isclass) if each.__module__ == errors.__name__}
    assert set(errors.__all__) == classes


def test_the_drawing_at_the_top_of_the_module_is_the_tree() -> None:
    drawn = re.findall(r"(\w+Error) +(?:(\d)  )?", errors.__doc__ or "")
    assert {name for name, _ in drawn} == set(errors.__all__)
    for name, status in drawn:
        if status:
            assert getattr(errors, name).exit_status == int(status)


def own_exceptions() -> set[type[BaseException]]:
    found: set[type[BaseException]] = set()
    for module in pkgutil.walk_packages(testbed.__path__, "testbed."):
        if module.name.endswith("__main__"):
            continue
        for _, each in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(each, BaseException) and each.__module__.startswith("testbed."):
                found.add(each)
    return found


def test_every_exception_of_ours_is_of_the_tree() -> None:
    found = own_exceptions()
    assert len(found) > len(errors.__all__)
    assert [each for each in found if not issubclass(each, TestbedError)] == []
