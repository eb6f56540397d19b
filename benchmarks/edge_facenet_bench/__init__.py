"""Artifact -> records -> report: how fast, how large, how well it tells people apart, on every processor of a machine.

artifacts, lanes   what is measured            timing, clock     blocks of calls, percentiles, drift
worker, child      a lane's process, its pipe  judge, machine    whether to believe it
measure, campaign  the conductor, one call     record, run       the files
faces, baselines   whose faces, what to beat   report            one table of figures
cli, publish       the command                 page, picture, markdown, words   its renderings
"""
