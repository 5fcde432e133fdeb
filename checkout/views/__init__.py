"""Pages for customers: parse, call one use case or selector, render."""
