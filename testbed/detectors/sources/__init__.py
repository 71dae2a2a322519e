"""Where observations come from: captures, run directories, tables of speeds, measurements of OONI and of ndt7, JSON."""
