from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from testbed.demo.animation import animate
from tests.demo.runs import hand_made_run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Runner


def test_a_run_without_captures_has_nothing_to_draw(tmp_path: Path) -> None:
    assert animate(hand_made_run(tmp_path / "run"), tmp_path / "run.gif") is False
    assert not (tmp_path / "run.gif").exists()


def test_the_sequence_plot_grows_from_frame_to_frame(run_scenario: Runner, tmp_path: Path) -> None:
    run = run_scenario("measurements.0.size=60 kB", "measurements.2.size=60 kB", scenario="classroom/two-phones")
    assert animate(run.path, tmp_path / "run.gif") is True
    with Image.open(tmp_path / "run.gif") as image:
        frames = int(getattr(image, "n_frames", 1))
        coloured = []
        for frame in (0, frames - 1):
            image.seek(frame)
            pixels = np.asarray(image.convert("RGB"), dtype=np.int16)
            coloured.append(int((pixels[..., 2] > pixels[..., 0] + 60).sum()))
    assert frames > 10  # alike ones are one
    assert coloured[1] > coloured[0]
