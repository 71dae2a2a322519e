"""Examples of each command, as its ``--help`` shows them; ``run`` and ``probe`` have longer ones of their own."""

from __future__ import annotations

__all__ = ["EXAMPLES"]

EXAMPLES = {
    "report": ("testbed report results/runs/2021-03-10-seed1-1", "testbed report RUN --output public/"),
    "table": (
        "testbed table results/runs/*/ >runs.csv",
        "testbed table RUN RUN --json",
        "testbed table RUN --parquet -o runs.parquet",
    ),
    "evade": (
        "testbed evade matrix",
        "testbed evade matrix --censor ru-tw-2021 --date 2021-03-10T09:00Z --date 2021-04-03",
        "testbed evade matrix --censor my-censor.yaml --evasion tcp-split --evasion tls-split --csv",
    ),
    "diff": ("testbed diff results/runs/2021-03-10-seed1-1 results/runs/2021-03-10-seed1-2",),
    "detect": (
        "testbed detect results/runs/2021-03-10-seed1-1 --detector joint",
        "testbed detect capture.pcapng --target twitter.com --control example.com",
        "testbed detect RUN --detector exec:./my_detector.py --json",
    ),
    "validate": (
        "testbed validate smoke",
        "testbed validate core --detector joint --detector exec:./my_detector.py -o scores.md",
        "testbed validate smoke --explain cellular/1",
        "testbed validate core --baseline results/baseline.json --junit verdicts.xml",
    ),
    "shrink": ("testbed shrink core far-control/3 --detector joint -o simpler",),
    "store": ("testbed store du", "testbed store gc --unused-days 7 --dry-run", "testbed store verify"),
    "corpus": (
        "testbed corpus build core -o core.zip",
        "testbed corpus score core.zip --detector exec:./my_detector.py",
        "testbed corpus verify core.zip --sample 5",
        "testbed corpus fetch-from-file core.zip -o core",
    ),
    "observe": ("testbed observe RUN >observation.json", "zcat capture.pcap.gz | testbed observe -"),
    "conformance": ("testbed conformance --profile ru-tw-2021a", "testbed conformance --output rows.md"),
    "completion": (
        "testbed completion bash >~/.local/share/bash-completion/completions/testbed",
        'testbed completion zsh >"${fpath[1]}/_testbed"',
        "testbed completion fish >~/.config/fish/completions/testbed.fish",
    ),
    "demo": (
        "testbed demo",
        "testbed demo --port 0 --no-browser",
        "testbed demo --address 192.168.1.20",
        "testbed demo --from labs.zip",
        "testbed demo results/runs/2021-03-10-seed1-1 --export site",
    ),
    "shell": (
        "testbed shell 2021-03-10",
        "printf 'client curl -sSo /dev/null https://twitter.com/383000.bin\\nbox log\\n' | testbed shell 2021-03-10",
        "testbed shell 2021-03-10 --node mobile-client",
    ),
    "list": ("testbed list detectors", "testbed list scenarios --json"),
    "show": (
        "testbed show ru-tw-2021a",
        "testbed show ru-tw-2021 --date 2021-03-11T09:00Z",
        "testbed show my-censor.yaml",
        "testbed show joint",
    ),
    "check": ("testbed check my-scenario.yaml my-censor.yaml", "testbed check my_topology.py", "testbed check kz-2022"),
    "schema": ("testbed schema scenario >scenario.schema.json", "testbed schema lab"),
    "inspect": (
        "testbed inspect capture.pcapng --profile ru-tw-2021a",
        "testbed inspect capture.pcapng --profile my-censor.yaml --inside 192.168.0.0/16 --json",
    ),
    "kernel": ("testbed kernel build", "testbed kernel info --json"),
    "doctor": ("testbed doctor", "testbed doctor --json", "testbed doctor --class --csv -o class.csv"),
    "lab": (
        "testbed lab list",
        "testbed lab start 1 --student ann -o ann",
        "testbed lab try lab-5 --evade tcp-split",
        "testbed lab check 1 ann --junit ann.xml",
        "testbed lab pack -o labs.zip",
        "testbed lab start 1 --from labs.zip",
    ),
}
