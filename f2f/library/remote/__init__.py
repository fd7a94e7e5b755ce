"""A library behind URLs: work is done here, what is finished lies there.

``objects`` speaks to the store, ``mirror`` lays out here what lies there, ``desk`` brings what one lecture
needs and takes back what was made, ``store`` puts them together for the rest of ``f2f.library``.
"""

from f2f.library.remote.store import RemoteStore

__all__ = ["RemoteStore"]
