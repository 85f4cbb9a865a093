"""Pixels over HTTP."""
