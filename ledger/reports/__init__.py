"""Reports over the journal. Each number is a `Cell`, which opens to the lines that it is the sum of."""
