"""What `validate` tells; tests/cli/commands/test_validation.py has it whole, with runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.cli.commands.validating.telling import write
from testbed.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="choose another file"):
        write(tmp_path, "text")
