"""Every weight that the engines use: what it is, under which licence, where it comes from and where it lies.

Weights lie where the engines themselves look for them, so what is pulled or imported here is what they find.
Importing this package looks up, hashes and downloads nothing.
"""
