"""How often each detector is right: suites of conditions, runs of them that are kept, verdicts, and scores.

suite       what is asked: conditions, each a scenario with draws, in a development part and a held-out part
cells       a cell is one run of one condition; its key is all that its bytes depend on
keeping     what came of cells and what detectors said of them, by key
running     makes cells that are not there yet
judging     asks detectors about cells; rejudging, about many on all processors
evaluation  a suite carried out
scoring     counts verdicts against labels
"""
