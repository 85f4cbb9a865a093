"""Who computes a run's units: Ray's workers, or this process alone. The seam is `distcari.cluster.driver.Executor`."""
