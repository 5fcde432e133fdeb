"""Ways out to the providers: one folder each, all with the same files, all passing one contract suite."""
