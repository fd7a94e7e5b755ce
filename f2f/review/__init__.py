"""Review by a person: the segments as a table and as subtitles, and what was changed in them.

Reading, matching and merging (``spreadsheet``, ``subtitles``, ``matching``, ``merging``, ``applying``) know
no files; ``files`` does.
"""
