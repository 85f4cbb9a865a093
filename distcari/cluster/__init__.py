"""A run: driver, ledger, workers and listeners; who computes is an executor, of which one is Ray."""
