"""Picture quality beside lip sync: PSNR, SSIM, landmark distance and Fréchet distances.

    full_reference  frame by frame against the true video
    landmarks       of the mouth, by the package face-alignment where it and its weights are here
    features        what a picture looks like to a network: Inception (FID) or the embedded SyncNet
    frechet         distance between two sets of features
    videos          measures many videos, one row each
    tables, plots   rows as text, CSV, JSON and pictures

Packages that are not in the base dependencies (scikit-image, matplotlib, face-alignment) are imported inside
the functions that need them.
"""
