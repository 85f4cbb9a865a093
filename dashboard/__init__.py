"""The dashboard: a place for comparing caricatures. Start: `python dashboard/app.py`; read-only but for notes."""
