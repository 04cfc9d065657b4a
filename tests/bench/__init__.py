"""Figures of the whole system on this machine, each ratio against a limit measured in the same run: `make bench`."""
