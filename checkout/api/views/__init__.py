"""One file per thing; each method parses, makes one call, renders."""
