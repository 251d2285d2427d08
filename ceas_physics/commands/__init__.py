"""The commands of `ceas`, by subject; each module adds its own to the parser."""
