"""From a checked config to the work that is left; no Ray."""
