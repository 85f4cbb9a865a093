"""Random kills over a real grid on a real Ray cluster: `make chaos`, and a short form in the tests."""
