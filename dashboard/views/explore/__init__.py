"""Figures of groups of cells, and the pictures behind them."""
