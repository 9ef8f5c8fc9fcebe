"""The routes of the wallet API, one file a subject. Each parses, calls and translates; none decides."""
