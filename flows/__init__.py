"""Prefect flows over the plain functions of ``f2f``; the only package that imports Prefect.

Importing this package imports no Prefect: ``flows.runner`` must stay cheap, because the command loads it
on every run to ask whether a server answers.
"""
