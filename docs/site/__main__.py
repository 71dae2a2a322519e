"""``python -m docs.site [FOLDER]``: let Sphinx make site and man page of staged pages; a warning is an error."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from sphinx.cmd.build import build_main

from docs.site.staging import ROOT, stage

_STARTED = time.monotonic()


def main(folder: Path) -> int:
    """Build everything below the folder; return Sphinx's exit status.

    ``source/`` has what was staged, ``html/`` the site, ``man/testbed.1`` the man page.
    """
    source = folder / "source"
    stage(source)
    for builder in ("html", "man"):
        asked = ["-q", "-W", "--keep-going", "-b", builder, "-c", str(ROOT / "docs"), "-d", str(folder / "doctrees")]
        status = build_main([*asked, str(source), str(folder / builder)])
        if status:
            return status
    print(f"{folder / 'html/index.html'}, {folder / 'man/testbed.1'}: made in {time.monotonic() - _STARTED:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/site")))
