"""A whole library of lectures: found, planned, translated one by one, and kept up to date.

    lecture    one lecture and how the library wants it
    scanning   lectures in folders
    listing    lectures from a CSV or YAML list
    status     what became of each lecture, in its workspace
    lease      who works on a lecture
    planning   what is to be done
    pricing    what that would take
    batch      does it, a child process for each lecture
    worker     that process
    metrics    figures of every finished output, library.jsonl
    pages      all that tells how the library stands: index_page, trends, openmetrics

There is no database: everything about one lecture lies beside it, so any shared folder will do.
"""
