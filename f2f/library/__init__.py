"""A whole library of lectures: found, planned, translated one by one, and kept up to date.

    lecture, options               one lecture, and how the library wants its lectures
    scanning, listing, list_files  lectures in folders, or from a CSV or YAML list
    status, lease                  what became of a lecture, and who works on it
    planning, pricing              what is to be done, and what that would take
    batch, processing              does it, lecture by lecture
    child, worker                  a process for each lecture, and the batch's side of it
    summary, tables                what a batch did
    voices, casting                one voice for each person
    metrics, openmetrics, trend_figures, trends, failures    figures of what was made
    index_page, index_rows, thumbnails, pages                what a person looks at
    timetable                      when to look for new lectures

There is no database: everything about one lecture lies beside it, so any shared folder will do.
"""
