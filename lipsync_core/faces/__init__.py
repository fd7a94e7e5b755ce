"""Find, follow, crop and paste faces."""

from lipsync_core.faces.centerface import CenterFace, FaceBox
from lipsync_core.faces.geometry import crop_resized, generator_box, syncnet_box

__all__ = ["CenterFace", "FaceBox", "crop_resized", "generator_box", "syncnet_box"]
