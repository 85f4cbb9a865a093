"""Pictures as plain files and in other tools' forms."""
