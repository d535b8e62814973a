"""The built programs of the release that this file belongs to. tools/release writes it into what it publishes."""

# By platform: `urls` and `sha256` of the archive. Empty where nothing is published, as in a clone of the repository.
ARCHIVES = {}
