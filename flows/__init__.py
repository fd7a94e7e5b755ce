"""Prefect flows over the plain functions of ``f2f``; the only package that imports Prefect."""
