"""Progress is read from the lines that make prints."""

from __future__ import annotations

import pytest

from testbed.engine.kernel.compile_progress import CompileProgress


@pytest.mark.parametrize(
    "line",
    [
        "  CC      net/ipv4/tcp.o\n",
        "  AS      arch/x86/um/stub_64.o\n",
        "  CC      kernel/bounds.s\n",
        "  CC      lib/math/div64.o",
    ],
)
def test_a_compiled_file_counts(line: str) -> None:
    assert CompileProgress(expected=3).advance(line)


@pytest.mark.parametrize(
    "line",
    [
        "  HOSTCC  scripts/basic/fixdep\n",
        "  AR      net/ipv4/built-in.a\n",
        "  LINK linux\n",
        "net/ipv4/tcp.c:3: warning: CC net/ipv4/tcp.o\n",
        "make[1]: Entering directory 'CC'\n",
        "\n",
    ],
)
def test_another_line_does_not_count(line: str) -> None:
    assert not CompileProgress(expected=3).advance(line)


def test_it_says_how_many_of_how_many() -> None:
    progress = CompileProgress(expected=640)
    for number in range(412):
        progress.advance(f"  CC      net/file{number}.o\n")
    assert str(progress) == "compiling 412/640 files"


def test_it_never_says_more_than_all() -> None:
    progress = CompileProgress(expected=1)
    for _ in range(2):
        progress.advance("  CC      net/file.o\n")
    assert str(progress) == "compiling 2/2 files"
