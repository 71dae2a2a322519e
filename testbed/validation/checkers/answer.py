"""What a checker printed and how it ended, as a verdict. A program that ends without an answer has failed.

An answer is a verdict as JSON on a line of its own, the last such line of what was printed. For a program that
says nothing in JSON, a mapping tells what its exit statuses or its words mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from testbed.detectors.sources.fields import load_json
from testbed.detectors.verdict import Outcome, Verdict, verdict_from_json
from testbed.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["OutcomeName", "answer_of"]

OutcomeName = Literal["throttled", "not throttled", "inconclusive"]

_NOT_RUN: Final = 126  # from here on a status says that a program could not be run, or which signal ended it
_TAIL: Final = 300  # characters of what was printed, enough for the last lines of a traceback


def answer_of(
    name: str,
    printed: str,
    status: int,
    *,
    statuses: Mapping[int, OutcomeName],
    words: Mapping[OutcomeName, Sequence[str]],
    complaints: str = "",
) -> Verdict:
    """Return the verdict in what a program printed.

    Args:
        name: Of the checker.
        printed: On its standard output.
        status: With which it ended; 128 + n for signal n.
        statuses: What exit statuses mean; empty: nothing.
        words: What stands in the output for each outcome; empty: nothing. Exactly one outcome's words may be there.
        complaints: What it said on stderr, which is quoted where there is no answer.

    Raises:
        InputError: There is no answer, or one that cannot be used.
    """
    said = (complaints.strip() or printed.strip() or "it printed nothing")[-_TAIL:]
    if status >= _NOT_RUN:
        raise InputError(f"ended with status {status}: {said}")
    # Words go before statuses: a Python program that breaks has a status that may well have a meaning.
    if words:
        return _by_words(name, printed, words, said)
    if statuses:
        if status not in statuses:
            raise InputError(f"ended with status {status}, which its description gives no meaning: {said}")
        last = next(reversed(printed.strip().splitlines()), "")[:_TAIL]
        why = f"it ended with status {status}{f': {last}' if last else ''}"
        return Verdict(detector=name, outcome=Outcome(statuses[status]), why=why)
    lines = [line for line in printed.splitlines() if line.lstrip().startswith("{") and '"outcome"' in line]
    if not lines:
        raise InputError(f"printed no line with a verdict as JSON, and ended with status {status}: {said}")
    try:
        return verdict_from_json(load_json(lines[-1], "the verdict"), detector=name)
    except ValueError as error:
        raise InputError(f"its verdict cannot be used: {error}") from error


def _by_words(name: str, printed: str, words: Mapping[OutcomeName, Sequence[str]], said: str) -> Verdict:
    found = {outcome: word for outcome, all_words in words.items() for word in all_words if word in printed}
    if len(found) != 1:
        what = f"words of several outcomes ({', '.join(found)})" if found else "none of the words of its description"
        raise InputError(f"printed {what}: {said}")
    [(outcome, word)] = found.items()
    line = next((each for each in reversed(printed.splitlines()) if word in each), word)
    return Verdict(detector=name, outcome=Outcome(outcome), why=f"it printed: {line.strip()[:_TAIL]}")
