"""Ray: the plan of a run, the actors that render, the driver that hands out work and commits, and its listeners."""
