"""A frozen corpus: labelled observations of a suite in one archive, for judging without any emulation.

archive   one file with members and their checksums: written the same every time, and read as a stranger's
contents  what stands in it, and where
part      what of a cell goes into it: a run, cut and written in every format
building  the parts of a suite put together
rebuilt   cells of an archive made again, and compared byte by byte
judged    detectors asked about an archive
"""
