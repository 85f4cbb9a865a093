"""A store as a folder of static files that anybody's browser shows: no server, no network, no framework."""
