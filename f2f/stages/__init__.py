"""The stages of a translation; they do not import each other, ``f2f.pipeline`` knows their order."""
